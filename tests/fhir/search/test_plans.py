"""What a search costs: it starts from an index and touches few pages, whoever asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.fhir.resources import Data, doctor, observation, patient

from serai.fhir import body
from serai.fhir.search.parsing import parse
from serai.fhir.search.resolving import resolved
from serai.fhir.search.sql import page_statement
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import Actor, serai_itself
from serai.platform.db import Connection, Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNTY = doctor("county")
PATIENTS, VISITS, CODES = 60, 6, ("8867-4", "8480-6", "8310-5", "2339-0")

# Pages of 8 kB read for one search among 1,860 resources; a walk over all would read ten times
# as many.
MOST_PAGES = 220

NARROW = [
    "Patient?identifier=urn:mrn|7",
    "Patient?family=Fam7",
    "Observation?subject=Patient/p7&code=http://loinc.org|8867-4&date=ge2020&_count=100",
    "Observation?subject:Patient.identifier=urn:mrn|7&code=8867-4&date=ge2019",
    "Encounter?subject=Patient/p7&_include=Encounter:subject",
    "Patient?identifier=urn:mrn|7&_has:Observation:subject:code=8867-4",
    "Observation?subject=Patient/p7&_sort=-date&_count=10",
    "Observation?encounter.subject:Patient.identifier=urn:mrn|7",
    "Observation?subject:Patient.family=Fam7",
]


def ward() -> Iterator[Data]:
    for n in range(PATIENTS):
        yield patient(f"Fam{n}", id=f"p{n}", identifier=[{"system": "urn:mrn", "value": f"{n}"}])
        for visit in range(VISITS):
            day = f"{2019 + visit}-03-15"
            yield {
                "resourceType": "Encounter", "id": f"e{n}-{visit}", "status": "finished",
                "class": {"code": "AMB"}, "subject": {"reference": f"Patient/p{n}"},
            }  # fmt: skip
            for code in CODES:
                yield observation(
                    f"Patient/p{n}", code, id=f"o{n}-{visit}-{code}", effectiveDateTime=day,
                    encounter={"reference": f"Encounter/e{n}-{visit}"},
                )  # fmt: skip


async def plan(
    connection: Connection, address: str, actor: Actor, *, walk: bool = False
) -> dict[str, Any]:
    kind, _, query = address.partition("?")
    pairs = [(name, value) for name, _, value in (p.partition("=") for p in query.split("&"))]
    asked = await resolved(connection, parse(kind, pairs, now=NOON), actor)
    statement, values = page_statement(asked, actor, walk=walk)
    explained = await connection.execute(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values
    )
    row = await explained.fetchone()
    assert row
    found: dict[str, Any] = row[0][0]["Plan"]
    return found


def walked(node: dict[str, Any]) -> set[str]:
    """The tables that the plan reads from one end to the other."""
    own = {node["Relation Name"]} if node["Node Type"] == "Seq Scan" else set()
    return own.union(*(walked(child) for child in node.get("Plans", [])))


@pytest.mark.parametrize("analysed", [False, True], ids=["before ANALYZE", "after ANALYZE"])
async def test_a_narrow_search_reads_few_pages_and_no_whole_table(
    db: Database, store: FhirStore, analysed: bool
) -> None:
    resources = list(ward())
    for start in range(0, len(resources), 400):
        writes = [
            Write("PUT", one["resourceType"], one["id"], body.of(one))
            for one in resources[start : start + 400]
        ]
        async with db.transaction() as tx:
            await store.write(tx, writes, actor=COUNTY, now=NOON)
    async with db.connection() as connection:
        await connection.execute("ANALYZE" if analysed else "SELECT 1")
        for address in NARROW:
            for actor in (COUNTY, serai_itself, doctor("lead")):
                found = await plan(connection, address, actor)
                pages = found["Shared Hit Blocks"] + found["Shared Read Blocks"]
                # A table without rows, the shares here, has nothing that an index could save.
                assert walked(found) <= {"fhir_share", "consent_refusal", "consent_exception"}, (
                    address,
                    actor.name,
                )
                assert pages < MOST_PAGES, (address, actor.name, pages)


def test_the_same_question_about_another_patient_is_the_same_statement() -> None:
    """So that it is planned once; values travel beside it."""
    for address in NARROW:
        if "Patient.family" in address:
            continue
        texts = set()
        for wanted in ("7", "8"):
            kind, _, query = re.sub(r"7(?=&|$)", wanted, address).partition("?")
            pairs = [(n, v) for n, _, v in (p.partition("=") for p in query.split("&"))]
            texts.add(page_statement(parse(kind, pairs, now=NOON), COUNTY)[0])
        assert len(texts) == 1, address


async def test_a_page_of_namesakes_costs_the_same_however_many_there_are(
    db: Database, store: FhirStore
) -> None:
    async with db.transaction() as tx:
        writes = [
            Write("PUT", "Patient", f"p{n}", body.of(patient("Wang", id=f"p{n}")))
            for n in range(600)
        ]
        await store.write(tx, writes, actor=COUNTY, now=NOON)
    async with db.connection() as connection:
        await connection.execute("ANALYZE")
        for actor in (COUNTY, serai_itself):
            found = await plan(connection, "Patient?family=Wan&_count=10", actor)
            assert walked(found) <= {"fhir_share", "consent_refusal", "consent_exception"}
            # Of each of the eleven: its word, its row, its other words and its content.
            assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < 160, actor.name


def measured(n: int) -> Data:
    """A pulse from 60 to 99, a temperature in every eighth, one fever and one fast pulse."""
    if n % 8:
        code, value, unit = "8867-4", 150 if n == 1 else 60 + n % 40, "/min"
    else:
        code, value, unit = "8310-5", 40 if n == 8 else 37, "Cel"
    quantity = {"value": value, "system": "http://unitsofmeasure.org", "code": unit}
    return observation(None, code, id=f"o{n:04d}", valueQuantity=quantity)


async def test_a_search_by_measured_value_starts_from_the_few_or_stops_with_the_page(
    db: Database, store: FhirStore
) -> None:
    async with db.transaction() as tx:
        made = [measured(n) for n in range(2400)]
        writes = [Write("PUT", "Observation", one["id"], body.of(one)) for one in made]
        await store.write(tx, writes, actor=COUNTY, now=NOON)
    async with db.connection() as connection:
        await connection.execute("ANALYZE")
        for value, rows in (
            ("code-value-quantity=8867-4$gt115", 1),
            ("value-quantity=gt39|http://unitsofmeasure.org|Cel", 1),
            ("combo-value-quantity=gt39|http://unitsofmeasure.org|Cel", 1),
            ("code-value-quantity=8867-4$gt65", 11),
            ("value-quantity=lt90", 11),
        ):
            for actor in (COUNTY, serai_itself):
                found = await plan(connection, f"Observation?{value}&_count=10", actor)
                pages = found["Shared Hit Blocks"] + found["Shared Read Blocks"]
                assert found["Actual Rows"] == rows, value
                assert walked(found) <= {"fhir_share", "consent_refusal", "consent_exception"}, (
                    value,
                    actor.name,
                )
                assert pages < MOST_PAGES, (value, actor.name, pages)


async def test_the_first_page_of_everything_in_order_stops_when_it_is_full(
    db: Database, store: FhirStore
) -> None:
    async with db.transaction() as tx:
        made = [
            patient(f"Fam{n}", id=f"p{n:04d}", birthDate=f"{1900 + n % 90}") for n in range(2400)
        ]
        writes = [Write("PUT", "Patient", one["id"], body.of(one)) for one in made]
        await store.write(tx, writes, actor=COUNTY, now=NOON)
    async with db.connection() as connection:
        await connection.execute("ANALYZE")
        for order in ("birthdate", "-birthdate", "family", "-family", "-family,birthdate"):
            for actor in (COUNTY, serai_itself):
                asked = f"Patient?_sort={order}&_count=10"
                found = await plan(connection, asked, actor, walk=True)
                pages = found["Shared Hit Blocks"] + found["Shared Read Blocks"]
                assert found["Actual Rows"] == 11, order
                assert walked(found) <= {"fhir_share", "consent_refusal", "consent_exception"}, (
                    order,
                    actor.name,
                )
                assert pages < MOST_PAGES, (order, actor.name, pages)
