"""Identifiers that are new, unguessable and roughly ordered by time."""

from __future__ import annotations

import os
import time
from uuid import UUID


def new_id() -> str:
    """A UUID version 7 (RFC 9562 §5.7): recent rows stay close together in an index."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & ((1 << 48) - 1)) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))
