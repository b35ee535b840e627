"""Headers of the tus resumable upload protocol 1.0.0, https://tus.io/protocols/resumable-upload."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from serai.kernel.errors import Malformed, SeraiError, TooLarge

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,expiration,checksum,termination"
ALGORITHMS: Final = ("sha1", "sha256")
CONTENT_TYPE: Final = "application/offset+octet-stream"
NAME: Final = re.compile(r"[!-+\--~]{1,64}")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
LONGEST_VALUE: Final = 500


class ChecksumMismatch(SeraiError):
    """The part did not arrive as it was sent, and was thrown away (460)."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a part's bytes must add up to."""

    algorithm: str
    digest: bytes

    @classmethod
    def of(cls, text: str | None) -> Checksum | None:
        if text is None:
            return None
        algorithm, _, value = text.partition(" ")
        if algorithm not in ALGORITHMS:
            raise Malformed("uploads.checksum-algorithm", known=list(ALGORITHMS))
        return cls(algorithm, _decoded(value))

    def summing(self) -> hashlib._Hash:
        return hashlib.new(self.algorithm, usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class Described:
    """What the sender says of a new upload in Upload-Length and Upload-Metadata."""

    length: int
    filename: str
    key: str
    purpose: str
    sha256: str


def described(headers: Mapping[str, str], *, largest: int) -> Described:
    if "upload-defer-length" in headers:
        raise Malformed("uploads.length")
    length = whole(headers.get("upload-length"), "uploads.length")
    if length > largest:
        raise TooLarge("uploads.too-large", megabytes=largest >> 20)
    given = metadata(headers.get("upload-metadata", ""))
    sha256 = given.get("sha256", "")
    if sha256 and not SHA256.fullmatch(sha256):
        raise Malformed("uploads.metadata")
    return Described(
        length=length,
        filename=given.get("filename", ""),
        key=sha256 or given.get("fingerprint", ""),
        purpose=given.get("for", ""),
        sha256=sha256,
    )


def metadata(text: str) -> dict[str, str]:
    """`name base64,name base64`; names nobody here knows are passed over."""
    found: dict[str, str] = {}
    for pair in filter(None, (each.strip() for each in text.split(","))):
        name, _, value = pair.partition(" ")
        if not NAME.fullmatch(name) or name in found:
            raise Malformed("uploads.metadata")
        try:
            found[name] = _decoded(value).decode().replace("\0", "")
        except UnicodeDecodeError as error:
            raise Malformed("uploads.metadata") from error
        if len(found[name]) > LONGEST_VALUE:
            raise Malformed("uploads.metadata")
    return found


def whole(text: str | None, key: str) -> int:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Malformed(key)
    return int(text)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("uploads.metadata") from error
