"""A store of any size for the growth curve: patients with 57 resources each, kept by 200
organisations.

The rows are those that the server itself would write (`serai.fhir.store.rows.make`), copied into
the tables by two processes; only the words of `_text` and `_content` are left out. Everything
about a patient follows from its number, so that each search has a known answer at any size.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Any
from uuid import UUID

import psycopg

from serai.fhir import body
from serai.fhir.store.rows import Row, make

ORGANISATIONS = 200
SAME_FAMILY = 15
ENCOUNTERS = 6
OBSERVATIONS = 48
CONDITIONS = 2
EACH = 1 + ENCOUNTERS + OBSERVATIONS + CONDITIONS
LOINC = "http://loinc.org"
CODES = ("8867-4", "8480-6", "8462-4", "8310-5", "29463-7", "2339-0", "2708-6", "9279-1")
MRN = "urn:serai:curve"
BEGAN = datetime(2019, 1, 1, tzinfo=UTC)
PROCESSES = 2
PATIENTS_AT_ONCE = 100
# From this factor on, building the indexes anew costs less than keeping them.
WORTH_BUILDING_ANEW = 4

Json = dict[str, Any]
TABLES = {
    "fhir_resource": "type,id,version,last_updated,method,owner,patients,keys,content",
    "fhir_string": "type,param,value,exact,id,held",
    "fhir_date": "type,param,low,high,id,held",
    "fhir_quantity": "type,param,low,high,measure,measured_low,measured_high,code,unit,held,id",
    "audit_event": "at,actor,actor_name,organisation,act,resource,version,patients,outcome",
}


def id_of(patient: int, place: int = 0) -> str:
    """A UUIDv7 as the server would have given it: place 0 is the Patient itself, then come the
    encounters, the observations and the conditions."""
    milliseconds = int((BEGAN.timestamp() + patient * 60) * 1000) + place
    random = int.from_bytes(blake2b(b"%d/%d" % (patient, place), digest_size=10).digest(), "big")
    value = (milliseconds << 80 | random) & ~(0xF << 76) | 0x7 << 76
    return str(UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


def observation_id(patient: int, number: int) -> str:
    return id_of(patient, 1 + ENCOUNTERS + number)


def organisation_id(number: int) -> str:
    return f"curve-{number % ORGANISATIONS:03d}"


def family(patient: int) -> str:
    return f"Bench{patient // SAME_FAMILY:06d}"


def a_patient(patient: int) -> Json:
    keeper = f"Organization/{organisation_id(patient)}"
    return {
        "resourceType": "Patient",
        "active": True,
        "identifier": [{"system": MRN, "value": f"MRN{patient}"}],
        "name": [{"family": family(patient), "given": ["Ana", f"M{patient % 97}"]}],
        "gender": ("female", "male")[patient % 2],
        "birthDate": f"{1930 + patient % 90}-{patient % 12 + 1:02d}-15",
        "telecom": [{"system": "phone", "value": f"+25470{patient:07d}"}],
        "address": [{"city": ("Nairobi", "Kisumu", "Arusha")[patient % 3], "country": "KE"}],
        "managingOrganization": {"reference": keeper},
    }


def an_encounter(patient: int, number: int) -> Json:
    day = f"{2019 + number % 6}-{patient % 12 + 1:02d}-{number + 10}"
    act_code = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": act_code, "code": "AMB"},
        "subject": {"reference": f"Patient/{id_of(patient)}"},
        "period": {"start": f"{day}T09:00:00Z", "end": f"{day}T09:30:00Z"},
    }


def an_observation(patient: int, number: int) -> Json:
    """Eight codes, each once in every year from 2019 to 2024."""
    categories = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": categories, "code": "vital-signs"}]}],
        "code": {"coding": [{"system": LOINC, "code": CODES[number % 8]}]},
        "subject": {"reference": f"Patient/{id_of(patient)}"},
        "encounter": {"reference": f"Encounter/{id_of(patient, 1 + number // 8)}"},
        "effectiveDateTime": f"{2019 + number // 8}-{patient % 12 + 1:02d}-{number % 28 + 1:02d}"
        "T09:10:00Z",
        "valueQuantity": {
            "value": 60 + (patient + number) % 400 / 10,
            "unit": "/min",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
    }


def a_condition(patient: int, number: int) -> Json:
    status = "http://terminology.hl7.org/CodeSystem/condition-clinical"
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": status, "code": "active"}]},
        "code": {"coding": [{"system": "urn:curve:codes", "code": f"c{(patient + number) % 40}"}]},
        "subject": {"reference": f"Patient/{id_of(patient)}"},
        "onsetDateTime": f"{2015 + patient % 9}-06-{number + 1:02d}",
    }


def record(patient: int) -> Iterator[tuple[int, Json, str]]:
    """Place, resource and owner of everything about a patient. What belongs to the last encounter
    was written by another organisation than the one that keeps the patient."""
    keeper, guest = organisation_id(patient), organisation_id(patient + 1)
    yield 0, a_patient(patient), keeper
    for number in range(ENCOUNTERS):
        owner = guest if number == ENCOUNTERS - 1 else keeper
        yield 1 + number, an_encounter(patient, number), owner
    for number in range(OBSERVATIONS):
        owner = guest if number // 8 == ENCOUNTERS - 1 else keeper
        yield 1 + ENCOUNTERS + number, an_observation(patient, number), owner
    for number in range(CONDITIONS):
        yield 1 + ENCOUNTERS + OBSERVATIONS + number, a_condition(patient, number), keeper


def grow(url: str, base: str, before: int, after: int) -> None:
    """From `before` to `after` patients."""
    anew = after >= WORTH_BUILDING_ANEW * before
    with psycopg.connect(url, autocommit=True) as connection:
        indexes = _without_indexes(connection) if anew else []
        portions = [
            range(first, min(first + PATIENTS_AT_ONCE, after))
            for first in range(before, after, PATIENTS_AT_ONCE)
        ]
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            for _ in pool.imap_unordered(partial(_copy, url, base), portions):
                pass
        connection.execute("SET maintenance_work_mem = '1GB'")
        for index in indexes:
            connection.execute(index)


def _without_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Drops what no constraint needs; returns the statements that make it again."""
    found = connection.execute(
        """SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY (%s)
           AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)""",
        [list(TABLES)],
    ).fetchall()
    for name, _ in found:
        connection.execute(psycopg.sql.SQL("DROP INDEX {}").format(psycopg.sql.Identifier(name)))
    return [definition for _, definition in found]


def _copy(url: str, base: str, patients: Iterable[int]) -> None:
    lines: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
    for patient in patients:
        for place, resource, owner in record(patient):
            row = make(
                body.of(resource), id=id_of(patient, place), version=1, method="POST", owner=owner,
                at=BEGAN + timedelta(minutes=patient, milliseconds=place), base=base,
            )  # fmt: skip
            _add(lines, row)
    with psycopg.connect(url) as connection:
        connection.execute("SET synchronous_commit TO off")
        for table, columns in TABLES.items():
            statement = f"COPY {table} ({columns}) FROM STDIN"
            with connection.cursor().copy(statement) as copy:
                for line in lines[table]:
                    copy.write_row(line)


def _add(lines: dict[str, list[tuple[Any, ...]]], row: Row) -> None:
    stored = row.stored
    about = _array(row.patients)
    head = (stored.type, stored.id, 1, stored.last_updated, stored.method, stored.owner, about)
    lines["fhir_resource"].append((*head, _array(row.keys), stored.content))
    lines["fhir_string"] += [
        (stored.type, param, value, exact, stored.id, _array(held))
        for param, value, exact, held in row.strings
    ]
    lines["fhir_date"] += [
        (stored.type, param, low, high, stored.id, _array(held))
        for param, low, high, held in row.dates
    ]
    lines["fhir_quantity"] += [
        (stored.type, one.param, one.low, one.high, one.measure, one.measured_low,
         one.measured_high, one.code, one.unit, _array(one.held), stored.id)
        for one in row.quantities
    ]  # fmt: skip
    lines["audit_event"].append(
        (stored.last_updated, "import", "serai import", stored.owner, "fhir.create",
         stored.reference, 1, about, "success")
    )  # fmt: skip


def _array(values: Iterable[object] | None) -> str | None:
    """Ids and numbers need no quotes in an array."""
    return None if values is None else f"{{{','.join(map(str, values))}}}"
