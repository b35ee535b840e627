"""R4 §6.1.0: nothing tells of a record the asker may not see: no existence, number or content,
on any path to it; and a scope covers what it names and nothing that hangs on it."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from tests.fhir.conftest import Client, as_actor, store
from tests.fhir.resources import Data, as_json, doctor, observation, patient

__all__ = ["as_actor", "store"]

JSON = {"content-type": "application/fhir+json"}
ASYNC = {"prefer": "respond-async"}
IDENTIFIED = patient(identifier=[{"system": "urn:mrn", "value": "1"}])
SECRET = IDENTIFIED | {"id": "p", "name": [{"family": "Hidden"}], "birthDate": "1950-01-02"}
SECRET["address"] = [{"city": "Secretville"}]
COUNTY, OTHER = doctor("county"), doctor("other")


def bundle(kind: str, *requests: Data) -> bytes:
    return as_json({"resourceType": "Bundle", "type": kind, "entry": list(requests)})


def asking(kind: str, url: str) -> bytes:
    return bundle(kind, {"request": {"method": "GET", "url": url}})


def matching(person: Data) -> bytes:
    sent = {"name": "resource", "resource": person}
    return as_json({"resourceType": "Parameters", "parameter": [sent]})


PATCH = b'[{"op":"add","path":"/active","value":true}]'
PATHS: dict[str, tuple[str, str, bytes, dict[str, str], int]] = {
    "read": ("GET", "Patient/p", b"", {}, 404),
    "head": ("HEAD", "Patient/p", b"", {}, 404),
    "if-none-match": ("GET", "Patient/p", b"", {"if-none-match": 'W/"2"'}, 404),
    "vread": ("GET", "Patient/p/_history/1", b"", {}, 404),
    "history": ("GET", "Patient/p/_history", b"", {}, 404),
    "type history": ("GET", "Patient/_history", b"", {}, 200),
    "system history": ("GET", "_history", b"", {}, 200),
    "search": ("GET", "Patient?identifier=urn:mrn|1", b"", {}, 200),
    "include": ("GET", "Observation?_include=Observation:subject", b"", {}, 200),
    "revinclude": ("GET", "Patient?_revinclude=Observation:subject", b"", {}, 200),
    "delete": ("DELETE", "Patient/p", b"", {}, 204),
    "conditional delete": ("DELETE", "Patient?identifier=urn:mrn|1", b"", {}, 204),
    "patch": ("PATCH", "Patient/p", PATCH, {"content-type": "application/json-patch+json"}, 404),
    "conditional patch": ("PATCH", "Patient?identifier=urn:mrn|1", PATCH,
                          {"content-type": "application/json-patch+json"}, 404),
    "conditional reference": ("POST", "", bundle(
        "transaction",
        {"resource": observation("Patient?identifier=urn:mrn|1"),
         "request": {"method": "POST", "url": "Observation"}}), JSON, 412),
    "transaction": ("POST", "", bundle(
        "transaction",
        {"request": {"method": "GET", "url": "Patient/p"}}), JSON, 404),
    "conditional create": ("POST", "Patient", as_json(IDENTIFIED),
                           JSON | {"if-none-exist": "identifier=urn:mrn|1"}, 201),
    "batch": ("POST", "", asking("batch", "Patient/p"), JSON, 200),
    "batch search": ("POST", "", asking("batch", "Patient?family=Hidden"), JSON, 200),
    "batch conditional delete": ("POST", "", bundle(
        "batch", {"request": {"method": "DELETE", "url": "Patient?identifier=urn:mrn|1"}}),
        JSON, 200),
    "conditional update": ("PUT", "Patient?identifier=urn:mrn|1", as_json(IDENTIFIED), JSON, 201),
    "history at": ("GET", "Patient/p/_history?_at=2999", b"", {}, 200),
    "type history at": ("GET", "Patient/_history?_at=2999", b"", {}, 200),
    "system history at": ("GET", "_history?_at=2999", b"", {}, 200),
    "history since": ("GET", "Patient/p/_history?_since=2000", b"", {}, 200),
    "count": ("GET", "Patient?_summary=count&family=Hidden", b"", {}, 200),
    "sorted": ("GET", "Patient?_sort=birthdate&birthdate=1950-01-02", b"", {}, 200),
    "search by POST": ("POST", "Patient/_search", b"family=Hidden",
                       {"content-type": "application/x-www-form-urlencoded"}, 200),
    "search of the system": ("GET", "?_type=Patient,Observation&_id=p,o", b"", {}, 200),
    "compartment": ("GET", "Patient/p/Observation", b"", {}, 200),
    "whole compartment": ("GET", "Patient/p/*", b"", {}, 200),
    "chain": ("GET", "Observation?subject:Patient.family=Hidden", b"", {}, 200),
    "chain from their own": ("GET", "Observation?focus:Patient.family=Hidden", b"", {}, 200),
    "reverse chain": ("GET", "Patient?_has:Observation:subject:code=8867-4", b"", {}, 200),
    "iterated include": ("GET", "Observation?_id=o&_include:iterate=Observation:subject"
                         "&_include:iterate=Patient:organization", b"", {}, 200),
    "list": ("GET", "Patient?_list=l", b"", {}, 200),
    "everything": ("GET", "Patient/p/$everything", b"", {}, 404),
    "summary": ("GET", "Patient/p/$summary", b"", {}, 404),
    "summary by identifier": ("GET", "Patient/$summary?identifier=urn:mrn|1", b"", {}, 404),
    "match": ("POST", "Patient/$match", matching(SECRET), JSON, 200),
    "lastn": ("GET", "Observation/$lastn?patient=p", b"", {}, 200),
    "diff": ("GET", "Patient/p/$diff", b"", {}, 404),
    "diff of two": ("GET", "Patient/$diff?from=Patient/p&to=Patient/own", b"", {}, 404),
    "document": ("GET", "Composition/c/$document", b"", {}, 404),
    "export": ("GET", "Patient/$export", b"", ASYNC, 403),
    "group export": ("GET", "Group/g/$export", b"", ASYNC, 404),
}  # fmt: skip
# Counting nothing, these still list what is the asker's own.
LISTS_OWN = {"type history", "system history", "type history at", "system history at"}


async def live(county: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    """A patient of the county with a record; the other hospital has one that points there."""
    about = {"reference": "Patient/p"}
    theirs: list[Data] = [
        SECRET, SECRET, observation("Patient/p", id="o"),
        {"resourceType": "Composition", "id": "c", "status": "final", "type": {"text": "x"},
         "subject": about, "date": "2024", "author": [about], "title": "Secretville"},
        {"resourceType": "Group", "id": "g", "type": "person", "actual": True,
         "member": [{"entity": about}]},
        {"resourceType": "List", "id": "l", "status": "current", "mode": "working",
         "entry": [{"item": about}]},
    ]  # fmt: skip
    own: list[Data] = [
        patient("Own", id="own"),
        observation("Patient/own", "1-8", id="own", focus=[about]),
    ]
    for client, resources in ((county, theirs), (other, own)):
        for one in resources:
            address = f"{one['resourceType']}/{one['id']}"
            answer = await client.put(address, content=as_json(one), headers=JSON)
            assert answer.status_code in (200, 201), answer.text


def told(answer: httpx.Response) -> list[str]:
    """Where the resources of an answer stand, those of the asker left out."""
    entries = answer.json().get("entry", []) if answer.content else []
    found = [str(one.get("fullUrl", "")).partition("/fhir/")[2] for one in entries]
    return [one for one in found if not one.endswith("/own")]


@pytest.mark.parametrize("name", PATHS)
async def test_no_path_leads_to_a_record_of_another_organisation(
    as_actor: Client, name: str
) -> None:
    county, other = as_actor(COUNTY), as_actor(OTHER)
    await live(county, other)
    method, address, content, headers, status = PATHS[name]
    answer = await other.request(method, address, content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert "Secretville" not in answer.text
    assert '"id":"o"' not in answer.text
    if method == "GET" and status == 200:
        assert [one for one in told(answer) if one] == []
        own = 0 if name not in LISTS_OWN | {"include", "revinclude"} else answer.json()["total"]
        assert answer.json().get("total", 0) == own <= 2
    kept = await county.get("Patient/p")
    assert (kept.status_code, kept.headers["etag"]) == (200, 'W/"2"')


@pytest.mark.parametrize("name", PATHS)
async def test_what_is_hidden_answers_as_what_was_never_there(as_actor: Client, name: str) -> None:
    """The same request in a network without the county's record gets the same answer."""
    other, nobody = as_actor(OTHER), as_actor(doctor("nobody"))
    method, address, content, headers, _ = PATHS[name]
    for one in (patient("Own", id="own"), observation("Patient/own", "1-8", id="own")):
        path = f"{one['resourceType']}/{one['id']}"
        await other.put(path, content=as_json(one), headers=JSON)
    empty = await nobody.request(method, address, content=content, headers=headers)
    await live(as_actor(COUNTY), other)
    if empty.status_code == 201:
        return  # it has made what it did not find, and would now find that
    full = await nobody.request(method, address, content=content, headers=headers)
    assert full.status_code == empty.status_code
    assert without_moments(full) == without_moments(empty)


def without_moments(answer: httpx.Response) -> object:
    if not answer.content:
        return None
    return {name: value for name, value in answer.json().items() if name not in ("id", "meta")}


@pytest.mark.parametrize(
    "address",
    ["Patient?_count=1", "Patient/_history?_count=1", "_history?_count=1",
     "Patient/p/_history?_count=1", "Patient/p/$everything?_count=1",
     "?_type=Patient,Observation&_count=1"],
)  # fmt: skip
async def test_a_link_to_the_next_page_is_worth_nothing_to_others(
    as_actor: Client, address: str
) -> None:
    county, other = as_actor(COUNTY), as_actor(OTHER)
    await live(county, other)
    await county.put("Patient/p2", content=as_json(SECRET | {"id": "p2"}), headers=JSON)
    page = (await county.get(address)).json()
    following = next(one["url"] for one in page["link"] if one["relation"] == "next")
    assert told(await county.get(following))
    answer = await other.get(following)
    assert answer.status_code in (200, 404)
    assert "Secretville" not in answer.text
    assert [one for one in told(answer) if one] == []


NARROW = {
    "read": ("Patient/p", 403),
    "history": ("Patient/p/_history", 403),
    "history at": ("Patient/p/_history?_at=2999", 403),
    "system history": ("_history", 200),
    "search": ("Patient?family=Hidden", 403),
    "search of the system": ("?_type=Patient,Observation&_id=p,o", 403),
    "include": ("Observation?_include=Observation:subject", 200),
    "wildcard include": ("Observation?_include=*", 200),
    "iterated include": ("Observation?_include:iterate=Observation:subject", 200),
    "revinclude": ("Observation?_revinclude=Composition:entry", 200),
    "chain": ("Observation?subject:Patient.family=Hidden", 403),
    "chain by identifier": ("Observation?patient.identifier=urn:mrn|1", 403),
    "reverse chain": ("Observation?_has:Composition:entry:title=Hidden", 403),
    "whole compartment": ("Patient/p/*", 200),
    "everything": ("Patient/p/$everything", 403),
    "summary": ("Patient/p/$summary", 403),
    "diff": ("Patient/p/$diff", 403),
    "document": ("Composition/c/$document", 403),
    "lastn": ("Observation/$lastn?patient=p", 200),
    "export": ("Patient/$export", 403),
}


@pytest.mark.parametrize("name", NARROW)
async def test_the_right_to_observations_reaches_no_patient(as_actor: Client, name: str) -> None:
    await live(as_actor(COUNTY), as_actor(OTHER))
    narrow = replace(COUNTY, scopes=frozenset({"user/Observation.rs"}))
    address, status = NARROW[name]
    headers = ASYNC if "$export" in address else {}
    answer = await as_actor(narrow).get(address, headers=headers)
    assert answer.status_code == status, answer.text
    assert "Secretville" not in answer.text
    assert [one for one in told(answer) if not one.startswith("Observation/")] == []
    if status == 200:
        assert "Observation/o" in told(answer)


async def test_the_right_to_patients_does_not_reach_what_is_known_about_them(
    as_actor: Client,
) -> None:
    await live(as_actor(COUNTY), as_actor(OTHER))
    client = as_actor(replace(COUNTY, scopes=frozenset({"user/Patient.rs"})))
    for address in ("Patient/p/$everything", "Patient?_revinclude=Observation:subject", "_history"):
        answer = await client.get(address)
        assert answer.status_code == 200
        assert set(told(answer)) == {"Patient/p"}
    for address in ("Patient?_has:Observation:subject:code=8867-4", "Patient/p/Observation"):
        assert (await client.get(address)).status_code == 403
