"""The pages and the JSON of the network, through the real application stack."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.routing import Mount

from serai.fhir.store import FhirStore
from serai.network import api, pages
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web import apidocs
from serai.web.application import page_app
from serai.web.errors import api_error_handlers


@pytest_asyncio.fixture
async def visitor(network_url: str) -> AsyncIterator[AsyncClient]:
    db = await Database.open(network_url, max_size=2)
    json_api = FastAPI(docs_url=None, exception_handlers=dict(api_error_handlers()))
    json_api.include_router(api.router)
    json_api.add_route("/docs", apidocs.show, methods=["GET"])
    app = page_app(
        [*pages.routes(), Mount("/api", app=json_api)],
        navigation=pages.NAVIGATION,
        db=db,
        fhir=FhirStore(),
        settings=Settings(),
    )
    json_api.state = app.state
    async with AsyncClient(transport=ASGITransport(app), base_url="http://serai.test") as client:
        yield client
    await db.close()


@pytest_asyncio.fixture
async def doctor(visitor: AsyncClient) -> AsyncClient:
    answer = await visitor.post(
        "/signin", data={"login": "county.doctor", "password": "caravanserai-demo"}
    )
    assert answer.status_code == 303
    return visitor


async def test_the_network_is_closed_to_strangers(visitor: AsyncClient) -> None:
    page = await visitor.get("/organisations")
    assert page.headers["location"] == "/signin?next=%2Forganisations"
    json = await visitor.get("/api/organisations")
    assert (json.status_code, json.json()["error"]["key"]) == (401, "auth.required")


async def test_the_list_counts_every_tier(doctor: AsyncClient) -> None:
    page = (await doctor.get("/organisations")).text
    for count in (204, 187, 13, 2):
        assert f'<span class="count">{count}</span>' in page
    assert "1–50 of 204" in page


async def test_a_search_in_chinese_finds_the_county_hospital(doctor: AsyncClient) -> None:
    answer = await doctor.get("/organisations", params={"q": "青山县"})
    assert answer.text.count('class="row-link"') == 1
    assert "/organisations/county" in answer.text


async def test_htmx_gets_only_the_results(doctor: AsyncClient) -> None:
    answer = await doctor.get(
        "/organisations", params={"q": "qing"}, headers={"HX-Request": "true"}
    )
    assert answer.text.strip().startswith('<div id="results"')
    assert "<html" not in answer.text


async def test_paging_reaches_every_organisation_once(doctor: AsyncClient) -> None:
    seen: list[str] = []
    for start in range(0, 250, 50):
        text = (await doctor.get("/organisations", params={"from": start})).text
        seen += [part.split('"')[0] for part in text.split('href="/organisations/')[1:]]
    # The account menu links to the reader's own organisation on every page.
    assert len(set(seen)) == 204


async def test_an_organisation_shows_its_people_specialties_and_children(
    doctor: AsyncClient,
) -> None:
    page = (await doctor.get("/organisations/lead")).text
    assert "Zhao Rui" in page
    assert "Neurosurgery" in page
    assert "/organisations/county" in page
    county = (await doctor.get("/organisations/county")).text
    assert county.count("Health Centre</a>") == 13


async def test_everybody_of_the_network_is_found_by_role_and_name(doctor: AsyncClient) -> None:
    experts = (await doctor.get("/staff", params={"role": "expert"})).text
    assert "Zhao Rui" in experts
    assert "Li Wei</span>" not in experts
    found = (await doctor.get("/staff", params={"q": "赵睿"})).text
    assert "Chief radiologist" in found
    assert found.count('class="person"') == 1


async def test_an_unknown_organisation_is_not_found(doctor: AsyncClient) -> None:
    assert (await doctor.get("/organisations/nowhere")).status_code == 404
    answer = await doctor.get("/api/organisations/nowhere")
    assert answer.status_code == 404
    assert answer.json()["error"]["text"] == "There is no such organisation in the network."


async def test_programs_read_the_network_as_json(doctor: AsyncClient) -> None:
    answer = (await doctor.get("/api/organisations", params={"tier": "township"})).json()
    assert answer["total"] == 13
    assert {one["part_of"] for one in answer["organisations"]} == {"county"}
    offering = await doctor.get("/api/organisations", params={"specialty": "haematology"})
    assert [one["id"] for one in offering.json()["organisations"]] == ["partner-phnom-penh"]


@pytest.mark.parametrize("start", ["-1", "x", "9" * 40])
async def test_a_nonsense_page_number_shows_the_first_page(doctor: AsyncClient, start: str) -> None:
    assert "1–50 of" in (await doctor.get("/organisations", params={"from": start})).text


async def test_the_interface_for_programs_is_described_without_foreign_scripts(
    doctor: AsyncClient,
) -> None:
    page = (await doctor.get("/api/docs")).text
    assert "/api/organisations/{id}" in page
    assert "OrganisationList" in page
    assert "https://" not in page
    assert (await doctor.get("/api/openapi.json")).json()["paths"]
