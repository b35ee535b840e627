"""A resource as it came over the wire: the bytes, which keep every digit, and their meaning.

FHIR asks that decimals keep their precision (R4 §2.24.0.1: 1.0 is not 1.00), so what is stored
is spliced from the bytes received; the decoded form serves validation and indexing only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from serai.kernel.clock import instant
from serai.kernel.errors import Malformed

Data = dict[str, Any]

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_SERVER_FIELDS = ("resourceType", "id", "meta")
_SERVER_META = ("versionId", "lastUpdated")


@dataclass(frozen=True, slots=True)
class Body:
    """One resource: compact JSON and the same decoded, floats as Decimal."""

    raw: bytes
    data: Data

    @property
    def type(self) -> str:
        return str(self.data["resourceType"])

    @property
    def id(self) -> str | None:
        return self.data.get("id")


def parse(raw: bytes) -> Body:
    """Read JSON strictly: one object, UTF-8, no duplicate keys, no NUL character."""
    compact, data = parse_json(raw)
    if not isinstance(data, dict):
        raise Malformed("fhir.not-an-object")
    if not isinstance(data.get("resourceType"), str):
        raise Malformed("fhir.no-resource-type")
    return Body(compact, data)


def of(data: Data) -> Body:
    """The body of a resource made in this process."""
    return parse(_ENCODER.encode(data))


def decode(content: bytes) -> Data:
    """Stored bytes as plain data."""
    data: Data = _DECODER.decode(content)
    return data


def encode(data: Any) -> bytes:
    """Compact JSON; values of type `msgspec.Raw` go in as they are."""
    return _ENCODER.encode(data)


def parse_json(raw: bytes) -> tuple[bytes, Any]:
    """Any JSON value, compacted and decoded; what cannot be read is Malformed with its place."""
    try:
        data = _DECODER.decode(raw)
        compact = msgspec.json.format(raw, indent=-1)
    except msgspec.DecodeError as error:
        raise Malformed("fhir.json", at=str(error)) from error
    except UnicodeDecodeError as error:
        raise Malformed("fhir.not-utf8") from error
    except RecursionError as error:
        raise Malformed("fhir.too-deep") from error
    if _key_count(compact) != _key_count(_ENCODER.encode(data)):
        raise Malformed("fhir.duplicate-key")
    if rb"\u0000" in compact and _holds_nul(data):
        raise Malformed("fhir.nul-character")
    return compact, data


def stamp(body: Body, *, id: str, version: int, at: datetime) -> bytes:
    """The bytes as served: the server's id, version and time, everything else as received."""
    fields = _FIELDS.decode(body.raw)
    given_meta = fields.get("meta")
    own: dict[str, Any] = {"versionId": str(version), "lastUpdated": instant(at)}
    if given_meta is not None:
        meta = _FIELDS.decode(given_meta)
        own |= {name: raw for name, raw in meta.items() if name not in _SERVER_META}
    head = {"resourceType": body.type, "id": id, "meta": own}
    rest = {name: raw for name, raw in fields.items() if name not in _SERVER_FIELDS}
    return _ENCODER.encode(head | rest)


def _key_count(compact: bytes) -> int:
    """Keys in compact JSON: each ends in `":`, which inside a string would be escaped."""
    return compact.count(b'":') - compact.count(b'\\":')


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, list):
        return any(_holds_nul(item) for item in value)
    if isinstance(value, dict):
        return any("\0" in name or _holds_nul(item) for name, item in value.items())
    return False
