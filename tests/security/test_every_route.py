"""Every way into the server, asked by people who should get nothing by it.

The ways are those of the application itself: a new one is asked at once, and one with a parameter
that is not known here fails until `hospital.py` says what stands for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from httpx import Response
from tests.security.hospital import CANARY, STRANGERS, Browser, Planted, Route, browsers, planted

# What anybody may open: nothing in it is about somebody.
OPEN = (
    "/healthz", "/readyz", "/static/", "/signin", "/link/", "/language", "/oauth/", "/favicon.ico",
    "/.well-known/", "/fhir/.well-known/",
)  # fmt: skip
# Parameters that name a record of the county, which does not exist for strangers.
OF_THE_COUNTY = {"study", "patient", "document", "consultation", "trash", "workitem"}


@pytest_asyncio.fixture
async def county(database_url: str, tmp_path: Path) -> AsyncIterator[Planted]:
    async with planted(database_url, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def people(county: Planted) -> AsyncIterator[dict[str, Browser]]:
    async with browsers(county) as found:
        yield found


def names_a_record(route: Route) -> bool:
    return bool(OF_THE_COUNTY & set(route.parameters))


def is_open(route: Route) -> bool:
    return route.path.startswith(OPEN)


def said(answer: Response) -> str:
    return answer.text + str(answer.headers)


async def test_no_way_in_gives_a_stranger_a_byte_of_the_county_or_changes_anything_there(
    county: Planted, people: dict[str, Browser]
) -> None:
    unknown = {
        (route.path, name)
        for route in county.routes()
        for name in route.parameters
        if name not in county.values and not any(k.endswith(f"/{name}") for k in county.values)
    }
    assert not unknown, "say in tests/security/hospital.py what stands for these"
    before = await county.state()
    assert len(before) > 10
    wrong: list[tuple[str, str, str, int]] = []
    for route in county.routes():
        if route.path in ("/signout",):
            continue
        for name, browser in people.items():
            answer = await browser.ask(route.method, county.address(route))
            if CANARY in said(answer) or _is_wrong(route, name, answer):
                wrong.append((name, route.method, route.path, answer.status_code))
    assert wrong == []
    assert await county.state() == before


def _is_wrong(route: Route, name: str, answer: Response) -> bool:
    if answer.status_code >= 500:
        return True
    if is_open(route):
        return False
    if name == "nobody":
        to_sign_in = answer.headers.get("location", "").startswith("/signin")
        # Some of DICOMweb says first that it does not understand, or has no such page.
        unheard = route.path.startswith("/dicomweb/") and answer.status_code in (400, 404)
        return not (unheard or answer.status_code == 401 or to_sign_in)
    return names_a_record(route) and answer.is_success and route.path not in EMPTY_LISTS


# Lists within something that a stranger does not see are as empty as of something that is not.
EMPTY_LISTS = {
    "/dicomweb/studies/{study}/series",
    "/dicomweb/studies/{study}/instances",
    "/dicomweb/studies/{study}/series/{series}/instances",
}


async def test_the_probes_can_fail(county: Planted, people: dict[str, Browser]) -> None:
    """Whoever belongs there sees the canary at the same places."""
    doctor = Browser(people["nobody"].client)
    await doctor.sign_in("dr-county")
    seen = {
        route.path
        for route in county.routes()
        if route.method == "GET" and not is_open(route) and route.path not in ("/signout",)
        if CANARY in said(await doctor.ask("GET", county.address(route)))
    }
    assert {
        "/patients/{patient}",
        "/dicomweb/studies",
        "/studies/{study}",
        "/dicomweb/studies/{study}/metadata",
        "/consultations/{consultation}",
        "/documents/{document}",
    } <= seen
    assert len(seen) >= 10


async def test_every_change_from_a_page_needs_the_secret_of_the_session(
    county: Planted, people: dict[str, Browser]
) -> None:
    name = sorted(STRANGERS)[0]
    client = people[name].client
    del client.headers["x-csrf-token"]
    passed = []
    for route in county.routes():
        if route.method in ("GET", "HEAD", "OPTIONS") or is_open(route):
            continue
        answer = await people[name].ask(route.method, county.address(route))
        if answer.status_code not in (403, 404, 405):
            passed.append((route.method, route.path, answer.status_code))
    assert passed == []
    assert (await client.get("/account")).status_code == 200
