"""Cursors: where the last page ended, so that the next continues there whatever was written
in between (keyset paging)."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

import msgspec

from serai.kernel.errors import Malformed

CURSOR = "_cursor"


def write_cursor(values: tuple[str, ...]) -> str:
    """An opaque token for the values that ordered the last row."""
    return urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def read_cursor(text: str) -> tuple[str, ...]:
    """The values behind a token; anything else was not made here."""
    try:
        padded = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        values = msgspec.json.decode(padded, type=tuple[str, ...])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise Malformed("search.cursor", parameter=CURSOR) from error
    if any("\0" in value for value in values):
        raise Malformed("search.cursor", parameter=CURSOR)
    return values


def moment(text: str) -> datetime:
    """A timestamp out of a cursor."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed("search.cursor", parameter=CURSOR) from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def point(text: str) -> str:
    """A timestamp for PostgreSQL, maybe infinite, out of a cursor."""
    return text if text in ("infinity", "-infinity") else moment(text).isoformat()


def number(text: str) -> Decimal:
    """A number, maybe infinite, out of a cursor."""
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise Malformed("search.cursor", parameter=CURSOR) from error
