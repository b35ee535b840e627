"""References between the entries of a transaction, and conditional ones, made literal
(R4 §3.1.0.11.2), in the bytes of the resource so that everything else stays as sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.interaction.asked import Scene
from serai.kernel.errors import Invalid, Stale

# Keys that hold an address. Inside a JSON string the quote before the colon would be escaped,
# so this finds keys and nothing else.
ADDRESSES: Final = re.compile(
    rb'"(reference|url|uri|valueUri|valueUrl|valueUuid|valueOid|valueCanonical)":"([^"\\]+)"'
)
REFERENCES: Final = re.compile(rb'"reference":"([^"\\]+)"')
CONDITIONAL: Final = re.compile(r"([A-Z][A-Za-z]+)\?(.+)")


def replace(raw: bytes, known: Mapping[bytes, bytes]) -> bytes:
    """Every address that `known` has an answer for, replaced."""

    def literal(match: re.Match[bytes]) -> bytes:
        key, value = match[1], match[2]
        address, version, _ = value.partition(b"/_history/")
        found = known.get(value) or (known.get(address) if version else None)
        if found is None:
            return match[0]
        return b'"' + key + b'":"' + found + b'"'

    return ADDRESSES.sub(literal, raw)


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


async def resolve(scene: Scene, reference: bytes) -> bytes:
    """The one resource that a conditional reference means."""
    kind, _, query = reference.decode().partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    found = await scene.store.only_match(scene.connection, kind, pairs, actor=scene.actor)
    if found is None:
        raise Stale("bundle.reference", type=kind)
    return found.reference.encode()
