"""Secrets that must be read again are sealed (AES-256-GCM) with a key outside the database.

A stolen copy of the tables then opens nothing. The key is a file of its own under `SERAI_HOME`,
or where `SERAI_IDENTITY_KEY` says.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from serai.kernel.errors import Unavailable
from serai.platform.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12


def identity_key(settings: Settings) -> bytes:
    """The key; made on first need, by whichever process comes first."""
    path = settings.identity_key or settings.home / "identity.key"
    if settings.identity_key is None and not path.exists():
        _make(path)
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise Unavailable("identity.key-unreadable") from error
    if len(key) != KEY_BYTES:
        raise Unavailable("identity.key-unreadable")
    return key


def sealed(key: bytes, secret: str, *, holder: str) -> bytes:
    """`holder` is bound in: moved to another account's row, it opens nothing."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret.encode(), holder.encode())


def opened(key: bytes, box: bytes, *, holder: str) -> str:
    try:
        plain = AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], holder.encode())
    except InvalidTag as error:
        raise Unavailable("identity.key-unreadable") from error
    return plain.decode()


def _make(path: Path) -> None:
    """Written aside and linked into place, so that no process ever reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        path.hardlink_to(aside)
    aside.unlink()
