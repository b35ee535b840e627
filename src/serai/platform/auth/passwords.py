"""Passwords: Argon2id (RFC 9106), hashed in threads of their own.

Two threads, because every hash takes tens of megabytes and a burst of sign-ins must neither
fill the memory nor hold up the event loop.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from serai.kernel.errors import Invalid
from serai.platform.auth.breached import is_common

P = ParamSpec("P")
T = TypeVar("T")

SHORTEST = 12
LONGEST = 256

# OWASP's recommendation: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")


def require_strong(password: str, *, login: str) -> None:
    """Invalid when the password is too easy to guess."""
    password = _normal(password)
    if len(password) < SHORTEST:
        raise Invalid("account.password-too-short", minimum=SHORTEST)
    if len(password) > LONGEST:
        raise Invalid("account.password-too-long", maximum=LONGEST)
    if login in password.casefold() or len(set(password)) < 5:
        raise Invalid("account.password-too-simple")
    if is_common(password):
        raise Invalid("account.password-common")


async def hashed(password: str) -> str:
    return await _in_thread(_hasher.hash, _as_hashed(password))


async def matches(password: str, password_hash: str | None) -> bool:
    """Whether the password is the right one; an unknown account (None) and one without
    a password (empty) cost the same time."""
    candidate = _as_hashed(password[: LONGEST + 1])
    right = await _in_thread(_verified, candidate, password_hash or _hash_of_nobody())
    return right and bool(password_hash)


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with other costs than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _verified(password: bytes, password_hash: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hash_of_nobody() -> str:
    return _hasher.hash("nobody signs in with this")


def _normal(password: str) -> str:
    """The same key presses give the same password on every keyboard (NIST SP 800-63B §3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _as_hashed(password: str) -> bytes:
    return _normal(password).encode("utf-8", "surrogatepass")


async def _in_thread(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    call = partial(function, *arguments, **named)
    return await asyncio.get_running_loop().run_in_executor(_threads, call)
