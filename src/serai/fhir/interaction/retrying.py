"""Writes that collided in the database are tried again, as a whole."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from psycopg.errors import (
    DeadlockDetected,
    NotNullViolation,
    SerializationFailure,
    UniqueViolation,
)

from serai.kernel.errors import Unavailable

Result = TypeVar("Result")

# UniqueViolation: two clients created the same id or superseded the same version at once;
# NotNullViolation: the version to supersede is no more. The next try meets the other's row.
COLLISIONS = (DeadlockDetected, SerializationFailure, UniqueViolation, NotNullViolation)
TRIES = 6
FIRST_PAUSE_S = 0.01


async def again_on_collision(attempt: Callable[[], Awaitable[Result]]) -> Result:
    """`attempt` must be a whole transaction, so that a failed one leaves nothing behind."""
    for turn in range(TRIES - 1):
        try:
            return await attempt()
        except COLLISIONS:
            await asyncio.sleep(FIRST_PAUSE_S * 2**turn * random.uniform(0.5, 1.5))  # noqa: S311
    try:
        return await attempt()
    except COLLISIONS as error:
        raise Unavailable("database.busy") from error
