"""Memory that goes back to the system once it is free.

By itself the C library raises the size from which a block is mapped alone, and thus returned
alone, to the largest block it ever freed: after one large request all others of that size lie in
the heap, whose holes stay with the process.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

# The numbers that mallopt(3) knows its options by.
TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
# A block mapped alone is paid for page by page, every time: 0.2 ms for a picture of half a megabyte
# that the heap gives in 0.01 ms.
OPTIONS = {MMAP_THRESHOLD: 1 << 20, TRIM_THRESHOLD: 8 << 20, ARENA_MAX: 2}


def return_what_is_free() -> None:
    """For the whole life of the process; does nothing with another C library."""
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        for option, value in OPTIONS.items():
            library.mallopt(option, value)


def give_back() -> None:
    """At once, after something large."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
