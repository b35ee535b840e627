"""ICD-10: WHO's ClaML XML, the ICD-10-CM order file, or a plain table.

ClaML (EN 14463) has `Class` elements with `code` and `kind` (chapter, block, category), each with
`SuperClass code=…` and a `Rubric kind="preferred"` whose `Label` is the display.
The order file is in fixed columns: 1-5 order number, 7-13 code without its point, 15 whether it
is valid for billing (1) or a header (0), 17-76 short and 78 on long description.
A plain table is UTF-8 CSV with the columns code, display and parent (GB/T 14396 and others).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, iterparse

from serai.fhir.terminology.releases.loading import Bad, concept, loading
from serai.fhir.terminology.releases.tables import comma_separated
from serai.fhir.terminology.staging import Concept
from serai.kernel.errors import Invalid
from serai.platform.db import Database

WHO = "http://hl7.org/fhir/sid/icd-10"
US = "http://hl7.org/fhir/sid/icd-10-cm"
COLUMNS = ("code", "display", "parent")
CATEGORY = 3

# Concepts, each with the code above it.
Reader = Callable[[Path, Bad], Iterator[tuple[Concept, str | None]]]


async def load_icd10(path: Path, *, db: Database, version: str) -> int:
    """How many codes; .xml is ClaML, .txt the ICD-10-CM order file."""
    kinds = {".xml": (WHO, _claml), ".txt": (US, _order)}
    if path.suffix.lower() not in kinds:
        raise Invalid("terminology.not-this-format", file=path.name, missing=[".xml", ".txt"])
    url, read = kinds[path.suffix.lower()]
    return await _load(path, read, {"url": url, "version": version, "name": "ICD_10"}, db)


async def load_table(path: Path, *, db: Database, url: str, version: str, name: str) -> int:
    """How many codes of a plain code,display,parent table."""
    return await _load(path, _table, {"url": url, "version": version, "name": name}, db)


async def _load(path: Path, read: Reader, system: dict[str, str], db: Database) -> int:
    async with loading(db, {**system, "hierarchyMeaning": "is-a"}) as one:
        await one.concepts(each for each, _ in read(path, one.bad))
        await one.edges((each.code, up) for each, up in read(path, Bad()) if up)
    return one.total


def _claml(path: Path, bad: Bad) -> Iterator[tuple[Concept, str | None]]:
    """Element by element; a document type definition with entities is refused."""
    with path.open("rb") as raw:
        if b"<!ENTITY" in raw.read(65_536):
            raise Invalid("terminology.not-this-format", file=path.name, missing=["ClaML"])
        raw.seek(0)
        try:
            found = (each for _, each in iterparse(raw) if each.tag == "Class")  # noqa: S314
            for position, each in enumerate(found):
                code, display = each.get("code"), _label(each)
                if not code or not display:
                    bad.add(path.name, position + 1, "Class")
                else:
                    above = each.find("SuperClass")
                    made = concept(code, display, position, kind=each.get("kind", ""))
                    yield made, above.get("code") if above is not None else None
                each.clear()
        except ParseError as error:
            raise Invalid("terminology.not-this-format", file=path.name, missing=["XML"]) from error


def _label(found: Element) -> str | None:
    for rubric in found.iter("Rubric"):
        if rubric.get("kind") == "preferred":
            return " ".join(" ".join(rubric.itertext()).split()) or None
    return None


def _order(path: Path, bad: Bad) -> Iterator[tuple[Concept, str | None]]:
    """A code stands below the longest header that it starts with."""
    headers: list[str] = []
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            code, kind, display = line[6:13].strip(), line[14:15], line[77:].strip()
            if not code or kind not in ("0", "1") or not display:
                bad.add(path.name, number, "columns")
                continue
            headers = [one for one in headers if code.startswith(one) and code != one]
            above = headers[-1] if headers else None
            if kind == "0":
                headers.append(code)
            made = concept(_pointed(code), display, number, line[16:76].strip())
            yield replace(made, abstract=kind == "0"), _pointed(above) if above else None


def _pointed(code: str) -> str:
    return code if len(code) <= CATEGORY else f"{code[:CATEGORY]}.{code[CATEGORY:]}"


def _table(path: Path, bad: Bad) -> Iterator[tuple[Concept, str | None]]:
    for line, row in comma_separated(path, COLUMNS, bad):
        code = row["code"].strip()
        if not code:
            bad.add(path.name, line, "code")
            continue
        yield concept(code, row["display"].strip() or None, line), row["parent"].strip() or None
