"""Secrets that must be read again, sealed for the one place in the database where they lie.

Table, column and row are bound in: a box moved to another row opens nothing. A box names its key,
so that keys can be replaced while old boxes are still read.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from serai.kernel.errors import Unavailable
from serai.platform.encryption.algorithms import NONCE_BYTES, TAG_BYTES
from serai.platform.encryption.keyring import ID_BYTES, DataKey, Keyring

MARK = b"SERAI\x00S1"
START = len(MARK) + ID_BYTES


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret lies, and which of the keys is for it."""

    purpose: str
    table: str
    column: str
    row: str

    @property
    def context(self) -> bytes:
        return "\x00".join(("serai secret", self.table, self.column, self.row)).encode()


async def sealed(keys: Keyring, secret: bytes, place: Place) -> bytes:
    return sealed_with(await keys.current(place.purpose), secret, place)


async def opened(keys: Keyring, box: bytes, place: Place) -> bytes:
    """Unavailable when the box is not one of this place, or its key is not to be had."""
    return opened_with(await keys.by_id(key_of(box)), box, place)


def is_sealed(content: bytes) -> bool:
    return content.startswith(MARK) and len(content) >= START + NONCE_BYTES + TAG_BYTES


def key_of(box: bytes) -> str:
    """The id of the key that sealed it."""
    if not is_sealed(box):
        raise Unavailable("keys.box-damaged")
    return box[len(MARK) : START].hex()


def sealed_with(key: DataKey, secret: bytes, place: Place) -> bytes:
    head, nonce = MARK + bytes.fromhex(key.id), secrets.token_bytes(NONCE_BYTES)
    return head + nonce + key.sealer.encrypt(nonce, secret, head + place.context)


def opened_with(key: DataKey, box: bytes, place: Place) -> bytes:
    head, nonce = box[:START], box[START : START + NONCE_BYTES]
    try:
        return key.sealer.decrypt(nonce, box[START + NONCE_BYTES :], head + place.context)
    except InvalidTag as error:
        raise Unavailable("keys.box-damaged") from error
