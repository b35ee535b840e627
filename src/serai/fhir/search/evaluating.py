"""Search values by FHIRPath itself, where an expression is more than a path (R4 §3.1.3.3).

A result has no type with it; the parameter's type and the shape of the value tell enough.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from serai.fhir.search.indexed import Harvest
from serai.fhir.search.values import Emit, emitter

# By type of parameter: the first type whose marks the value has, and the type of a bare value.
_SHAPES: Final[dict[str, tuple[tuple[tuple[str, frozenset[str]], ...], str]]] = {
    "token": (
        (
            ("CodeableConcept", frozenset({"coding"})),
            ("Identifier", frozenset({"value"})),
            ("Coding", frozenset({"code"})),
        ),
        "code",
    ),
    "string": (
        (
            ("HumanName", frozenset({"family", "given"})),
            ("Address", frozenset({"line", "city", "district", "state", "postalCode", "country"})),
            ("HumanName", frozenset({"text"})),
        ),
        "string",
    ),
    "date": (
        (("Period", frozenset({"start", "end"})), ("Timing", frozenset({"event", "repeat"}))),
        "dateTime",
    ),
    "reference": ((("Reference", frozenset({"reference", "identifier"})),), "canonical"),
    "quantity": (
        (("Quantity", frozenset({"value"})), ("Range", frozenset({"low", "high"}))),
        "",
    ),
    "number": ((), "decimal"),
    "uri": ((), "uri"),
}


_SHAPES["text"] = _SHAPES["token"]


class CannotEvaluate(Exception):
    """The expression is no FHIRPath that can be evaluated here."""


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Any:
    library = import_module("fhirpathpy")
    return library.compile(expression, import_module("fhirpathpy.models").models["r4"])


def is_well_formed(expression: str) -> bool:
    """The library reads on behind mistakes, so its grammar is asked alone."""
    antlr = import_module("antlr4")
    generated = import_module("fhirpathpy.parser.generated.FHIRPathLexer")
    grammar = import_module("fhirpathpy.parser.generated.FHIRPathParser")
    lexer = generated.FHIRPathLexer(antlr.InputStream(expression))
    lexer.removeErrorListeners()
    parser = grammar.FHIRPathParser(antlr.CommonTokenStream(lexer))
    parser.removeErrorListeners()
    try:
        parser.entireExpression()
    except RecursionError:
        return False
    return int(parser.getNumberOfSyntaxErrors()) == 0


def evaluate(expression: str, resource: dict[str, object]) -> list[object]:
    try:
        return list(_compiled(expression)(resource))
    except Exception as error:
        raise CannotEvaluate(expression) from error


def evaluated(param: str, param_type: str, expression: str) -> Emit:
    """What indexes a whole resource; a resource the expression fails on has no such value."""

    def emit(resource: object, harvest: Harvest) -> None:
        if not isinstance(resource, dict):
            return
        try:
            found = evaluate(expression, resource)
        except CannotEvaluate:
            return
        for value in found:
            read = emitter(param, param_type, _type_of(param_type, value), None)
            if read is not None:
                read(value, harvest)

    return emit


def _type_of(param_type: str, value: object) -> str:
    shapes, bare = _SHAPES.get(param_type, ((), ""))
    if isinstance(value, dict):
        return next((name for name, marks in shapes if not marks.isdisjoint(value)), "")
    return "boolean" if isinstance(value, bool) and param_type == "token" else bare
