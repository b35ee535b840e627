"""Conditional references: a search instead of an address (R4 §3.1.0.11.2). They mean what is
stored, or what the same transaction is about to store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from serai.fhir.body import Data, decode
from serai.fhir.definitions import search_parameters
from serai.fhir.interaction.asked import Pairs, Scene
from serai.fhir.search.extract import index
from serai.fhir.search.keys import of_index
from serai.fhir.search.tokens import token_key
from serai.kernel.errors import Stale


@dataclass(frozen=True, slots=True)
class Coming:
    """A resource that the transaction will write, and the condition it is written under."""

    type: str
    reference: str
    raw: bytes
    condition: Pairs


async def resolve(
    scene: Scene, reference: bytes, coming: Sequence[Coming], gone: frozenset[str]
) -> bytes:
    """The one resource that a conditional reference means; `gone` are those being deleted."""
    kind, _, query = reference.decode().partition("?")
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    stored = await scene.store.matches(
        scene.connection, kind, pairs, actor=scene.actor, most=2 + len(gone)
    )
    found = {one.reference for one in stored} - gone
    found |= {one.reference for one in coming if one.type == kind and _fits(one, pairs)}
    if not found:
        raise Stale("bundle.reference", type=kind)
    if len(found) > 1:
        raise Stale("search.several-matches", type=kind)
    return found.pop().encode()


def _fits(one: Coming, pairs: Pairs) -> bool:
    """By the very condition it is written under, or by tokens such as its identifier."""
    if one.condition and sorted(one.condition) == sorted(pairs):
        return True
    wanted = [_keys(one.type, name, value) for name, value in pairs]
    if not all(wanted):
        return False
    data = decode(one.raw)
    held = _held(one.type, data)
    return all(keys & held for keys in wanted)


def _keys(kind: str, name: str, value: str) -> set[int]:
    """Empty for what is no token: only the tables can tell what else matches."""
    parameter = search_parameters(kind).get(name)
    if parameter is None or parameter.type != "token":
        return set()
    return {token_key(kind, name, name, one) for one in value.split(",")}


def _held(kind: str, data: Data) -> set[int]:
    if data.get("resourceType") != kind:
        return set()
    return set(of_index(kind, index(data)))
