"""$meta, $meta-add and $meta-delete (R4 §3.2, Resource operations)."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, patient

from serai.fhir import body
from serai.fhir.operations.meta import added, deleted
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor, Kind, serai_itself
from serai.platform.db import Database

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
JSON = {"content-type": "application/fhir+json"}
COUNTY, LEAD = doctor("county"), doctor("lead")
RED, BLUE = {"system": "urn:tags", "code": "red"}, {"system": "urn:tags", "code": "blue"}
SECRET = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
PROFILE = "http://example.org/StructureDefinition/p"


async def put(db: Database, store: FhirStore, *resources: Data, actor: Actor = COUNTY) -> None:
    async with db.transaction() as tx:
        for one in resources:
            await store.update(tx, body.of(one), actor=actor, now=NOON)


async def labelled(fhir: httpx.AsyncClient, act: str, meta: Data, **headers: str) -> Data:
    sent = {
        "resourceType": "Parameters",
        "parameter": [{"name": "meta", "valueMeta": meta}],
    }
    answer = await fhir.post(f"Patient/p/${act}", content=as_json(sent), headers=JSON | headers)
    assert answer.status_code == 200, answer.text
    return returned(answer)


def returned(answer: httpx.Response) -> Data:
    assert answer.status_code == 200, answer.text
    (part,) = answer.json()["parameter"]
    assert part["name"] == "return"
    meta: Data = part["valueMeta"]
    return meta


async def ids(fhir: httpx.AsyncClient, query: str) -> list[str]:
    answer = await fhir.get(f"Patient?{query}")
    assert answer.status_code == 200, answer.text
    return [one["resource"]["id"] for one in answer.json().get("entry", [])]


async def test_labels_are_sets_that_search_finds_and_history_keeps(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p", meta={"tag": [RED | {"display": "Red"}]}))
    fhir = as_actor(COUNTY)
    meta = await labelled(
        fhir, "meta-add", {"tag": [RED, BLUE, BLUE], "security": [SECRET], "profile": [PROFILE]}
    )
    assert meta["tag"] == [RED | {"display": "Red"}, BLUE]
    assert (meta["security"], meta["profile"], meta["versionId"]) == ([SECRET], [PROFILE], "2")
    for query in ("_tag=urn:tags|blue", "_security=R", f"_profile={PROFILE}"):
        assert await ids(fhir, query) == ["p"]
    meta = await labelled(fhir, "meta-delete", {"tag": [BLUE], "profile": [PROFILE, "urn:none"]})
    assert (meta["tag"], "profile" in meta) == ([RED | {"display": "Red"}], False)
    assert await ids(fhir, "_tag=urn:tags|blue") == await ids(fhir, f"_profile={PROFILE}") == []
    history = (await fhir.get("Patient/p/_history")).json()["entry"]
    assert [len(one["resource"]["meta"].get("tag", [])) for one in history] == [1, 2, 1]
    assert (await fhir.get("Patient/p")).json()["name"][0]["family"] == "Li"
    async with db.connection() as connection:
        cursor = await connection.execute(
            "SELECT act, version FROM audit_event WHERE resource = 'Patient/p' AND version > 1 "
            "AND act <> 'fhir.read' ORDER BY version"
        )
        assert await cursor.fetchall() == [("fhir.update", 2), ("fhir.update", 3)]


async def test_what_changes_nothing_makes_no_version(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p", meta={"tag": [RED]}))
    fhir = as_actor(COUNTY)
    assert (await labelled(fhir, "meta-add", {"tag": [RED]}))["versionId"] == "1"
    assert (await labelled(fhir, "meta-delete", {"tag": [BLUE]}))["versionId"] == "1"
    answer = await fhir.get("Patient/p/$meta")
    assert (returned(answer)["versionId"], answer.headers["etag"]) == ("1", 'W/"1"')


async def test_a_version_tells_its_own_labels_and_keeps_them(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p", meta={"tag": [RED]}))
    fhir = as_actor(COUNTY)
    await labelled(fhir, "meta-add", {"tag": [BLUE]})
    for version, tags in (("1", [RED]), ("2", [RED, BLUE])):
        answer = await fhir.get(f"Patient/p/_history/{version}/$meta")
        assert (returned(answer)["tag"], answer.headers["etag"]) == (tags, f'W/"{version}"')
    assert (await fhir.get("Patient/p/_history/3/$meta")).status_code == 404
    assert (await as_actor(LEAD).get("Patient/p/_history/1/$meta")).status_code == 404
    sent: Data = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {}}]}
    for act in ("meta-add", "meta-delete"):
        answer = await fhir.post(
            f"Patient/p/_history/1/${act}", content=as_json(sent), headers=JSON
        )
        assert answer.status_code == 404


async def test_whoever_is_shown_labels_is_in_the_audit_trail(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p", meta={"tag": [RED]}))
    fhir = as_actor(COUNTY)
    for address in ("Patient/p/$meta", "Patient/p/_history/1/$meta", "Patient/$meta"):
        assert (await fhir.get(address)).status_code == 200
    await labelled(fhir, "meta-add", {"tag": [RED]})
    async with db.connection() as connection:
        await store.trail.write(connection)
        cursor = await connection.execute(
            "SELECT resource FROM audit_event WHERE act = 'fhir.look' ORDER BY resource"
        )
        looks = [resource for (resource,) in await cursor.fetchall()]
    assert looks == [
        "Patient/$meta", "Patient/p/$meta", "Patient/p/$meta-add", "Patient/p/_history/1/$meta",
    ]  # fmt: skip


async def test_types_and_the_system_tell_the_labels_in_use_where_the_asker_sees_them(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    tagged = {"tag": [RED], "profile": [PROFILE]}
    basic: Data = {"resourceType": "Basic", "id": "b", "code": {"text": "x"}}
    await put(db, store, patient(id="p", meta=tagged), patient(id="q", meta=tagged))
    await put(db, store, basic | {"meta": {"security": [SECRET]}})
    await put(db, store, patient(id="r", meta={"tag": [BLUE]}), actor=LEAD)
    county, lead = as_actor(COUNTY), as_actor(LEAD)
    assert returned(await county.get("Patient/$meta")) == tagged
    assert returned(await county.get("$meta")) == tagged | {"security": [SECRET]}
    assert returned(await lead.get("$meta")) == {"tag": [BLUE]}
    assert returned(await lead.get("Basic/$meta")) == {}


async def test_only_who_may_change_the_resource_may_label_it(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p"))
    sent = as_json(
        {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [RED]}}]}
    )
    reader = Actor("r", Kind.STAFF, "r", "doctor", "county", scopes=frozenset({"user/*.rs"}))

    async def status(actor: Actor, **headers: str) -> int:
        answer = await as_actor(actor).post(
            "Patient/p/$meta-add", content=sent, headers=JSON | headers
        )
        return answer.status_code

    assert await status(LEAD) == 404
    assert await status(reader) == 403
    async with db.transaction() as tx:
        await store.share(tx, "lead", ["Patient/p"], "Task/1", NOON)
    assert await status(LEAD) == 403
    assert await status(COUNTY, **{"if-match": 'W/"7"'}) == 412
    assert (await as_actor(COUNTY).get("Patient/p")).headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    "meta", ["red", {"tag": RED}, {"tag": ["red"]}, {"profile": [RED]}, {"tag": [{"code": 7}]}]
)
async def test_what_is_no_meta_is_refused(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore, meta: object
) -> None:
    await put(db, store, patient(id="p"), actor=serai_itself)
    sent = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}
    answer = await fhir.post("Patient/p/$meta-add", content=as_json(sent), headers=JSON)
    assert answer.status_code in (400, 422), answer.text
    assert (await fhir.post("Patient/p/$meta-add")).status_code == 400


def test_extensions_of_a_profile_stay_beside_it() -> None:
    noted = {"profile": ["a", "b"], "_profile": [None, {"id": "x"}]}
    assert deleted(noted, {"profile": ["a"]}) == {"profile": ["b"], "_profile": [{"id": "x"}]}
    assert deleted(noted, {"profile": ["b"]}) == {"profile": ["a"]}
    assert added(noted, {"profile": ["c"]})["_profile"] == [None, {"id": "x"}, None]
