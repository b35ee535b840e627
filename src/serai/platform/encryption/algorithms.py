"""The ciphers there are, by name: AES-256-GCM (NIST SP 800-38D) and SM4-GCM (GB/T 32907, RFC 8998).

Both are OpenSSL's. Both take a nonce of 12 bytes and add a tag of 16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from serai.kernel.errors import Unavailable

NONCE_BYTES = 12
TAG_BYTES = 16

Bytes = bytes | bytearray | memoryview


class Sealer(Protocol):
    """One key in use. `InvalidTag` is raised for what it did not seal with this nonce and
    context."""

    def encrypt(self, nonce: bytes, data: Bytes, associated_data: bytes) -> bytes: ...
    def decrypt(self, nonce: bytes, data: Bytes, associated_data: bytes) -> bytes: ...


class SM4GCM:
    """SM4 in the mode that `cryptography` offers for AES as one call."""

    def __init__(self, key: bytes) -> None:
        self._cipher = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: Bytes, associated_data: bytes) -> bytes:
        encryptor = Cipher(self._cipher, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data)
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: Bytes, associated_data: bytes) -> bytes:
        view = memoryview(data)
        if len(view) < TAG_BYTES:
            raise InvalidTag
        tag = bytes(view[-TAG_BYTES:])
        decryptor = Cipher(self._cipher, modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(associated_data)
        # Nothing leaves before `finalize` has checked the tag.
        return decryptor.update(view[:-TAG_BYTES]) + decryptor.finalize()


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A cipher with what belongs to it: the hash by which keys and names are derived."""

    name: str
    key_bytes: int
    sealer: Callable[[bytes], Sealer]
    digest: Callable[[], hashes.HashAlgorithm]
    # What takes longer than so many bytes is not done on an event loop.
    at_once: int


ALGORITHMS = {
    each.name: each
    for each in (
        Algorithm("aes-256-gcm", 32, AESGCM, hashes.SHA256, 512 * 1024),
        Algorithm("sm4-gcm", 16, SM4GCM, hashes.SM3, 16 * 1024),
    )
}


def named(name: str) -> Algorithm:
    if name not in ALGORITHMS:
        raise Unavailable("keys.unknown-algorithm", algorithm=name[:40])
    return ALGORITHMS[name]
