"""Reads the literal of a Reference (R4 §2.3.0.1)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from serai.fhir.definitions import RESOURCE_TYPES

RESTFUL: Final = re.compile(
    r"(?P<url>(?:(?P<base>https?://[^\s?#]+)/)?(?P<type>[A-Z][A-Za-z]*)/(?P<id>[A-Za-z0-9\-.]{1,64}))"
    r"(?:/_history/[A-Za-z0-9\-.]{1,64})?"
)


class Literal(NamedTuple):
    """`url` is None for a relative reference; type and id are None where the URL tells none."""

    type: str | None
    id: str | None
    url: str | None


def read(literal: str) -> Literal | None:
    """None for a reference to a contained resource, which nobody can search for."""
    if literal.startswith("#"):
        return None
    match = RESTFUL.fullmatch(literal)
    if match is None or match["type"] not in RESOURCE_TYPES:
        return Literal(None, None, literal)
    return Literal(match["type"], match["id"], match["url"] if match["base"] else None)


def target_type(reference: object) -> str | None:
    """The type of resource a Reference says it points to."""
    if not isinstance(reference, dict):
        return None
    literal = reference.get("reference")
    found = read(literal) if isinstance(literal, str) else None
    if found is not None and found.type is not None:
        return found.type
    said = reference.get("type")
    return said if isinstance(said, str) else None
