"""The sealed form of an object: chunks of 64 KiB, each sealed by itself, so that any part is read
without the rest (the STREAM construction, Hoang, Reyhanitabar, Rogaway and Vizár 2015).

Header: mark, id of the data key, salt, and sealed the SHA-256 and the length of the plain bytes.
Every object has a key of its own, derived from the data key and the salt; a chunk's nonce is its
number and whether it is the last. So a chunk that is changed, moved, left out or taken from another
object does not open, an object in another's place is known by its header, and what is cut off by
its length.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from serai.platform.blobs import Damaged
from serai.platform.encryption.algorithms import TAG_BYTES, Bytes, Sealer
from serai.platform.encryption.keyring import ID_BYTES, DataKey

MARK = b"SERAI\x00B1"
SALT_BYTES = 32
CHUNK = 64 * 1024
STEP = CHUNK + TAG_BYTES
OPEN_PART = len(MARK) + ID_BYTES + SALT_BYTES
SAYS = struct.Struct(">32sQ")
HEADER = OPEN_PART + SAYS.size + TAG_BYTES

NONCE = struct.Struct(">QI")
MIDDLE, LAST, HEAD = 0, 1, 2


def count_of(length: int) -> int:
    return -(-length // CHUNK)


def size_of(length: int) -> int:
    """Bytes of the sealed form of so many."""
    return HEADER + length + count_of(length) * TAG_BYTES


class Writing:
    """One object on its way in. The header comes last, when digest and length are known."""

    def __init__(self, key: DataKey) -> None:
        self._open_part = MARK + bytes.fromhex(key.id) + secrets.token_bytes(SALT_BYTES)
        self._sealer = _sealer(key, self._open_part)
        self._number = 0

    def chunk(self, plain: Bytes, *, last: bool) -> bytes:
        """The next CHUNK bytes; only the last may have fewer."""
        nonce = NONCE.pack(self._number, LAST if last else MIDDLE)
        self._number += 1
        return self._sealer.encrypt(nonce, plain, b"")

    def header(self, digest: str, length: int) -> bytes:
        says = SAYS.pack(bytes.fromhex(digest), length)
        return self._open_part + self._sealer.encrypt(NONCE.pack(0, HEAD), says, self._open_part)


@dataclass(frozen=True, slots=True)
class Opened:
    """An object whose header is genuine."""

    digest: str
    length: int
    sealer: Sealer
    at_once: int

    def span(self, start: int, length: int | None) -> tuple[int, int]:
        """The first and the end of the chunks that have these bytes."""
        end = self.length if length is None else min(self.length, start + length)
        if start >= end:
            return 0, 0
        return start // CHUNK, count_of(end)

    def place(self, first: int, end: int) -> tuple[int, int]:
        """Where these chunks lie in the sealed form: start and length."""
        start = HEADER + first * STEP
        return start, min(HEADER + end * STEP, size_of(self.length)) - start

    def chunks(self, first: int, content: Bytes) -> Iterator[bytes]:
        """The plain bytes of the chunks from this one on."""
        view, final = memoryview(content), count_of(self.length) - 1
        for number, at in enumerate(range(0, len(view), STEP), first):
            nonce = NONCE.pack(number, LAST if number == final else MIDDLE)
            try:
                yield self.sealer.decrypt(nonce, view[at : at + STEP], b"")
            except (InvalidTag, ValueError) as error:
                raise Damaged from error

    def part(self, content: Bytes, start: int, length: int | None) -> bytes:
        """These bytes, out of the chunks of their `span`."""
        first, end = self.span(start, length)
        if len(content) != (self.place(first, end)[1] if end else 0):
            raise Damaged
        plain = b"".join(self.chunks(first, content))
        from_here = start - first * CHUNK
        whole = from_here == 0 and (length is None or length >= len(plain))
        if whole or not end:
            return plain
        return plain[from_here : None if length is None else from_here + length]


def key_of(header: bytes) -> str:
    """The id of the data key that an object names."""
    if len(header) < HEADER or not header.startswith(MARK):
        raise Damaged
    return header[len(MARK) : len(MARK) + ID_BYTES].hex()


def opened(key: DataKey, header: bytes, digest: str | None = None) -> Opened:
    """Damaged when the header is not genuine, or of another object than this one."""
    open_part = header[:OPEN_PART]
    sealer = _sealer(key, open_part)
    try:
        says = sealer.decrypt(NONCE.pack(0, HEAD), header[OPEN_PART:HEADER], open_part)
    except (InvalidTag, ValueError) as error:
        raise Damaged from error
    summed, length = SAYS.unpack(says)
    if digest is not None and summed.hex() != digest:
        raise Damaged
    return Opened(summed.hex(), length, sealer, key.algorithm.at_once)


def sealed(key: DataKey, digest: str, content: bytes) -> bytes:
    """The whole of an object that is in memory anyway."""
    writing, view, count = Writing(key), memoryview(content), count_of(len(content))
    parts = [
        writing.chunk(view[number * CHUNK : (number + 1) * CHUNK], last=number == count - 1)
        for number in range(count)
    ]
    return b"".join([writing.header(digest, len(content)), *parts])


def _sealer(key: DataKey, open_part: bytes) -> Sealer:
    algorithm = key.algorithm
    derive = HKDF(
        algorithm=algorithm.digest(),
        length=algorithm.key_bytes,
        salt=open_part[-SALT_BYTES:],
        info=b"serai object 1 " + algorithm.name.encode(),
    )
    return algorithm.sealer(derive.derive(key.material))
