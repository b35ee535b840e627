"""Freed memory goes back to the system, even below something that stays."""

from __future__ import annotations

import subprocess
import sys

# A large block that is freed teaches the C library to put later ones into the heap; there the
# last one pins the others.
PROGRAM = """
import os, sys
from serai.kernel.allocating import return_what_is_free
if sys.argv[1] == "set":
    return_what_is_free()
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
large = b"x" * (30 << 20)
del large
several = [bytes([number]) * (2 << 20) for number in range(40)]
last = several.pop()
several.clear()
print(resident() - before)
"""


def kept(how: str) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], check=True, capture_output=True, text=True
    )
    return int(ran.stdout)


def test_what_is_freed_below_something_that_stays_goes_back() -> None:
    assert kept("set") < 8 << 20
    assert kept("not set") > 40 << 20, "without the setting this test shows nothing"
