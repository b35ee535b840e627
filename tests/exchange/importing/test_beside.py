"""Large NDJSON files are prepared by processes beside the import, with the same outcome."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.exchange.importing.a_node import Node, bundle, patient, posted, pulse, write

from serai.exchange.importing import records
from serai.exchange.importing.beside import Beside
from serai.fhir.body import encode
from serai.fhir.search import own
from serai.fhir.store.parameters import Watch
from serai.kernel.actor import serai_itself
from serai.platform.db import Connection

ROWS = """SELECT count(*) FROM fhir_resource r JOIN audit_event a
          ON a.resource = r.type || '/' || r.id AND a.version = r.version
          WHERE a.patients = r.patients"""


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "WORTH_IT", 0)


async def test_every_line_goes_in_once_with_its_audit_line(node: Node, folder: Path) -> None:
    readings = [pulse(f"Patient/p{number % 9}", number) for number in range(1200)]
    write(folder / "1.ndjson", *(patient(f"p{number}") for number in range(9)))
    write(folder / "2.ndjson", *readings)
    tally = await node.take(folder)
    assert not tally.refusals
    assert tally.resources.created == 1209
    assert await node.count(ROWS) == 1209
    found = await _rates_of(node, "Patient/p4")
    assert found == {number for number in range(1200) if number % 9 == 4}
    assert (await node.take(folder)).done == 0


async def test_what_is_refused_is_named_and_holds_up_nothing(node: Node, folder: Path) -> None:
    readings = [pulse("Patient/p1", number) for number in range(700)]
    readings[650]["satus"] = "final"
    write(folder / "1.ndjson", patient("p1"), *readings)
    with (folder / "1.ndjson").open("a") as file:
        file.write("\n\n{}\n")
    tally = await node.take(folder)
    assert {(one.place, one.key) for one in tally.refusals.values()} == {
        ("line 652", "fhir.invalid"),
        ("line 703", "fhir.no-resource-type"),
    }
    assert tally.resources.created == 700
    assert await node.resources("Observation") == 699


async def test_a_resource_that_is_there_gets_its_next_version(node: Node, folder: Path) -> None:
    write(folder / "1.ndjson", patient("p1", gender="male"), patient("p2"))
    await node.take(folder)
    write(folder / "2.ndjson", patient("p1", gender="female"), patient("p3"))
    tally = await node.take(folder)
    assert (tally.resources.created, tally.resources.updated) == (1, 1)
    async with node.db.connection() as connection:
        one = await node.fhir.read(connection, "Patient", "p1", actor=serai_itself)
    assert (one.version, one.data["gender"]) == (2, "female")
    assert one.data["meta"]["versionId"] == "2"


async def test_lines_with_bundles_keep_their_own_rules(node: Node, folder: Path) -> None:
    seen = bundle(
        "transaction", posted(patient(), "urn:uuid:a"), posted(pulse("urn:uuid:a"), "urn:uuid:b")
    )
    write(folder / "1.ndjson", patient("p1"), seen, pulse("Patient/p1"))
    tally = await node.take(folder)
    assert not tally.refusals
    assert tally.resources.created == 4


async def test_a_patient_without_custodian_gets_the_one_of_the_import(
    node: Node, folder: Path
) -> None:
    write(folder / "0.json", {"resourceType": "Organization", "id": "clinic", "name": "Clinic"})
    await node.take(folder)
    write(folder / "1.ndjson", patient("p1"), pulse("Patient/p1"))
    tally = await node.take(folder, organisation="clinic")
    assert not tally.refusals
    owned = "SELECT count(*) FROM fhir_resource WHERE owner = 'clinic'"
    assert await node.count(owned) == 2


async def test_without_its_processes_an_import_looks_at_the_lines_itself() -> None:
    line = encode(patient("p1"))
    async with Beside("") as beside:
        await beside.start()
        (made,) = await beside.prepare([line])
        assert made is not None
        assert made.id == "p1"
        for process in beside._processes:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
        assert await beside.prepare([line, line]) == [None, None]


async def _rates_of(node: Node, subject: str) -> set[int]:
    async with node.db.connection() as connection:
        found = await node.fhir.find(
            connection, "Observation", ("subject", subject), actor=serai_itself
        )
    return {one["valueQuantity"]["value"] for one in found}


@pytest.fixture
def alone(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of other tests in this process look into databases of their own, once a second;
    a process of ours has one database, and one set of parameters."""
    look = Watch.look

    async def look_here(watch: Watch, connection: Connection) -> None:
        async with node.db.connection() as own_connection:
            if connection.info.dbname == own_connection.info.dbname:
                await look(watch, connection)

    monkeypatch.setattr(Watch, "look", look_here)


@pytest.mark.usefixtures("alone")
async def test_a_parameter_kept_here_finds_what_was_prepared_without_knowing_it(
    node: Node, folder: Path
) -> None:
    blood = "http://serai.test/blood-group"
    own_parameter = {
        "resourceType": "SearchParameter",
        "id": "own",
        "url": "http://serai.test/own",
        "name": "own",
        "status": "active",
        "description": "Blood group",
        "code": "blood-group",
        "base": ["Patient"],
        "type": "token",
        "expression": f"Patient.extension.where(url='{blood}').value",
    }
    write(folder / "1.ndjson", own_parameter)
    await node.take(folder)
    group = [{"url": blood, "valueCode": "AB"}]
    write(folder / "2.ndjson", patient("p1", extension=group), patient("p2"))
    try:
        await node.take(folder)
        async with node.db.connection() as connection:
            await node.fhir.parameters.look(connection)
            found = await node.fhir.find(
                connection, "Patient", ("blood-group", "AB"), actor=serai_itself
            )
    finally:
        own.take(())
        Watch.version = None
    assert [one["id"] for one in found] == ["p1"]
