"""$export: who gets what, and that it is neither more nor less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.fhir.bulk.conftest import ASYNC, Node, downloaded
from tests.fhir.conftest import MACHINE

from serai.fhir import body
from serai.fhir.bulk import exporting
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.platform import jobs
from serai.platform.running import Running

CITY = Actor(
    "city",
    Kind.MACHINE,
    "City",
    "system",
    organisation="city",
    scopes=frozenset({"system/*.cruds"}),
)
COUNTY = replace(CITY, id="county", name="County", organisation="county")


def patient(id: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id}


def observation(id: str, of: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": {"text": "pulse"},
        "subject": {"reference": f"Patient/{of}"},
    }


async def keep(node: Node, actor: Actor, *resources: dict[str, Any]) -> None:
    async with node.db.transaction() as tx:
        for one in resources:
            await node.store.update(tx, body.of(one), actor=actor, now=utc_now())


async def two_hospitals(node: Node) -> None:
    await keep(node, CITY, patient("zhang"), observation("zhangs-pulse", "zhang"))
    await keep(node, COUNTY, patient("li"), observation("lis-pulse", "li"))
    await keep(node, MACHINE, {"resourceType": "Location", "id": "ward"})


EXPORTS = [
    (
        MACHINE,
        "$export",
        {},
        {"Patient/zhang", "Patient/li", "Observation/zhangs-pulse", "Observation/lis-pulse",
         "Location/ward"},
    ),
    (MACHINE, "Patient/$export", {"_type": "Observation"},
     {"Observation/zhangs-pulse", "Observation/lis-pulse"}),
    (CITY, "$export", {}, {"Patient/zhang", "Observation/zhangs-pulse", "Location/ward"}),
    (CITY, "Patient/$export", {}, {"Patient/zhang", "Observation/zhangs-pulse"}),
    (COUNTY, "$export", {"_type": "Patient,Location"}, {"Patient/li", "Location/ward"}),
    (CITY, "$export", {"_since": "2999-01-01T00:00:00Z"}, set()),
    (
        replace(CITY, scopes=frozenset({"system/Patient.rs"})), "$export", {}, {"Patient/zhang"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("actor", "address", "params", "expected"), EXPORTS)
async def test_an_export_holds_exactly_what_its_client_may_see(
    node: Node, actor: Actor, address: str, params: dict[str, str], expected: set[str]
) -> None:
    await two_hospitals(node)
    found = await node.exported(address, actor, **params)
    assert sorted(found["output"]) == sorted(expected)


async def test_a_group_export_holds_its_members_and_nobody_elses_patients(node: Node) -> None:
    await two_hospitals(node)
    members = [{"entity": {"reference": f"Patient/{id}"}} for id in ("zhang", "li")]
    group = {"resourceType": "Group", "id": "ours", "type": "person", "actual": True}
    await keep(node, MACHINE, patient("wang"))
    await keep(node, CITY, patient("chen"))
    async with node.db.transaction() as tx:
        # Only a system-wide writer can name another hospital's patient in a group.
        await node.store.update(
            tx, body.of(group | {"member": members}), actor=MACHINE, now=utc_now()
        )
    everything = await node.exported("Group/ours/$export")
    assert sorted(everything["output"]) == [
        "Group/ours",
        "Observation/lis-pulse",
        "Observation/zhangs-pulse",
        "Patient/li",
        "Patient/zhang",
    ]
    async with node.client(CITY) as client:
        hidden = await client.get("Group/ours/$export", headers=ASYNC)
    assert hidden.status_code == 404


async def test_named_patients_are_exported_and_hidden_ones_are_as_if_unknown(node: Node) -> None:
    await two_hospitals(node)
    named = [
        {"name": "patient", "valueReference": {"reference": f"Patient/{id}"}}
        for id in ("zhang", "li", "nobody")
    ]
    async with node.client(CITY) as client:
        kicked = await client.post(
            "Patient/$export",
            json={"resourceType": "Parameters", "parameter": named},
            headers=ASYNC,
        )
        answer = await node.finished(client, kicked)
    types = [(one["type"], one["count"]) for one in answer.json()["output"]]
    assert types == [("Observation", 1), ("Patient", 1)]


async def test_a_share_is_exported_while_it_is_open(node: Node) -> None:
    await two_hospitals(node)
    async with node.db.transaction() as tx:
        await node.store.share(tx, "county", ["Patient/zhang"], "Task/1", utc_now())
    shared = await node.exported("$export", COUNTY, _type="Patient")
    async with node.db.transaction() as tx:
        await node.store.close_shares(tx, "Task/1", utc_now())
    closed = await node.exported("$export", COUNTY, _type="Patient")
    assert (shared["output"], closed["output"]) == (["Patient/li", "Patient/zhang"], ["Patient/li"])


async def test_a_share_closed_while_the_export_waits_is_not_exported(node: Node) -> None:
    await two_hospitals(node)
    async with node.db.transaction() as tx:
        await node.store.share(tx, "county", ["Patient/zhang"], "Task/1", utc_now())
    async with node.client(COUNTY) as client:
        kicked = await client.get("Patient/$export?_type=Patient", headers=ASYNC)
        async with node.db.transaction() as tx:
            await node.store.close_shares(tx, "Task/1", utc_now())
        answer = await node.finished(client, kicked)
    assert [one["count"] for one in answer.json()["output"]] == [1]


async def test_what_is_deleted_after_the_export_began_is_in_it_as_it_was(node: Node) -> None:
    await two_hospitals(node)
    async with node.client() as client:
        kicked = await client.get("$export?_type=Observation", headers=ASYNC)
        await client.delete("Observation/lis-pulse")
        answer = await node.finished(client, kicked)
        files = answer.json()["output"]
    assert [one["count"] for one in files] == [2]


async def test_deletions_since_are_listed_as_deletions(node: Node) -> None:
    await two_hospitals(node)
    async with node.client() as client:
        await client.delete("Observation/lis-pulse")
    found = await node.exported(
        "$export", _type="Observation,Patient", _since="2020-01-01T00:00:00Z"
    )
    assert found["deleted"] == ["Observation/lis-pulse"]
    assert "Observation/lis-pulse" not in found["output"]


async def test_nobody_else_knows_the_job_or_its_files(node: Node) -> None:
    await two_hospitals(node)
    async with node.client(CITY) as city, node.client(COUNTY) as county:
        kicked = await city.get("$export", headers=ASYNC)
        answer = await node.finished(city, kicked)
        address = kicked.headers["content-location"]
        file = answer.json()["output"][0]["url"]
        others = [await county.get(address), await county.get(file), await county.delete(address)]
        assert [one.status_code for one in others] == [404, 404, 404]
        assert (await city.get(file)).status_code == 200


async def test_a_cancelled_export_is_gone_with_its_files(node: Node) -> None:
    await two_hospitals(node)
    async with node.client() as client:
        kicked = await client.get("$export", headers=ASYNC)
        answer = await node.finished(client, kicked)
        file = answer.json()["output"][0]["url"]
        assert (await client.delete(kicked.headers["content-location"])).status_code == 202
        gone = [await client.get(file), await client.get(kicked.headers["content-location"])]
    assert [one.status_code for one in gone] == [404, 404]
    assert [path for path in (node.settings.home / "blobs").rglob("*") if path.is_file()] == []


async def test_a_cancelled_export_never_starts(node: Node) -> None:
    await two_hospitals(node)
    async with node.client() as client:
        kicked = await client.get("$export", headers=ASYNC)
        await client.delete(kicked.headers["content-location"])
        other = await client.get("$export?_type=Patient", headers=ASYNC)
        await node.finished(client, other)
    async with node.db.connection() as connection:
        rows = await (
            await connection.execute("SELECT status, done FROM fhir_job ORDER BY id")
        ).fetchall()
    assert rows == [("cancelled", 0), ("done", 2)]


async def test_an_export_cancelled_while_it_writes_leaves_no_file(node: Node) -> None:
    await two_hospitals(node)
    async with node.client() as client:
        kicked = await client.get("$export", headers=ASYNC)
    id = kicked.headers["content-location"].rpartition("/")[2]
    async with node.db.connection() as connection:
        job = await jobs.begin(connection, id, now=utc_now())
        assert job is not None
        running = Running(node.db, job)
        await exporting._plan(running)
        await jobs.cancel(connection, id, now=utc_now())
    with pytest.raises(jobs.Moved):
        await exporting.run(running, store=node.store, blobs=node.blobs, keep_hours=1)
    assert [path for path in (node.settings.home / "blobs").rglob("*") if path.is_file()] == []


async def test_20_000_resources_come_in_several_files_each_once(node: Node) -> None:
    import tracemalloc

    async with node.db.transaction() as tx:
        # Straight into the table: what is measured is the export, not the writing.
        await tx.execute(
            """INSERT INTO fhir_resource (type, id, version, last_updated, method, content)
               SELECT 'Basic', 'b' || n, 1, now(), 'PUT', convert_to(format(
                   '{"resourceType":"Basic","id":"b%s","language":"%s"}', n, repeat('x', 1000)),
                   'UTF8')
               FROM generate_series(1, 20000) AS n"""
        )
    async with node.client() as client:
        kicked = await client.get("$export?_type=Basic", headers=ASYNC)
        tracemalloc.start()
        answer = await node.finished(client, kicked)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        files = answer.json()["output"]
        assert [one["count"] for one in files] == [10_000, 10_000]
        assert peak < 8 << 20, "20 MB of resources passed through"
        seen = [
            line for one in files for line in (await client.get(one["url"])).content.splitlines()
        ]
    assert len(set(seen)) == 20_000


ELEMENTS = [
    # asked, keys of the Patient, keys of the Observation
    ("birthDate", {"birthDate"}, {"status", "code"}),
    ("Patient.birthDate,Patient.name", {"birthDate", "name"}, None),
    ("Observation.value,gender", {"gender"}, {"status", "code", "valueQuantity"}),
]


@pytest.mark.parametrize(("asked", "of_patient", "of_observation"), ELEMENTS)
async def test_an_export_of_elements_holds_these_and_says_that_it_is_a_part(
    node: Node, asked: str, of_patient: set[str], of_observation: set[str] | None
) -> None:
    """IG 2.0, "_elements": a name without a type holds for every type; mandatory ones stay."""
    wang = patient("wang") | {"name": [{"family": "Wang"}], "gender": "male", "birthDate": "1950"}
    pulse = observation("pulse", "wang") | {"valueQuantity": {"value": 60}}
    await keep(node, MACHINE, wang, pulse)
    async with node.client() as client:
        kicked = await client.get(f"$export?_elements={asked}", headers=ASYNC)
        manifest = (await node.finished(client, kicked)).json()
        found = {
            file["type"]: (await client.get(file["url"])).json() for file in manifest["output"]
        }
    always = {"resourceType", "id", "meta"}
    assert set(found["Patient"]) == always | of_patient
    assert found["Patient"]["meta"]["tag"][0]["code"] == "SUBSETTED"
    if of_observation is None:
        assert set(found["Observation"]) == set(pulse) | {"meta"}
        assert "tag" not in found["Observation"]["meta"]
    else:
        assert set(found["Observation"]) == always | of_observation


FILTERS = [
    (["Patient?gender=male"], {"wang", "pulse", "weight"}),
    (["Patient?gender=male", "Patient?birthdate=lt1950"], {"wang", "zhao", "pulse", "weight"}),
    (["Patient?gender=male,Observation?code=urn:x|w"], {"wang", "weight"}),
    (["Patient?gender=male,other&birthdate=gt1990"], {"pulse", "weight"}),
    (["Observation?subject:Patient.gender=male"], {"wang", "zhao", "sun", "pulse"}),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
async def test_a_type_filter_leaves_what_any_of_its_searches_finds(
    node: Node, filters: list[str], expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """IG 2.0, "_typeFilter": a type without a filter is exported whole."""
    monkeypatch.setattr(exporting, "PAGE", 2)
    await _people(node)
    async with node.client() as client:
        kicked = await client.get("$export", params={"_typeFilter": filters}, headers=ASYNC)
        found = await downloaded(client, (await node.finished(client, kicked)).json())
    assert {one.partition("/")[2] for one in found["output"]} == expected


async def test_a_type_filter_shows_nothing_through_what_its_client_may_not_see(node: Node) -> None:
    await keep(node, CITY, patient("zhang") | {"gender": "male"})
    await keep(node, COUNTY, patient("li") | {"gender": "male"})
    found = await node.exported("$export", CITY, _typeFilter="Patient?gender=male")
    assert found["output"] == ["Patient/zhang"]
    only_patients = replace(CITY, scopes=frozenset({"system/Patient.rs"}))
    async with node.client(only_patients) as client:
        through = {"_typeFilter": "Patient?_has:Observation:subject:code=x"}
        assert (await client.get("$export", params=through, headers=ASYNC)).status_code == 403


async def _people(node: Node) -> None:
    weight = observation("weight", "zhao") | {
        "code": {"coding": [{"system": "urn:x", "code": "w"}]}
    }
    await keep(
        node,
        MACHINE,
        patient("wang") | {"gender": "male", "birthDate": "1950"},
        patient("zhao") | {"gender": "female", "birthDate": "1940"},
        patient("sun") | {"gender": "female", "birthDate": "1960"},
        observation("pulse", "wang"),
        weight,
    )
