"""Equality search values as 64-bit keys, which one GIN index per table can intersect.

A key is SHA-256, cut to 64 bits, over a kind and its parts joined by U+001F. PostgreSQL can make
the same key of what it finds (`pointing`), which a chain needs:

    both    type param system code   token  system|code
    code    type param code          token  code, whatever its system
    bare    type param code          token  |code, given without a system
    system  type param system        token  system|, any code of it
    ref     type param Type/id       reference to a resource here
    refid   type param id            reference by id alone
    uri     type param value         uri, canonical with and without |version, absolute URL
    below   type param path          uri at that path or anywhere below it
    has     type param               any value, for :missing
    label   system code              security label, whatever the type
    pair    type param key key       composite of two equality values, held under the param $

With 10⁹ distinct values in a database a wrong match of two keys is expected once in
37 searches of a billion (2⁻⁶⁴ × 10⁹ per search); the values are not kept a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256

from serai.fhir.search.indexed import Indexed, PairValue, ReferenceValue, TokenValue

SEPARATOR = "\x1f"


@lru_cache(maxsize=8192)
def key(*parts: str) -> int:
    """The signed 64-bit key of a kind and its parts."""
    text = SEPARATOR.join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(sha256(text).digest()[:8], "big", signed=True)


def label_key(system: str, code: str) -> int:
    """What a security label is known by in a record of any type."""
    return key("label", system, code)


def pointing(prefix: str, id: str) -> str:
    """SQL that makes the key of a reference; `prefix` and `id` are SQL texts of `ref_prefix` and
    of the id pointed to."""
    return f"substr(sha256(convert_to({prefix} || {id}, 'UTF8')), 1, 8)::bigint"


def ref_prefix(kind: str, param: str, target: str) -> str:
    """What stands before the id in the key of a reference."""
    return SEPARATOR.join(("ref", kind, param, f"{target}/"))


def of_index(kind: str, indexed: Indexed, *, base: str = "") -> list[int]:
    """Every key of one resource, sorted, each once; `base` is this server's own address."""
    made: set[int] = set()
    present: set[str] = set()
    for token in indexed.tokens:
        present.add(token.param)
        made.update(of_token(kind, token.param, token.system, token.code))
        if token.param == "_security" and token.code is not None:
            made.add(label_key(token.system or "", token.code))
    for reference in indexed.references:
        present.add(reference.param)
        made.update(of_reference(kind, reference, base))
    for uri in indexed.uris:
        present.add(uri.param)
        made.update(of_uri(kind, uri.param, uri.value))
        made.update(
            key("below", kind, uri.param, one)
            for one in (uri.value.rstrip("/"), *paths_above(uri.value))
        )
    for pair in indexed.pairs:
        present.add(pair.param)
        made.update(of_pair(kind, pair))
    made.update(key("has", kind, param) for param in present)
    return sorted(made)


def is_local(reference: ReferenceValue, base: str) -> bool:
    """Whether it points into this server: Patient/1 of another server is somebody else."""
    if reference.type is None or reference.id is None:
        return False
    return reference.url is None or bool(base and reference.url.startswith(base + "/"))


def of_token(kind: str, param: str, system: str | None, code: str | None) -> Iterator[int]:
    """What a stored coding, identifier, code or boolean can be found by."""
    if code is not None:
        yield key("code", kind, param, code)
        if system:
            yield key("both", kind, param, system, code)
        else:
            yield key("bare", kind, param, code)
    if system:
        yield key("system", kind, param, system)


def of_held(kind: str, values: Iterable[TokenValue | ReferenceValue]) -> set[int]:
    """What a composite's first component can be asked for, whatever parameter asks."""
    made: set[int] = set()
    for one in values:
        if isinstance(one, TokenValue):
            made.update(of_token(kind, "$", one.system, one.code))
        else:
            made.update(of_reference(kind, one._replace(param="$"), ""))
    return made


def of_pair(kind: str, pair: PairValue) -> Iterator[int]:
    """Every first with every second."""
    first, second = (of_held(kind, part) for part in pair.components)
    for one in first:
        for other in second:
            yield key("pair", kind, pair.param, str(one), str(other))


def of_reference(kind: str, reference: ReferenceValue, base: str) -> Iterator[int]:
    """What a stored reference can be found by."""
    if is_local(reference, base):
        yield key("refid", kind, reference.param, str(reference.id))
        yield key("ref", kind, reference.param, f"{reference.type}/{reference.id}")
    if reference.url:
        yield from of_uri(kind, reference.param, reference.url)


def paths_above(value: str) -> Iterator[str]:
    """``http://a.test/b/c`` is below ``http://a.test/b`` and ``http://a.test`` (R4 §3.1.1.4.15)."""
    scheme, separator, rest = value.partition("://")
    if not separator:
        return
    rest = rest.rstrip("/")
    while "/" in rest:
        rest = rest.rpartition("/")[0]
        yield f"{scheme}://{rest}"


def of_uri(kind: str, param: str, value: str) -> Iterable[int]:
    """What a stored uri or canonical can be found by: itself, and without its version."""
    return {key("uri", kind, param, value), key("uri", kind, param, value.partition("|")[0])}
