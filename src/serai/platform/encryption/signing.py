"""Signatures over what must be provable later: Ed25519 (RFC 8032), or SM2 with SM3 (GB/T 32918.2).

The library that does everything else here has no SM2, so that is done by OpenSSL's own program
(3.0 or newer), one process for a signature; where it is missing, asking for SM2 is refused.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from serai.kernel.errors import Unavailable
from serai.platform.db import Connection
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.sealing import Place, opened, sealed

ED25519, SM2 = "ed25519", "sm2-sm3"
# Who signs, for those who give themselves no other name (GB/T 35276 §10).
DISTINGUISHING_ID = "1234567812345678"
WITHIN_S = 10

CURRENT = """SELECT id, public, private FROM signing_key
    WHERE purpose = %s AND algorithm = %s AND replaced_at IS NULL"""
ADD = """INSERT INTO signing_key (id, purpose, algorithm, public, private)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (purpose, algorithm) WHERE replaced_at IS NULL DO NOTHING"""
REPLACE = """UPDATE signing_key SET replaced_at = now()
    WHERE purpose = %s AND algorithm = %s AND replaced_at IS NULL"""
PUBLIC = "SELECT algorithm, public FROM signing_key WHERE id = %s"


class Scheme(Protocol):
    """Keys are PEM; `verifies` never raises for a signature that is none."""

    def made(self) -> tuple[str, bytes]: ...
    def sign(self, private: bytes, message: bytes) -> bytes: ...
    def verifies(self, public: str, message: bytes, signature: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Signer:
    """A key in use."""

    id: str
    algorithm: str
    public: str
    private: bytes = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """SM2 takes some milliseconds of another process: not on an event loop."""
        return SCHEMES[self.algorithm].sign(self.private, message)


async def signer(
    tx: Connection, keys: Keyring, purpose: str, *, algorithm: str = ED25519
) -> Signer:
    """The purpose's key, made on first need."""
    scheme = await asyncio.to_thread(_scheme, algorithm)
    for _ in range(2):
        row = await (await tx.execute(CURRENT, (purpose, algorithm))).fetchone()
        if row:
            return Signer(row[0], algorithm, row[1], await opened(keys, row[2], _place(row[0])))
        id, (public, private) = secrets.token_hex(8), await asyncio.to_thread(scheme.made)
        box = await sealed(keys, private, _place(id))
        await tx.execute(ADD, (id, purpose, algorithm, public, box))
    raise Unavailable("keys.unknown")


async def replace(tx: Connection, purpose: str, *, algorithm: str = ED25519) -> None:
    """The next signature is by a new key; what the old one signed can still be verified."""
    await tx.execute(REPLACE, (purpose, algorithm))


async def verifies(tx: Connection, key: str, message: bytes, signature: bytes) -> bool:
    """Whether this key, which may have been replaced, signed the message."""
    row = await (await tx.execute(PUBLIC, (key,))).fetchone()
    if row is None:
        return False
    return await asyncio.to_thread(SCHEMES[row[0]].verifies, row[1], message, signature)


class Ed25519:
    """By the library."""

    def made(self) -> tuple[str, bytes]:
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return public.decode(), private

    def sign(self, private: bytes, message: bytes) -> bytes:
        key = load_pem_private_key(private, None)
        assert isinstance(key, Ed25519PrivateKey)
        return key.sign(message)

    def verifies(self, public: str, message: bytes, signature: bytes) -> bool:
        key = load_pem_public_key(public.encode())
        assert isinstance(key, Ed25519PublicKey)
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SM2WithSM3:
    """By OpenSSL's program; what it reads lies in memory, never on a disk."""

    def made(self) -> tuple[str, bytes]:
        private = _openssl("genpkey", "-algorithm", "SM2")
        return _openssl("pkey", "-pubout", given=private).decode(), private

    def sign(self, private: bytes, message: bytes) -> bytes:
        with _in_memory(private) as key:
            return _openssl("pkeyutl", "-sign", "-inkey", key, *_HOW, given=message)

    def verifies(self, public: str, message: bytes, signature: bytes) -> bool:
        with ExitStack() as open_files:
            key = open_files.enter_context(_in_memory(public.encode()))
            signed = open_files.enter_context(_in_memory(signature))
            how = ("pkeyutl", "-verify", "-pubin", "-inkey", key, "-sigfile", signed, *_HOW)
            return _run(how, message).returncode == 0


_HOW = (
    "-rawin", "-in", "/dev/stdin", "-digest", "sm3", "-pkeyopt", f"distid:{DISTINGUISHING_ID}",
)  # fmt: skip

SCHEMES: dict[str, Scheme] = {ED25519: Ed25519(), SM2: SM2WithSM3()}


def has_sm2() -> bool:
    """Whether this machine's OpenSSL does SM2."""
    return bool(shutil.which("openssl")) and not _run(("genpkey", "-algorithm", "SM2")).returncode


def _scheme(algorithm: str) -> Scheme:
    if algorithm not in SCHEMES or (algorithm == SM2 and not has_sm2()):
        raise Unavailable("keys.no-such-signature", algorithm=algorithm[:40])
    return SCHEMES[algorithm]


def _place(id: str) -> Place:
    return Place("signatures", "signing_key", "private", id)


def _openssl(*arguments: str, given: bytes = b"") -> bytes:
    done = _run(arguments, given)
    if done.returncode:
        raise Unavailable("keys.no-such-signature", algorithm=SM2)
    return done.stdout


def _run(arguments: tuple[str, ...], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("openssl")
    if program is None:
        raise Unavailable("keys.no-such-signature", algorithm=SM2)
    handed = [int(each.rpartition("/")[2]) for each in arguments if each.startswith("/dev/fd/")]
    return subprocess.run(  # noqa: S603 - no shell, no words of anybody else
        [program, *arguments],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        pass_fds=handed,
        timeout=WITHIN_S,
        check=False,
    )


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A path for one program, with no file behind it."""
    descriptor = os.memfd_create("key")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield f"/dev/fd/{descriptor}"
    finally:
        os.close(descriptor)
