"""LOINC, from the folder its release zip unpacks to.

`LoincTable/Loinc.csv` has one row per term: LOINC_NUM, the six axes COMPONENT, PROPERTY,
TIME_ASPCT, SYSTEM, SCALE_TYP, METHOD_TYP, then CLASS, STATUS (ACTIVE, TRIAL, DISCOURAGED,
DEPRECATED), SHORTNAME, LONG_COMMON_NAME and more.
`AccessoryFiles/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv` (until 2.72 in
`MultiAxialHierarchy`) has PATH_TO_ROOT, SEQUENCE, IMMEDIATE_PARENT, CODE, CODE_TEXT; its parents
are parts (LP…), which become concepts too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from serai.fhir.terminology.releases.loading import Bad, Loading, concept, loading
from serai.fhir.terminology.releases.tables import comma_separated
from serai.fhir.terminology.staging import Concept
from serai.kernel.errors import Invalid
from serai.platform.db import Database

URL = "http://loinc.org"
AXES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS")
COLUMNS = ("LOINC_NUM", *AXES, "STATUS", "SHORTNAME", "LONG_COMMON_NAME")
TREE = ("IMMEDIATE_PARENT", "CODE", "CODE_TEXT")
TREES = ("ComponentHierarchyBySystem.csv", "MultiAxialHierarchy.csv")
INACTIVE = ("DEPRECATED", "DISCOURAGED")


async def load_loinc(path: Path, *, db: Database, version: str) -> int:
    """How many codes; `path` is Loinc.csv or the folder of the release."""
    table, tree = _files(path)
    system = {"url": URL, "version": version, "name": "LOINC", "valueSet": f"{URL}/vs"}
    async with loading(db, system) as one:
        await one.concepts(_terms(table, one.bad))
        if tree is not None:
            await _place(one, tree)
    return one.total


def _files(path: Path) -> tuple[Path, Path | None]:
    if path.is_file():
        return path, None
    table = next(path.rglob("Loinc.csv"), None)
    if table is None:
        raise Invalid("terminology.not-this-format", file=path.name, missing=["Loinc.csv"])
    return table, next((found for name in TREES for found in path.rglob(name)), None)


def _terms(table: Path, bad: Bad) -> Iterator[Concept]:
    for line, row in comma_separated(table, COLUMNS, bad):
        if not row["LOINC_NUM"]:
            bad.add(table.name, line, "LOINC_NUM")
            continue
        facts = {name: row[name] for name in (*AXES, "STATUS")}
        made = concept(
            row["LOINC_NUM"], row["LONG_COMMON_NAME"] or row["SHORTNAME"], line,
            row["SHORTNAME"], row["COMPONENT"], **facts,
        )  # fmt: skip
        yield replace(made, inactive=row["STATUS"] in INACTIVE)


async def _place(one: Loading, tree: Path) -> None:
    """Parts first: a part has many places in the tree, and is one concept."""
    parts: dict[str, str] = {}
    for _, row in comma_separated(tree, TREE, one.bad):
        if row["CODE"].startswith("LP"):
            parts.setdefault(row["CODE"], row["CODE_TEXT"])
    await one.concepts(
        concept(code, text, 1_000_000 + at) for at, (code, text) in enumerate(parts.items())
    )
    await one.edges(
        (row["CODE"], row["IMMEDIATE_PARENT"])
        for _, row in comma_separated(tree, TREE, Bad())
        if row["IMMEDIATE_PARENT"]
    )
