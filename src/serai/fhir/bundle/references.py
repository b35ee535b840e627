"""References between the entries of a transaction, and conditional ones, made literal
(R4 §3.1.0.11.2), in the bytes of the resource so that everything else stays as sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from serai.fhir.definitions import RESOURCE_TYPES
from serai.kernel.errors import Invalid

# Keys that hold an address. Inside a JSON string the quote before the colon would be escaped,
# so this finds keys and nothing else.
ADDRESSES: Final = re.compile(
    rb'"(reference|url|uri|valueUri|valueUrl|valueUuid|valueOid|valueCanonical)":"([^"\\]+)"'
)
NARRATIVES: Final = re.compile(rb'"div":"(?:[^"\\]|\\.)*"')
LINKS: Final = re.compile(rb"""((?:href|src)=)(\\"|')([^"'\\<>]+)\2""")
REFERENCES: Final = re.compile(rb'"reference":"([^"\\]+)"')
CONDITIONAL: Final = re.compile(r"([A-Z][A-Za-z]+)\?(.+)")


def replace(raw: bytes, known: Mapping[bytes, bytes]) -> bytes:
    """Every address that `known` has an answer for, replaced, also in links of the narrative."""

    def literal(match: re.Match[bytes]) -> bytes:
        found = _found(match[2], known)
        return match[0] if found is None else b'"' + match[1] + b'":"' + found + b'"'

    def link(match: re.Match[bytes]) -> bytes:
        found = _found(match[3], known)
        return match[0] if found is None else match[1] + match[2] + found + match[2]

    def narrative(match: re.Match[bytes]) -> bytes:
        return LINKS.sub(link, match[0])

    return NARRATIVES.sub(narrative, ADDRESSES.sub(literal, raw))


def _found(value: bytes, known: Mapping[bytes, bytes]) -> bytes | None:
    """A version is left out, which a new resource does not have yet; a fragment is kept."""
    found = known.get(value)
    if found is not None:
        return found
    address, mark, fragment = value.partition(b"#")
    found = known.get(address.partition(b"/_history/")[0])
    return None if found is None else found + mark + fragment


def conditional(raw: bytes) -> set[bytes]:
    """The references of a resource that are conditions, such as ``Patient?identifier=…``."""
    found = set()
    for value in REFERENCES.findall(raw):
        match = CONDITIONAL.fullmatch(value.decode())
        if match and match[1] in RESOURCE_TYPES:
            found.add(value)
    return found


def require_resolved(raw: bytes, place: str) -> None:
    """A reference to a urn:uuid that no entry carries would point nowhere for ever."""
    for value in REFERENCES.findall(raw):
        if value.startswith(b"urn:uuid:"):
            raise Invalid(
                "bundle.unresolved", reference=value.decode()[:100], place=f"{place}.resource"
            )
