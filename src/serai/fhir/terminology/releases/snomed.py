"""SNOMED CT, from the folder a Release Format 2 package unpacks to.

`Snapshot/Terminology` holds tab-separated files: `sct2_Concept_Snapshot_*` (id, effectiveTime,
active, moduleId, definitionStatusId), `sct2_Description_Snapshot*` (…, conceptId, languageCode,
typeId, term, caseSignificanceId), one or several by language, and
`sct2_Relationship_Snapshot_*` (…, sourceId, destinationId, relationshipGroup, typeId, …), the
inferred view. An is-a relationship has the type 116680003; every other is a property.
`Snapshot/Refset/Content` may hold simple reference sets, `der2_Refset_*Snapshot*` (…, active,
moduleId, refsetId, referencedComponentId): each the value set `…sct?fhir_vs=refset/[refsetId]`
(R4 §4.3.13.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from serai.fhir.terminology.releases.listed import Listed, keep_listed
from serai.fhir.terminology.releases.loading import Bad, Loading, concept, loading
from serai.fhir.terminology.releases.tables import tab_separated
from serai.fhir.terminology.staging import Concept
from serai.kernel.errors import Invalid
from serai.platform.db import Database

URL = "http://snomed.info/sct"
IS_A = "116680003"
FULLY_SPECIFIED = "900000000000003001"
SYNONYM = "900000000000013009"
PRIMITIVE = "900000000000074008"

CONCEPT = ("id", "active", "moduleId", "definitionStatusId")
DESCRIPTION = ("active", "conceptId", "languageCode", "typeId", "term")
MEMBER = ("active", "refsetId", "referencedComponentId")
RELATIONSHIP = ("active", "sourceId", "destinationId", "typeId")


async def load_snomed(path: Path, *, db: Database, version: str) -> int:
    """How many concepts; `version` is SNOMED's URI or a plain one such as 20260101."""
    concepts = _files(path, "sct2_Concept_Snapshot")
    system = {"url": URL, "version": version, "name": "SNOMED_CT"}
    async with loading(db, system) as one:
        await one.concepts(each for file in concepts for each in _concepts(file, one.bad))
        for name, load in (("Description", _describe), ("Relationship", _relate)):
            for file in _files(path, f"sct2_{name}_Snapshot"):
                await load(one, file)
        # Read twice; a bad line is named once.
        bad = [Bad(), one.bad]
        await keep_listed(one.tx, URL, version, lambda: _members(path, bad.pop()))
    return one.total


def _files(path: Path, start: str) -> list[Path]:
    found = sorted(path.rglob(f"{start}*.txt"))
    if not found:
        raise Invalid("terminology.not-this-format", file=path.name, missing=[f"{start}*.txt"])
    return found


def _concepts(file: Path, bad: Bad) -> Iterator[Concept]:
    for line, row in tab_separated(file, CONCEPT, bad):
        if not row["id"].isdecimal():
            bad.add(file.name, line, "id")
            continue
        defined = row["definitionStatusId"] != PRIMITIVE
        facts = {"moduleId": row["moduleId"], "sufficientlyDefined": str(defined).lower()}
        yield replace(concept(row["id"], None, line, **facts), inactive=row["active"] != "1")


async def _describe(one: Loading, file: Path) -> None:
    """The English fully specified name is the display: it alone is never ambiguous."""
    await one.names(
        (row["conceptId"], row["term"], row["languageCode"], row["typeId"], _rank(row))
        for _, row in tab_separated(file, DESCRIPTION, one.bad)
        if row["active"] == "1"
    )


def _rank(row: dict[str, str]) -> int:
    return 10 * (row["languageCode"] != "en") + (row["typeId"] != FULLY_SPECIFIED)


async def _relate(one: Loading, file: Path) -> None:
    await one.edges(
        (row["sourceId"], row["destinationId"])
        for _, row in tab_separated(file, RELATIONSHIP, one.bad)
        if row["active"] == "1" and row["typeId"] == IS_A
    )
    await one.facts(
        (row["sourceId"], row["typeId"], row["destinationId"])
        for _, row in tab_separated(file, RELATIONSHIP, Bad())
        if row["active"] == "1" and row["typeId"] != IS_A
    )


def _members(path: Path, bad: Bad) -> Iterator[Listed]:
    for file in sorted(path.rglob("der2_Refset_*Snapshot*.txt")):
        for line, row in tab_separated(file, MEMBER, bad):
            if row["active"] == "1":
                url = f"{URL}?fhir_vs=refset/{row['refsetId']}"
                yield Listed(url, None, row["referencedComponentId"], None, line)
