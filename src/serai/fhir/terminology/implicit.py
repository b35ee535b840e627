"""Value sets that a code system's own URL scheme defines (SNOMED CT R4 §4.3.13.1, LOINC §4.3.13.3).

`http://snomed.info/sct?fhir_vs`, `…?fhir_vs=isa/[code]`, `…?fhir_vs=ecl/[expression]` for a
single focus concept with one of the ECL operators, and `http://loinc.org/vs`, of which the
answer lists (LL…) come with the release and are stored, and the parts (LP…) are hierarchies.
SNOMED CT's `…?fhir_vs=refset/[id]` comes with the release and is stored too.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from serai.fhir.body import Data

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"

_SNOMED = re.compile(
    r"http://snomed\.info/sct(?:/[0-9]+(?:/version/[0-9]+)?)?\?fhir_vs(?:=(isa|ecl)/(.+))?"
)
_ECL = re.compile(r"\s*(<<!?|<|>>|>|)\s*(?:(\*)|([0-9]{6,18}))\s*(?:\|[^|]*\|)?\s*")
_OPERATORS = {"<<": "is-a", "<": "descendent-of", ">>": "generalizes", "": "="}


def implicit_rules(canonical: str) -> Data | None:
    """Compose rules, or None for a URL that is none of these."""
    if canonical == f"{LOINC}/vs":
        return _including({"system": LOINC})
    if canonical.startswith(f"{LOINC}/vs/LP"):
        return _including(_filtered(LOINC, "is-a", canonical.removeprefix(f"{LOINC}/vs/")))
    match = _SNOMED.fullmatch(canonical)
    if match is None:
        return None
    kind, rest = match.groups()
    if kind is None:
        return _including({"system": SNOMED})
    return _isa(rest) if kind == "isa" else _ecl(unquote(rest))


def _isa(code: str) -> Data | None:
    return _including(_filtered(SNOMED, "is-a", code)) if code.isdecimal() else None


def _ecl(expression: str) -> Data | None:
    match = _ECL.fullmatch(expression)
    if match is None or match[1] not in (*_OPERATORS, ""):
        return None
    if match[2]:
        return _including({"system": SNOMED})
    return _including(_filtered(SNOMED, _OPERATORS[match[1]], match[3]))


def _including(rule: Data) -> Data:
    return {"include": [rule], "exclude": []}


def _filtered(system: str, operator: str, code: str) -> Data:
    return {
        "system": system,
        "filter": [{"property": "concept", "op": operator, "value": code}],
    }
