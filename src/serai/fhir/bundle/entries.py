"""Reads a Bundle of requests into entries, each with its resource's bytes untouched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from serai.fhir.body import encode, parse_json
from serai.fhir.interaction.asked import Asked, Conditions, Pairs, Prefer
from serai.kernel.errors import Invalid, Malformed, TooLarge

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MOST_ENTRIES = 20_000


class _Request(msgspec.Struct):
    method: str = ""
    url: str = ""
    ifNoneMatch: str | None = None  # noqa: N815 — FHIR's own names
    ifModifiedSince: datetime | None = None  # noqa: N815
    ifMatch: str | None = None  # noqa: N815
    ifNoneExist: str | None = None  # noqa: N815


class _Entry(msgspec.Struct):
    fullUrl: str | None = None  # noqa: N815
    resource: msgspec.Raw = msgspec.Raw()
    request: _Request | None = None


class _Bundle(msgspec.Struct):
    resourceType: str = ""  # noqa: N815
    type: str = ""
    entry: list[_Entry] = []


_DECODER = msgspec.json.Decoder(_Bundle)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENTRIES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


@dataclass(frozen=True, slots=True)
class Entry:
    """One request of the Bundle; `place` names it in an OperationOutcome."""

    position: int
    full_url: str | None
    asked: Asked
    wants_resource: bool

    @property
    def place(self) -> str:
        return f"Bundle.entry[{self.position}]"


@dataclass(frozen=True, slots=True)
class Requests:
    """A batch or transaction as sent."""

    type: str
    entries: tuple[Entry, ...]


def read(raw: bytes, *, prefer: Prefer, base: str) -> Requests:
    """Malformed when it is no Bundle, or an entry lacks what its request needs."""
    compact = _checked(raw)
    try:
        bundle = _DECODER.decode(compact)
    except msgspec.ValidationError as error:
        raise Malformed("bundle.bad-entry", at=str(error)) from error
    if bundle.type not in ("batch", "transaction"):
        raise Invalid("bundle.type", type=bundle.type[:64])
    if len(bundle.entry) > MOST_ENTRIES:
        raise TooLarge("bundle.too-many", most=MOST_ENTRIES)
    entries = tuple(
        _entry(position, one, prefer, base) for position, one in enumerate(bundle.entry)
    )
    return Requests(bundle.type, entries)


def _checked(raw: bytes) -> bytes:
    """Compact JSON of a Bundle whose own parts are sound; its resources are left for when each
    is read by itself, or everything would be read twice."""
    try:
        compact = msgspec.json.format(raw, indent=-1)
        fields = _FIELDS.decode(compact)
        entries = _ENTRIES.decode(fields.get("entry", b"[]"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _as_bundle(*parse_json(raw))
    own = [one for one in fields.items() if one[0] != "entry"]
    parts = [{name: part for name, part in one.items() if name != "resource"} for one in entries]
    _, (data, _) = parse_json(encode([dict(own), parts]))
    if len(encode(fields)) + len(encode(entries)) != len(compact) + len(fields.get("entry", b"[]")):
        # A key came twice and was lost, or is only spelt in another way.
        return _as_bundle(*parse_json(raw))
    return _as_bundle(compact, data)


def _as_bundle(compact: bytes, data: Any) -> bytes:
    if not isinstance(data, dict) or data.get("resourceType") != "Bundle":
        raise Malformed("bundle.not-a-bundle")
    return compact


def _entry(position: int, entry: _Entry, prefer: Prefer, base: str) -> Entry:
    place = f"Bundle.entry[{position}]"
    request = entry.request
    if request is None or not request.method or not request.url:
        raise Malformed("bundle.no-request", place=f"{place}.request")
    if request.method not in METHODS:
        raise Malformed(
            "bundle.method", method=request.method[:16], place=f"{place}.request.method"
        )
    if request.method in ("POST", "PUT", "PATCH") and not bytes(entry.resource):
        raise Malformed("bundle.no-resource", place=f"{place}.resource")
    path, params = address(request.url, base)
    asked = Asked(
        method="GET" if request.method == "HEAD" else request.method,
        path=path,
        params=params,
        raw=bytes(entry.resource),
        conditions=_conditions(request),
        prefer=prefer,
        base=base,
        in_bundle=True,
    )
    return Entry(position, entry.fullUrl, asked, request.method != "HEAD")


def address(url: str, base: str) -> tuple[tuple[str, ...], Pairs]:
    """Path and parameters of a request, relative or with our own base in front."""
    path, _, query = url.removeprefix(base).lstrip("/").partition("?")
    parts = tuple(unquote(part) for part in path.split("/")) if path else ()
    return parts, criteria(query)


def criteria(query: str) -> Pairs:
    """Search parameters as they stand in an address."""
    return tuple(parse_qsl(query.removeprefix("?"), keep_blank_values=True))


def _conditions(request: _Request) -> Conditions:
    wanted: dict[str, Any] = {
        "if_match": request.ifMatch,
        "if_none_match": request.ifNoneMatch,
        "if_modified_since": request.ifModifiedSince,
    }
    if request.ifNoneExist is not None:
        wanted["if_none_exist"] = criteria(request.ifNoneExist)
    return Conditions(**wanted)
