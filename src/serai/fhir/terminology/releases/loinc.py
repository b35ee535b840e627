"""LOINC, from the folder its release zip unpacks to.

`LoincTable/Loinc.csv` has one row per term: LOINC_NUM, the six axes COMPONENT, PROPERTY,
TIME_ASPCT, SYSTEM, SCALE_TYP, METHOD_TYP, then CLASS, STATUS (ACTIVE, TRIAL, DISCOURAGED,
DEPRECATED), SHORTNAME, LONG_COMMON_NAME and more.
`AccessoryFiles/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv` (until 2.72 in
`MultiAxialHierarchy`) has PATH_TO_ROOT, SEQUENCE, IMMEDIATE_PARENT, CODE, CODE_TEXT; its parents
are parts (LP…), which become concepts too.
`AccessoryFiles/AnswerFile/AnswerList.csv` lists the answers (LA…) of each answer list (LL…), the
value set `http://loinc.org/vs/LL…`; those defined elsewhere have no answers here, and stay unknown.
`LoincAnswerListLink.csv` beside it says which terms an answer list belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from serai.fhir.terminology.releases.listed import Listed, keep_listed
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
ANSWERS = ("AnswerListId", "AnswerListName", "AnswerStringId", "SequenceNumber", "DisplayText")
LINKS = ("LoincNumber", "AnswerListId")
INACTIVE = ("DEPRECATED", "DISCOURAGED")


async def load_loinc(path: Path, *, db: Database, version: str) -> int:
    """How many codes; `path` is Loinc.csv or the folder of the release."""
    table = _table(path)
    system = {"url": URL, "version": version, "name": "LOINC", "valueSet": f"{URL}/vs"}
    async with loading(db, system) as one:
        await one.concepts(_terms(table, one.bad))
        if tree := _beside(path, *TREES):
            await _place(one, tree)
        if answers := _beside(path, "AnswerList.csv"):
            await _answer(one, answers, version)
        if links := _beside(path, "LoincAnswerListLink.csv"):
            await one.facts(
                (row["LoincNumber"], "answer-list", row["AnswerListId"])
                for _, row in comma_separated(links, LINKS, one.bad)
            )
    return one.total


def _table(path: Path) -> Path:
    table = path if path.is_file() else next(path.rglob("Loinc.csv"), None)
    if table is None:
        raise Invalid("terminology.not-this-format", file=path.name, missing=["Loinc.csv"])
    return table


def _beside(path: Path, *names: str) -> Path | None:
    """Another file of the release, where `path` is its folder."""
    return next((found for name in names for found in path.rglob(name)), None)


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


async def _answer(one: Loading, file: Path, version: str) -> None:
    """An answer has a place in many lists, and is one concept."""
    texts: dict[str, str] = {}
    for _, row in comma_separated(file, ANSWERS, one.bad):
        if row["AnswerStringId"]:
            texts.setdefault(row["AnswerStringId"], row["DisplayText"])
    await one.concepts(
        concept(code, text, 2_000_000 + at) for at, (code, text) in enumerate(texts.items())
    )
    await keep_listed(one.tx, URL, version, lambda: _answers(file))


def _answers(file: Path) -> Iterator[Listed]:
    for line, row in comma_separated(file, ANSWERS, Bad()):
        if row["AnswerStringId"]:
            number = row["SequenceNumber"]
            yield Listed(
                f"{URL}/vs/{row['AnswerListId']}", row["AnswerListName"], row["AnswerStringId"],
                None, int(number) if number.isascii() and number.isdecimal() else line,
            )  # fmt: skip
