"""History of an instance, a type and the system."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
from tests.fhir.resources import as_json, observation, patient

JSON = {"content-type": "application/fhir+json"}


async def write(fhir: httpx.AsyncClient) -> None:
    for family in ("A", "B", "C"):
        await fhir.put("Patient/p", content=as_json(patient(family, id="p")), headers=JSON)
    await fhir.put("Observation/o", content=as_json(observation(id="o")), headers=JSON)
    await fhir.delete("Patient/p")
    await fhir.put("Patient/q", content=as_json(patient(id="q")), headers=JSON)


def versions(bundle: dict[str, object]) -> list[tuple[str, str, str]]:
    found = []
    for entry in bundle.get("entry", []):  # type: ignore[attr-defined]
        kind, id = entry["fullUrl"].split("/")[-2:]
        found.append((entry["request"]["method"], f"{kind}/{id}", entry["response"]["etag"]))
    return found


async def test_history_lists_every_version_newest_first(fhir: httpx.AsyncClient) -> None:
    await write(fhir)
    instance = versions((await fhir.get("Patient/p/_history")).json())
    assert instance == [
        ("DELETE", "Patient/p", 'W/"4"'),
        ("PUT", "Patient/p", 'W/"3"'),
        ("PUT", "Patient/p", 'W/"2"'),
        ("PUT", "Patient/p", 'W/"1"'),
    ]
    kind = versions((await fhir.get("Patient/_history")).json())
    assert kind == [("PUT", "Patient/q", 'W/"1"'), *instance]
    system = versions((await fhir.get("_history")).json())
    assert ("PUT", "Observation/o", 'W/"1"') in system
    assert len(system) == 6


async def test_history_pages_do_not_repeat(fhir: httpx.AsyncClient) -> None:
    await write(fhir)
    for start in ("_history?_count=2", "Patient/_history?_count=2", "Patient/p/_history?_count=1"):
        seen: list[tuple[str, str, str]] = []
        address = start
        while address:
            page = (await fhir.get(address)).json()
            seen += versions(page)
            await fhir.put("Patient/q", content=as_json(patient(id="q")), headers=JSON)
            links = {link["relation"]: link["url"] for link in page["link"]}
            address = links.get("next", "")
        whole = versions((await fhir.get(start.partition("?")[0])).json())
        assert len(seen) == len(set(seen))
        assert whole[-len(seen) :] == seen


async def test_history_since_a_moment(fhir: httpx.AsyncClient) -> None:
    await write(fhir)
    page = (await fhir.get("Patient/p/_history")).json()
    third = next(e for e in page["entry"] if e["response"]["etag"] == 'W/"3"')
    since = third["response"]["lastModified"]
    later = versions((await fhir.get("Patient/p/_history", params={"_since": since})).json())
    assert [etag for _, _, etag in later][-1] == 'W/"3"'
    future = (datetime.fromisoformat(since) + timedelta(days=1)).isoformat()
    none = await fhir.get("Patient/p/_history", params={"_since": future})
    assert versions(none.json()) == []


async def test_history_of_nothing_is_404_and_unknown_parameters_are_refused(
    fhir: httpx.AsyncClient,
) -> None:
    assert (await fhir.get("Patient/none/_history")).status_code == 404
    assert (await fhir.get("Patient/_history?_list=x")).status_code == 400
    assert (await fhir.get("Patient/_history?_since=x")).status_code == 400
    assert (await fhir.get("Patient/_history?_cursor=x")).status_code == 400
    assert versions((await fhir.get("Patient/_history")).json()) == []
