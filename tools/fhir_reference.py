"""Writes docs/reference/fhir.md from the tables that drive the FHIR server.

.venv/bin/python tools/fhir_reference.py
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from serai.fhir.definitions import FHIR_VERSION, RESOURCE_TYPES
from serai.fhir.http.capabilities import statement
from serai.fhir.interaction.table import TABLE
from serai.fhir.messages import MESSAGES
from serai.fhir.operations.catalogue import OPERATIONS
from serai.fhir.outcome import BY_ERROR
from serai.fhir.search.criteria import honoured
from serai.fhir.search.parsing import FORM_PARAMETERS, RESULT_PARAMETERS

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "fhir.md"

ADDRESSES = {
    "instance": "[type]/[id]",
    "version": "[type]/[id]/_history/[vid]",
    "instance-history": "[type]/[id]/_history",
    "type": "[type]",
    "type-search": "[type]/_search",
    "type-history": "[type]/_history",
    "system": "",
    "system-search": "_search",
    "system-history": "_history",
    "compartment": "[type]/[id]/[type]",
    "compartment-search": "[type]/[id]/[type]/_search",
}


def page() -> str:
    return "\n".join(
        [
            "# FHIR reference",
            "",
            "Made by `make docs` from the code that serves; a test compares. The server says the"
            f" same of itself at `/fhir/metadata`. FHIR {FHIR_VERSION}, JSON,"
            f" {len(RESOURCE_TYPES)} resource types.",
            "",
            "## Interactions",
            "",
            *_table(("method", "address", "interaction"), _interactions()),
            "",
            "HEAD answers wherever GET does. A Bundle of type batch or transaction is posted to the"
            " base address.",
            "",
            "## Conditions, versions, references",
            "",
            *_table(("CapabilityStatement says", "value"), _promises()),
            "",
            "A PUT always makes a version, a repeated conditional create none. Deleting what"
            " others still refer to is 409, unless only AuditEvent or Provenance does.",
            "",
            "## Search parameters",
            "",
            *_table(("type", "parameters", "for example"), _parameter_types()),
            "",
            f"Of the result: {_words(RESULT_PARAMETERS)}. Of the form: {_words(FORM_PARAMETERS)}.",
            "An unknown parameter is refused with 400; `Prefer: handling=lenient` leaves it out"
            " and says so.",
            "",
            "## Operations",
            "",
            *_operations(),
            "",
            "## Refusals",
            "",
            *_table(("status", "issue code", "error"), _statuses()),
            "",
            *_table(("details.coding.code", "sentence"), _messages()),
            "",
        ]
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    titles = list(head)
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _interactions() -> Iterator[tuple[str, ...]]:
    for (method, where), one in TABLE.items():
        name = one.handler.__name__.replace("_", " ")
        yield method, f"`/{ADDRESSES.get(where, where)}`", one.code or name


def _promises() -> Iterator[tuple[str, ...]]:
    said = json.loads(statement("/fhir"))
    yield "patchFormat", _words(said.get("patchFormat", ()))
    patient = next(one for one in said["rest"][0]["resource"] if one["type"] == "Patient")
    for name, value in sorted(patient.items()):
        if isinstance(value, str | bool) and name != "type":
            yield name, f"`{json.dumps(value).strip(chr(34))}`"
    yield "referencePolicy", _words(patient.get("referencePolicy", ()))


def _parameter_types() -> Iterator[tuple[str, ...]]:
    found = [
        (one.type, f"{kind}?{code}")
        for kind in sorted(RESOURCE_TYPES)
        for code, one in sorted(honoured(kind).items())
    ]
    first = dict(reversed(found))
    for kind, count in sorted(Counter(kind for kind, _ in found).items()):
        yield kind, str(count), f"`{first[kind]}`"


def _operations() -> Iterator[str]:
    if not OPERATIONS:
        yield "None yet."
        return
    yield from _table(
        ("operation", "levels", "types", "method", "definition"),
        (
            (
                f"`${one.name}`",
                ", ".join(sorted(one.levels)),
                ", ".join(sorted(one.types)) or "any",
                "POST" if one.writes else "GET, POST",
                one.definition,
            )
            for one in sorted(OPERATIONS, key=lambda one: one.name)
        ),
    )


def _statuses() -> Iterator[tuple[str, ...]]:
    for kind, (status, code) in BY_ERROR.items():
        yield str(status), code, (kind.__doc__ or kind.__name__).partition("\n")[0]


def _messages() -> Iterator[tuple[str, ...]]:
    for key, sentence in sorted(MESSAGES.items()):
        yield f"`{key}`", sentence


def _words(names: Iterable[str]) -> str:
    listed = sorted(names) if isinstance(names, frozenset | set) else list(names)
    return ", ".join(f"`{name}`" for name in listed)


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE} is written")
