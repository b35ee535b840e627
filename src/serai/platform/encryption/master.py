"""The master key, which never lies in the database: it wraps the data keys that do.

It comes from a file, from the environment, or from a program that wraps and unwraps with a key
that it does not give away, as every key management system's own command can be told to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import shlex
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag

from serai.kernel.errors import Unavailable
from serai.platform.encryption.algorithms import ALGORITHMS, NONCE_BYTES, Algorithm, named
from serai.platform.settings import Settings

DEFAULT_ALGORITHM = "aes-256-gcm"
FINGERPRINT_BYTES = 8
COMMAND_WITHIN_S = 20
LONGEST_ANSWER = 64 * 1024

# How a wrapped key begins: by which kind of master it was wrapped.
BY_KEY = b"K1"
BY_COMMAND = b"C1"


class Master(Protocol):
    """What wraps keys now. `context` is bound in: a key wrapped for one row opens in no other."""

    @property
    def name(self) -> str: ...
    def wrap(self, key: bytes, context: bytes) -> bytes: ...
    def unwrap(self, wrapped: bytes, context: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A key that this process holds."""

    algorithm: Algorithm
    material: bytes = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(b"serai master key" + self.material).digest()[:FINGERPRINT_BYTES]

    @property
    def name(self) -> str:
        return f"{self.algorithm.name} {self.fingerprint.hex()}"

    @property
    def line(self) -> str:
        return f"{self.algorithm.name}:{self.material.hex()}"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return BY_KEY + self.fingerprint + _sealed(self.algorithm, self.material, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        box = wrapped[len(BY_KEY) + FINGERPRINT_BYTES :]
        return _opened(self.algorithm, self.material, box, context)


@dataclass(frozen=True, slots=True)
class KeyCommand:
    """A program called with `wrap` or `unwrap`, base64 on both of its ends.

    It wraps a key made for one use, and that one wraps ours: so the context is bound in whatever
    the program can do, and it never sees a data key.
    """

    command: str

    @property
    def name(self) -> str:
        return f"command {Path(shlex.split(self.command)[0]).name}"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        algorithm = named(DEFAULT_ALGORITHM)
        once = secrets.token_bytes(algorithm.key_bytes)
        kept = self._ask("wrap", once)
        return BY_COMMAND + len(kept).to_bytes(4) + kept + _sealed(algorithm, once, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        start = len(BY_COMMAND) + 4
        end = start + int.from_bytes(wrapped[len(BY_COMMAND) : start])
        once = self._ask("unwrap", wrapped[start:end])
        algorithm = named(DEFAULT_ALGORITHM)
        if len(once) != algorithm.key_bytes:
            raise Unavailable("keys.command-failed")
        return _opened(algorithm, once, wrapped[end:], context)

    def _ask(self, act: str, content: bytes) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own program, without a shell
                [*shlex.split(self.command), act],
                input=base64.b64encode(content),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_WITHIN_S,
                check=True,
            )
            answer = base64.b64decode(b"".join(done.stdout.split()), validate=True)
        except (OSError, ValueError, subprocess.SubprocessError, binascii.Error) as error:
            # What it said may hold what it was asked about.
            raise Unavailable("keys.command-failed") from error
        if not answer or len(answer) > LONGEST_ANSWER:
            raise Unavailable("keys.command-failed")
        return answer


class Masters:
    """Every master key the settings name; the first wraps, all unwrap."""

    def __init__(self, *, command: str | None, keys: str | None, file: Path) -> None:
        self._command = KeyCommand(command) if command else None
        self._keys = keys
        self.file = file

    @classmethod
    def of(cls, settings: Settings) -> Masters:
        file = settings.master_key_file or settings.home / "master.key"
        return cls(command=settings.key_command, keys=settings.master_key, file=file)

    def current(self) -> Master:
        return self._command or self._held()[0]

    def wrap(self, key: bytes, context: bytes) -> tuple[str, bytes]:
        master = self.current()
        return master.name, master.wrap(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        if wrapped.startswith(BY_COMMAND):
            if self._command is None:
                raise Unavailable("keys.master-missing")
            return self._command.unwrap(wrapped, context)
        by = wrapped[len(BY_KEY) : len(BY_KEY) + FINGERPRINT_BYTES]
        for key in self._known():
            if key.fingerprint == by:
                return key.unwrap(wrapped, context)
        raise Unavailable("keys.master-missing")

    def add_to_file(self, algorithm: str) -> MasterKey:
        """A new master key before those that the file has; Unavailable when it is not the file
        that holds them."""
        if self._command or self._keys:
            raise Unavailable("keys.master-elsewhere")
        held = self._held()
        key = new_master_key(algorithm)
        write_keys(self.file, [key, *held])
        return key

    def drop_from_file(self, needed: set[bytes]) -> int:
        """Forget keys of the file that wrap nothing, save the one that wraps now; how many."""
        if not self.file.exists():
            return 0
        found = self._in_file()
        elsewhere = self._command or self._keys
        kept = [
            key
            for place, key in enumerate(found)
            if key.fingerprint in needed or not (place or elsewhere)
        ]
        if not kept:
            self.file.unlink()
        elif len(kept) < len(found):
            write_keys(self.file, kept)
        return len(found) - len(kept)

    def _held(self) -> Sequence[MasterKey]:
        """From the environment where it has any, else from the file, made on first need."""
        if self._keys:
            return self._in_environment()
        if not self.file.exists():
            make_file(self.file)
        return self._in_file()

    def _known(self) -> Sequence[MasterKey]:
        """The file may still have what wrapped before."""
        return [*self._in_environment(), *(self._in_file() if self.file.exists() else ())]

    def _in_environment(self) -> Sequence[MasterKey]:
        return read_keys(self._keys.replace(",", "\n")) if self._keys else ()

    def _in_file(self) -> Sequence[MasterKey]:
        """Read anew each time: another process may have rotated."""
        try:
            return read_keys(self.file.read_text())
        except (OSError, ValueError) as error:
            raise Unavailable("keys.master-unreadable") from error


def read_keys(text: str) -> Sequence[MasterKey]:
    """One key a line, `algorithm:hex`, the one that wraps first."""
    try:
        found = [_read(line.strip()) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise Unavailable("keys.master-unreadable") from error
    if not found:
        raise Unavailable("keys.master-unreadable")
    return found


def _read(line: str) -> MasterKey:
    name, colon, digits = line.rpartition(":")
    if colon and name not in ALGORITHMS:
        raise ValueError("algorithm")
    algorithm, material = named(name or DEFAULT_ALGORITHM), bytes.fromhex(digits)
    if len(material) != algorithm.key_bytes:
        raise ValueError("length")
    return MasterKey(algorithm, material)


def new_master_key(algorithm: str = DEFAULT_ALGORITHM) -> MasterKey:
    wanted = named(algorithm)
    return MasterKey(wanted, secrets.token_bytes(wanted.key_bytes))


def make_file(path: Path) -> None:
    """By whichever process comes first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(path, [new_master_key()])
    with suppress(FileExistsError):
        path.hardlink_to(aside)
    aside.unlink()


def write_keys(path: Path, keys: Sequence[MasterKey]) -> None:
    _aside(path, keys).replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _aside(path: Path, keys: Sequence[MasterKey]) -> Path:
    """Written aside and then put in place, so that no process ever reads half a key."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.writelines(f"{key.line}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return aside


def _sealed(algorithm: Algorithm, key: bytes, plain: bytes, context: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + algorithm.sealer(key).encrypt(nonce, plain, context)


def _opened(algorithm: Algorithm, key: bytes, box: bytes, context: bytes) -> bytes:
    try:
        return algorithm.sealer(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        raise Unavailable("keys.wrapped-damaged") from error
