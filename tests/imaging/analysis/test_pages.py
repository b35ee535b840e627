"""How analyses stand, on the page and in the API: for those who see the study, and nobody else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.imaging.analysis.conftest import House, planted
from tests.imaging.analysis.phantoms import data_sets, files, water
from tests.imaging.analysis.test_models import CARD, drop

from serai.imaging.analysis import api, pages, running
from serai.platform.auth.accounts import create_account
from serai.platform.settings import Settings
from serai.web.application import page_app
from serai.web.errors import api_error_handlers

PASSWORD = "caravanserai-demo"


@dataclass
class Browser:
    client: AsyncClient

    async def get(self, path: str, status: int = 200) -> Response:
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer

    async def post(self, path: str, body: object | None = None) -> Response:
        page = (await self.client.get("/analyses/analysers")).text
        found = re.search(r'name="csrf" content="([^"]+)"', page)
        assert found
        if body is None:
            return await self.client.post(path, data={"_csrf": found.group(1)})
        return await self.client.post(path, json=body, headers={"X-CSRF-Token": found.group(1)})


def application(house: House) -> Starlette:
    json_api = FastAPI(exception_handlers=dict(api_error_handlers()))
    json_api.include_router(api.router)
    app = page_app(
        [*pages.routes(), Mount("/api", app=json_api)],
        navigation=pages.NAVIGATION,
        db=house.db,
        fhir=house.archive.fhir,
        archive=house.archive,
        settings=Settings(home=house.home),
    )
    json_api.state = app.state
    return app


@pytest_asyncio.fixture
async def browsers(house: House) -> AsyncIterator[dict[str, Browser]]:
    app = application(house)
    async with AsyncExitStack() as stack:
        found = {}
        for organisation, language in (("county", "en"), ("township", "zh")):
            async with house.db.transaction() as tx:
                await create_account(
                    tx, login=organisation, password=PASSWORD, name=organisation,
                    role="doctor", organisation=organisation,
                )  # fmt: skip
            client = AsyncClient(
                transport=ASGITransport(app), base_url="http://serai.test",
                headers={"Accept-Language": language},
            )  # fmt: skip
            await stack.enter_async_context(client)
            form = {"login": organisation, "password": PASSWORD}
            assert (await client.post("/signin", data=form)).status_code == 303
            found[organisation] = Browser(client)
        yield found


async def test_the_page_and_the_api_tell_states_and_reasons_to_those_who_see_the_study(
    house: House, browsers: dict[str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TRIES", 1)
    house.analysers = [planted("counting"), planted("abstaining"), planted("crashing")]
    images = data_sets(water(4))
    study = str(images[0].StudyInstanceUID)
    await house.analyse(*files(images))
    county, township = browsers["county"], browsers["township"]

    listed = (await county.get("/analyses")).text
    assert listed.count("<tr>") == 4
    assert "Contrast medium was given." in listed
    assert "The analyser crashed (-11)." in listed
    assert (await county.get("/analyses?status=failed")).text.count("<tr>") == 2
    page = (await county.get(f"/analyses/studies/{study}")).text
    assert "The instance numbers are whole" in page
    assert page.count("/retry") == 1

    answer = (await county.get("/api/analyses")).json()
    assert {each["analyser"]: (each["state"], each["why"]) for each in answer["analyses"]} == {
        "counting": ("done", None),
        "abstaining": ("abstained", "analysis.contrast"),
        "crashing": ("failed", "analysis.crashed"),
    }
    by_study = (await county.get(f"/api/analyses?study={study}")).json()
    assert len(by_study["analyses"]) == 3
    one = by_study["analyses"][0]["id"]
    assert (await county.get(f"/api/analyses/{one}")).json()["study"] == study

    assert "<tr>" not in (await township.get("/analyses")).text
    assert (await township.get("/api/analyses")).json() == {"analyses": [], "more": False}
    for path in (f"/analyses/studies/{study}", f"/api/analyses?study={study}",
                 f"/api/analyses/{one}"):  # fmt: skip
        await township.get(path, 404)
    refused = await township.post(f"/api/analyses/{one}/retry")
    assert refused.status_code in (403, 404)


async def test_a_failed_one_is_tried_again_and_any_is_asked_for_by_name(
    house: House, browsers: dict[str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TRIES", 1)
    house.analysers = [planted("crashing")]
    images = data_sets(water(4))
    study = str(images[0].StudyInstanceUID)
    (failed,) = await house.analyse(*files(images))
    county, township = browsers["county"], browsers["township"]
    assert (await township.post(f"/analyses/{failed.id}/retry")).status_code == 404
    assert (await county.post(f"/analyses/{failed.id}/retry")).status_code == 303
    assert (await county.post(f"/analyses/{failed.id}/retry")).status_code == 409
    assert [each.state for each in await house.analyses()] == ["queued"]

    wanted = {"study": study, "analyser": "series-quality"}
    assert (await township.post("/api/analyses", wanted)).status_code == 404
    assert (await county.post("/api/analyses", wanted)).json() == {"queued": 1}
    unknown = {"study": study, "analyser": "nothing"}
    assert (await county.post("/api/analyses", unknown)).status_code == 404
    assert (await county.post("/api/analyses", {"study": study, "x": 1})).status_code == 422
    asked = await house.rows(
        "SELECT DISTINCT act FROM audit_event WHERE act LIKE 'imaging.ask%' AND actor <> 'serai'"
    )
    assert asked == [("imaging.ask-analysis",)]
    for query in ("/api/analyses?page=2", f"/api/analyses?study={study}&state=done",
                  "/api/analyses?state=gone", "/api/analyses/analysers?x=1"):  # fmt: skip
        assert (await county.client.get(query)).status_code in (400, 422)


async def test_analysers_and_models_show_what_they_are_for_and_why_one_is_refused(
    house: House, browsers: dict[str, Browser]
) -> None:
    drop(house.home, "brightness", CARD)
    drop(house.home, "other", CARD | {"sha256": "0" * 64})
    page = (await browsers["county"].get("/analyses/analysers")).text
    for said in ("Validated on phantoms only.", "To show that a model runs.", "Means nothing.",
                 "CC0-1.0", CARD["sha256"], "other is refused",
                 "model.onnx is not the file whose SHA-256 the card names."):  # fmt: skip
        assert said in page
    page = (await browsers["township"].get("/analyses/analysers")).text
    assert "仅经体模验证" in page
    listed = (await browsers["county"].get("/api/analyses/analysers")).json()
    assert {
        "agatston",
        "dose",
        "ecg-intervals",
        "laa-950",
        "series-quality",
        "model-brightness",
    } == {each["name"] for each in listed}
