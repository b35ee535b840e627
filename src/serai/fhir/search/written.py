"""Where in a resource's JSON the values of a token, reference or uri parameter are written.

Such values are kept as hashes only, which have no order; to sort by them they are read from the
resource itself. A token sorts by its code, a reference or uri by its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

from serai.fhir.definitions import SearchParameter
from serai.fhir.search import expression, own
from serai.fhir.search.expression import HoldsUnlessFalse, NotUnderstood, Path, Resolves
from serai.fhir.search.plan import Hop, arrive

# What of a value is compared, by the parameter's type and the value's.
_ITSELF: Final = ""
_COMPARED: Final[Mapping[tuple[str, str], str]] = {
    ("token", "CodeableConcept"): ".coding.code",
    ("token", "Coding"): ".code",
    ("token", "Identifier"): ".value",
    ("token", "ContactPoint"): ".value",
    **{("token", name): _ITSELF for name in ("boolean", "code", "id", "uri", "string")},
    # A contained resource has no address to be found by.
    ("reference", "Reference"): '.reference ? (!(@ starts with "#"))',
    **{("reference", name): ' ? (!(@ starts with "#"))' for name in ("canonical", "uri")},
    ("reference", "Resource"): ".id",
    **{("uri", name): _ITSELF for name in ("uri", "url", "canonical", "oid")},
}


@cache
def paths(kind: str, code: str) -> tuple[str, ...]:
    """SQL/JSON paths to the values; none where only FHIRPath itself could tell them."""
    parameter = own.search_parameters(kind)[code]
    try:
        read = expression.read(parameter.expression)
    except NotUnderstood:
        return ()
    roots = {kind, "", "Resource", "DomainResource"}
    return tuple(
        one for path in read if path.root in roots for one in _along(kind, parameter, path)
    )


own.forgets(paths.cache_clear)


def _along(kind: str, parameter: SearchParameter, path: Path) -> Iterator[str]:
    if path.steps and isinstance(path.steps[-1], HoldsUnlessFalse):
        yield _holds(kind, path)
        return
    for spot in arrive(kind, path):
        compared = _COMPARED.get((parameter.type, spot.kind.code if spot.kind else ""))
        if compared is not None:
            yield "$" + "".join(_step(hop) for hop in spot.hops) + compared


def _step(hop: Hop) -> str:
    if isinstance(hop, tuple):
        key, only_first = hop
        return f".{json.dumps(key)}{'[0]' if only_first else ''}"
    if isinstance(hop, Resolves):
        said = f"(^|/){hop.type}/[^/]+(/_history/[^/]+)?$"
        return f" ? (@.reference like_regex {json.dumps(said)} || @.type == {json.dumps(hop.type)})"
    return f" ? (@.{json.dumps(hop.name)} == {json.dumps(hop.value)})"


def _holds(kind: str, path: Path) -> str:
    """True or false, as the value that is indexed."""
    names = [
        json.dumps(spot.hops[-1][0])
        for spot in arrive(kind, replace(path, steps=path.steps[:-1]))
        if isinstance(spot.hops[-1], tuple)
    ]
    # A comparison of different types is neither true nor false.
    holds = '@.type() != "boolean" || @ == true'
    return " || ".join(f"exists($.{name} ? ({holds}))" for name in names)
