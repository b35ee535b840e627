"""HL7's own R4 code systems, value sets and concept maps, brought into the database once.

They ship as one line of JSON each (tools/make_terminology.py) and are read line by line. The
first question that meets something unknown brings them in; every later one finds them.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice

import msgspec

from serai.fhir.body import Data
from serai.fhir.terminology import artifacts, code_systems, concept_maps, staging, value_sets
from serai.fhir.terminology.artifacts import Artifact
from serai.platform.db import Connection

AT_ONCE = 100
# Any number does, as long as every Serai process takes the same one.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(7236240)"
IS_THERE = "SELECT EXISTS (SELECT FROM terminology_artifact WHERE origin = 'package')"


async def ensure(connection: Connection) -> bool:
    """Whether anything was brought in just now."""
    if await _is_there(connection):
        return False
    async with connection.transaction():
        await connection.execute(ONE_AT_A_TIME)
        if await _is_there(connection):
            return False
        await _load(connection)
        return True


async def _is_there(connection: Connection) -> bool:
    row = await (await connection.execute(IS_THERE)).fetchone()
    return bool(row and row[0])


async def _load(tx: Connection) -> None:
    """So many at a time that memory stays flat."""
    await staging.begin(tx)
    for batch in _batches():
        systems, sets, maps = [], [], []
        for data in batch:
            kind = data["resourceType"]
            if kind == "CodeSystem":
                systems.append((await artifacts.keep(tx, Artifact(kind, data, "package")), data))
            elif kind == "ValueSet":
                sets.append((await artifacts.keep(tx, value_sets.artifact(data, "package")), data))
            else:
                map_ = concept_maps.artifact(data, "package")
                maps.append((await artifacts.keep(tx, map_), data))
        await code_systems.stage(tx, systems)
        await value_sets.copy_members(tx, sets)
        await concept_maps.copy_mappings(tx, maps)
    await staging.finish(tx)
    await tx.execute(
        "ANALYZE terminology_artifact, terminology_concept, terminology_member, terminology_mapping"
    )


def _batches() -> Iterator[list[Data]]:
    lines = resources()
    while batch := list(islice(lines, AT_ONCE)):
        yield batch


def resources() -> Iterator[Data]:
    packed = files("serai.fhir.terminology").joinpath("r4.ndjson.gz")
    with packed.open("rb") as raw, gzip.open(raw) as lines:
        for line in lines:
            yield msgspec.json.decode(line)
