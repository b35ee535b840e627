"""Boil HL7's FHIR R4 (4.0.1) definitions down to the one small file the server ships.

Reads the npm package hl7.fhir.r4.examples (HL7's own, CC0; it carries every base
StructureDefinition, SearchParameter, ValueSet and CodeSystem as published) and writes
src/serai/fhir/definitions/r4.json.gz. The same input always gives the same content.

    .venv/bin/python tools/make_definitions.py [--source FOLDER] [--target FILE]
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "node_modules" / "hl7.fhir.r4.examples"
TARGET = ROOT / "src" / "serai" / "fhir" / "definitions" / "r4.json.gz"
FHIR_VERSION = "4.0.1"
STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
SYSTEM_TYPE = "http://hl7.org/fhirpath/System."

# HL7's package also carries parameters of extension profiles and teaching examples.
FOREIGN_PARAMETERS = ("-extensions-", "-genetic-", "example", "filter")

COMPARTMENTS = ("Device", "Encounter", "Patient", "Practitioner", "RelatedPerson")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--source", type=Path, default=SOURCE)
    arguments.add_argument("--target", type=Path, default=TARGET)
    chosen = arguments.parse_args()
    content = as_bytes(definitions(chosen.source))
    chosen.target.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
    print(f"{chosen.target}: {chosen.target.stat().st_size:,} bytes ({len(content):,} unpacked)")


def as_bytes(content: Json) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def definitions(source: Path) -> Json:
    """Everything the server needs to know of R4, in plain JSON."""
    structures = {one["id"]: one for one in base_structures(source)}
    types = {name: type_entry(one) for name, one in structures.items() if is_kept(one)}
    wanted = {row[4] for entry in types.values() for row in entry["elements"] if row[4]}
    expansions = Expansions(source)
    return {
        "version": FHIR_VERSION,
        "types": types,
        "search": search_parameters(source),
        "compartments": {name: compartment(source, name) for name in COMPARTMENTS},
        "summaries": {
            name: summary(structures[name])
            for name, entry in types.items()
            if entry["kind"] == "resource"
        },
        "value_sets": {url: expansions.value_set(url) for url in sorted(wanted)},
    }


def load(source: Path, kind: str) -> Iterator[Json]:
    for path in sorted(source.glob(f"{kind}-*.json")):
        resource: Json = json.loads(path.read_text(encoding="utf-8"))
        if resource["resourceType"] == kind:
            yield resource


def base_structures(source: Path) -> Iterator[Json]:
    for one in load(source, "StructureDefinition"):
        own = one["url"] == STRUCTURE + one["id"] and one.get("version") == FHIR_VERSION
        if own and one["kind"] != "logical" and (is_specialisation(one) or is_quantity(one)):
            yield one


def is_specialisation(structure: Json) -> bool:
    return bool(structure.get("derivation", "specialization") == "specialization")


def is_quantity(structure: Json) -> bool:
    """SimpleQuantity and MoneyQuantity: profiles that base elements ask for by name."""
    return structure["id"] in {"SimpleQuantity", "MoneyQuantity"}


def is_kept(structure: Json) -> bool:
    """Element is abstract, yet it is what a primitive's ``_name`` twin consists of."""
    if structure["id"] == "Element":
        return True
    return structure["kind"] != "primitive-type" and not structure["abstract"]


def type_entry(structure: Json) -> Json:
    elements = structure["snapshot"]["element"]
    root = elements[0]["path"]
    return {
        "kind": structure["kind"],
        "elements": [element_row(one, root) for one in elements[1:] if not is_slice(one)],
    }


def summary(structure: Json) -> list[str]:
    """The paths that `_summary=true` shows."""
    elements = structure["snapshot"]["element"]
    root = elements[0]["path"]
    return [
        one["path"].removeprefix(root + ".").removesuffix("[x]")
        for one in elements[1:]
        if one.get("isSummary") and not is_slice(one)
    ]


def is_slice(element: Json) -> bool:
    return "sliceName" in element


def element_row(element: Json, root: str) -> list[Any]:
    """[path below the type, min, max, types, required value set, content reference]"""
    binding = element.get("binding", {})
    required = binding.get("valueSet", "") if binding.get("strength") == "required" else ""
    path = element["path"].removeprefix(root + ".")
    return [
        path,
        element["min"],
        element["max"],
        [type_word(one, element) for one in element.get("type", [])],
        required.split("|")[0],
        element.get("contentReference", "").removeprefix(f"#{root}."),
    ]


def type_word(kind: Json, element: Json) -> str:
    """``string``, ``Reference(Group|Patient)`` or ``Quantity=SimpleQuantity``"""
    code: str = kind["code"]
    if code.startswith(SYSTEM_TYPE):
        return system_word(kind, element)
    if profiles := kind.get("profile"):
        return f"{code}={profiles[0].removeprefix(STRUCTURE)}"
    if targets := kind.get("targetProfile"):
        return f"{code}({'|'.join(sorted(one.removeprefix(STRUCTURE) for one in targets))})"
    return code


def system_word(kind: Json, element: Json) -> str:
    """R4 calls Resource.id a string by mistake; the text and every client say it is an id."""
    if element["base"]["path"] == "Resource.id":
        return "id"
    word: str = kind["extension"][0]["valueUrl"]
    return word


def search_parameters(source: Path) -> list[list[Any]]:
    """[code, type, expression, bases, targets, url, components], by url"""
    rows = [
        [
            one["code"],
            one["type"],
            one.get("expression", ""),
            sorted(one["base"]),
            sorted(one.get("target", [])),
            one["url"],
            components(one),
        ]
        for one in load(source, "SearchParameter")
        if one.get("version") == FHIR_VERSION and not is_foreign(one)
    ]
    return sorted(rows, key=lambda row: str(row[5]))


def components(parameter: Json) -> list[list[str]]:
    """[definition, expression] of each part, without HL7's two slips: the parts of `relationship`
    are the wrong way round, and of code-value-date the type is written DateTime."""
    rows = [
        [one["definition"], one["expression"].replace("as(DateTime)", "as(dateTime)")]
        for one in parameter.get("component", [])
    ]
    if parameter["id"] == "DocumentReference-relationship":
        (first, code), (second, target) = rows
        return [[first, target], [second, code]]
    return rows


def is_foreign(parameter: Json) -> bool:
    identifier: str = parameter["id"]
    return any(word in identifier for word in FOREIGN_PARAMETERS)


def compartment(source: Path, name: str) -> dict[str, list[str]]:
    file = f"CompartmentDefinition-{name[0].lower()}{name[1:]}.json"
    text = (source / file).read_text(encoding="utf-8")
    listed = json.loads(text)["resource"]
    return {one["code"]: sorted(one["param"]) for one in listed if one.get("param")}


class NotEnumerable(Exception):
    """The value set draws on a code system that HL7 does not list in full."""


class Expansions:
    """Value sets written out as {system: [codes]}, where every code can be known."""

    def __init__(self, source: Path) -> None:
        self._value_sets = {one["url"]: one for one in load(source, "ValueSet") if "url" in one}
        self._systems = {one["url"]: one for one in load(source, "CodeSystem") if "url" in one}

    def value_set(self, url: str) -> dict[str, list[str]] | None:
        try:
            codes = self._expand(url)
        except NotEnumerable:
            return None
        return {system: sorted(found) for system, found in sorted(codes.items())}

    def _expand(self, url: str) -> dict[str, set[str]]:
        if url not in self._value_sets:
            raise NotEnumerable(url)
        compose = self._value_sets[url].get("compose", {})
        found: dict[str, set[str]] = {}
        for rule in compose.get("include", []):
            for system, codes in self._rule(rule).items():
                found.setdefault(system, set()).update(codes)
        for rule in compose.get("exclude", []):
            for system, codes in self._rule(rule).items():
                found.setdefault(system, set()).difference_update(codes)
        if not any(found.values()):
            raise NotEnumerable(url)
        return found

    def _rule(self, rule: Json) -> dict[str, set[str]]:
        """One include or exclude: its codes, narrowed by the value sets it names."""
        imported = [self._expand(url.split("|")[0]) for url in rule.get("valueSet", [])]
        found = {rule["system"]: self._codes(rule)} if "system" in rule else imported.pop()
        for other in imported:
            found = {system: codes & other.get(system, set()) for system, codes in found.items()}
        return found

    def _codes(self, rule: Json) -> set[str]:
        if "concept" in rule:
            return {one["code"] for one in rule["concept"]}
        system = self._systems.get(rule["system"])
        if system is None or system.get("content") != "complete":
            raise NotEnumerable(rule["system"])
        codes = {code for code, _ in walk(system.get("concept", []), ())}
        for condition in rule.get("filter", []):
            codes &= filtered(system, condition)
        return codes


def walk(concepts: list[Json], above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every code with all that it stands under."""
    for one in concepts:
        yield one["code"], above
        yield from walk(one.get("concept", []), (*above, one["code"]))


def filtered(system: Json, condition: Json) -> set[str]:
    operator, value = condition["op"], condition["value"]
    if operator not in {"is-a", "descendent-of"} or condition["property"] != "concept":
        raise NotEnumerable(system["url"])
    below = {code for code, above in walk(system["concept"], ()) if value in above}
    return below | {value} if operator == "is-a" else below


if __name__ == "__main__":
    main()
