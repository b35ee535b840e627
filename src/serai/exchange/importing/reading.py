"""FHIR files as parts that are imported whole or not at all.

A resource, a line of NDJSON and an entry of a batch stand for themselves; a transaction, and
every other bundle whose entries may point at each other, is one part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

import msgspec

from serai.exchange.importing import limits
from serai.exchange.importing.recognise import HEAD, UTF8_BOM, Form
from serai.exchange.importing.sources import Source, reading
from serai.fhir import body
from serai.fhir.store import Ahead, Made
from serai.kernel.errors import Invalid, Malformed, SeraiError, TooLarge, Unsupported

# Bundles that only carry resources; `document` and `message` mean something as a whole.
CARRIERS = frozenset({"collection", "searchset", "transaction"})
WHOLE = frozenset({"document", "message"})
WRITES = frozenset({"POST", "PUT", "DELETE"})


# References that a transaction resolves: to another entry, or by a condition.
POINTING = re.compile(rb'"reference":"(?:urn:uuid:|[^"]*\?)')

# msgspec takes no union with Raw; an absent resource is this one object, and empty.
_NOTHING = msgspec.Raw()


class Entry(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One Bundle.entry; the resource stays as the bytes it was written in."""

    full_url: str | None = None
    resource: msgspec.Raw = _NOTHING
    request: dict[str, Any] | None = None
    search: dict[str, Any] | None = None


class _Bundle(msgspec.Struct):
    type: str = ""
    entry: list[Entry] = []


class _Name(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """`position` counts the parts of a file; `place` tells people where in it this is. `body`
    is set for a resource that is kept just as it is, read already; `ahead` when even its rows
    are made."""

    place: str = ""
    entries: tuple[Entry, ...] = ()
    error: SeraiError | None = None
    size: int = 0
    position: int = 0
    body: body.Body | None = None
    ahead: Ahead | None = None

    @property
    def alone(self) -> bool:
        """Whether it may share a transaction with its neighbours."""
        return len(self.entries) == 1

    @property
    def targets(self) -> frozenset[str]:
        """What it writes to; two parts with the same target take turns."""
        requests = [entry.request or {} for entry in self.entries]
        return frozenset(
            f"{request.get('url')}?{request.get('ifNoneExist')}"
            for request in requests
            if request.get("ifNoneExist") or request.get("method") != "POST"
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A line of NDJSON, or why there is none."""

    place: str
    raw: bytes = b""
    error: SeraiError | None = None


def parts(source: Source) -> Iterator[Part]:
    """The parts of a FHIR file, in its order; what cannot be read is a part with its error."""
    ndjson = source.form is Form.NDJSON or _has_long_lines(source)
    found = (
        (part for line in lines(source) for part in of_line(line, source.type))
        if ndjson
        else _whole(source)
    )
    for position, part in enumerate(found):
        yield replace(part, position=position)


def _has_long_lines(source: Source) -> bool:
    """Whether it is NDJSON after all, with a first line longer than recognition looked at."""
    try:
        with reading(), source.open() as stream:
            first = stream.readline(limits.LINE_BYTES)
            if len(first) <= HEAD or stream.readline(limits.LINE_BYTES).lstrip()[:1] != b"{":
                return False
        body.parse(first.removeprefix(UTF8_BOM))
    except SeraiError:
        return False
    return True


def _whole(source: Source) -> Iterator[Part]:
    try:
        raw = source.read(limits.JSON_BYTES).removeprefix(UTF8_BOM)
    except SeraiError as error:
        yield Part(error=error)
        return
    yield from _document(raw, "")


def lines(source: Source) -> Iterator[Line]:
    """The lines of NDJSON that hold anything, each not longer than one may be."""
    number = 0
    try:
        with reading(), source.open() as stream:
            for number, line in enumerate(_bounded_lines(stream), 1):
                place = f"line {number}"
                if line is None:
                    yield Line(place, error=TooLarge("import.line-too-long"))
                elif line.strip():
                    yield Line(place, line.removeprefix(UTF8_BOM))
    except SeraiError as error:
        yield Line(f"line {number + 1}", error=error)


def of_line(line: Line, type: str | None) -> Iterator[Part]:
    """What one line holds; refused when it must be of a type that it is not of."""
    if line.error is not None:
        yield Part(line.place, error=line.error)
    else:
        yield from _document(line.raw, line.place, type)


def of_made(made: Made, line: Line, source: Source, organisation: str | None) -> Part | None:
    """A resource whose rows are made; None for a Patient that first needs a custodian, and for
    what is not of the source's type."""
    if source.type not in (None, made.type):
        return None
    if organisation is not None and made.type == "Patient" and not made.names_custodian:
        return None
    entry = Entry(None, msgspec.Raw(line.raw), _request(made.type, None if made.fresh else made.id))
    return Part(line.place, (entry,), size=len(line.raw), ahead=Ahead(made, line.raw))


def _bounded_lines(stream: IO[bytes]) -> Iterator[bytes | None]:
    """Each line, or None for one that is too long to hold."""
    while line := stream.readline(limits.LINE_BYTES):
        if line.endswith(b"\n") or len(line) < limits.LINE_BYTES:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(limits.LINE_BYTES)
        yield None


def _document(raw: bytes, place: str, type: str | None = None) -> Iterator[Part]:
    """One JSON document: a resource, or a bundle of them."""
    try:
        parsed = body.parse(raw)
        if type not in (None, parsed.type):
            raise Invalid("import.other-type", wanted=type, type=parsed.type[:64])
    except SeraiError as error:
        yield Part(place, error=error, size=len(raw))
        return
    if parsed.type != "Bundle":
        yield _of_resource(parsed, place, len(raw))
        return
    try:
        yield from _bundle(parsed.raw, place, len(raw))
    except SeraiError as error:
        yield Part(place, error=error, size=len(raw))


def _of_resource(parsed: body.Body, place: str, size: int) -> Part:
    """Only what points at other entries or by a condition needs a transaction's rules."""
    id = parsed.data.get("id")
    entry = Entry(None, msgspec.Raw(parsed.raw), _request(parsed.type, id))
    plain = isinstance(id, str | None) and not POINTING.search(parsed.raw)
    return Part(place, (entry,), size=size, body=parsed if plain else None)


def _bundle(raw: bytes, place: str, size: int) -> Iterator[Part]:
    try:
        bundle = msgspec.json.decode(raw, type=_Bundle)
    except msgspec.ValidationError as error:
        raise Malformed("import.bundle-shape", reason=str(error)) from error
    if bundle.type in WHOLE:
        yield Part(place, (_resource(msgspec.Raw(raw)),), size=size)
    elif bundle.type in CARRIERS:
        entries = tuple(_writing(entry) for entry in bundle.entry if _carries(entry))
        yield Part(place, entries, size=size)
    elif bundle.type == "batch":
        each = size // max(len(bundle.entry), 1)
        for number, entry in enumerate(bundle.entry, 1):
            where = f"{place}, entry {number}" if place else f"entry {number}"
            yield _of_batch(entry, where, each)
    else:
        raise Unsupported("import.bundle-type", type=bundle.type)


def _of_batch(entry: Entry, place: str, size: int) -> Part:
    try:
        return Part(place, (_writing(entry),), size=size)
    except SeraiError as error:
        return Part(place, error=error, size=size)


def _carries(entry: Entry) -> bool:
    """A search answer also holds an OperationOutcome about the search itself."""
    return (entry.search or {}).get("mode") != "outcome"


def _writing(entry: Entry) -> Entry:
    """The entry with the request it makes, or the one it stands for."""
    if entry.request is None:
        if not bytes(entry.resource):
            raise Malformed("import.entry-without-resource")
        return _resource(entry.resource, entry.full_url)
    method = entry.request.get("method")
    if method not in WRITES:
        raise Unsupported("import.method", method=method)
    return entry


def _resource(raw: msgspec.Raw, full_url: str | None = None) -> Entry:
    """A resource without a request: kept under its own id where it has one."""
    try:
        name = msgspec.json.decode(raw, type=_Name)
    except msgspec.ValidationError as error:
        raise Malformed("fhir.no-resource-type") from error
    return Entry(full_url, raw, _request(name.resource_type, name.id))


def _request(type: str, id: str | None) -> dict[str, Any]:
    """Kept under its own id where it has one."""
    return {"method": "PUT", "url": f"{type}/{id}"} if id else {"method": "POST", "url": type}
