"""Analysers that behave badly, to be run in the box; and one that behaves well."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from serai.imaging.analysis.outcome import Abstained, Code, Figure, Given, Measured

COUNT = Code("count", "Number of files")


def counting(given: Given) -> Measured:
    return Measured([Figure(COUNT, len(given.files), "1")])


def crashing(given: Given) -> Measured:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def breaking(given: Given) -> Measured:
    raise ValueError("Li^Wei")


def abstaining(given: Given) -> Measured:
    raise Abstained("analysis.contrast")


def endless(given: Given) -> Measured:
    while True:
        pass


def sleeping(given: Given) -> Measured:
    signal.pause()
    raise AssertionError


def hoarding(given: Given) -> Measured:
    hoard = bytearray(10 << 30)
    return Measured([Figure(COUNT, len(hoard), "1")])


def calling_home(given: Given) -> Measured:
    """Tries the address named in its options, by IPv4."""
    with socket.create_connection(("127.0.0.1", given.options["port"]), timeout=2):
        return Measured([Figure(COUNT, 1, "1")])


def leaving_a_child(given: Given) -> Measured:
    """A descendant in a session of its own, which would outlive a killed group."""
    mark = given.options["mark"]
    program = f"import time, pathlib; time.sleep(1.5); pathlib.Path({mark!r}).touch()"
    subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    return counting(given)


def looking_round(given: Given) -> Measured:
    assert not [name for name in os.environ if name.startswith("SERAI_")]
    assert Path.cwd() == Path(os.environ["HOME"])
    return counting(given)


def filling_the_disk(given: Given) -> Measured:
    with Path("full").open("wb") as file:
        while True:
            file.write(bytes(1 << 20))


def once_in_three(given: Given) -> Measured:
    """Fails twice, then works: the count is kept outside the box."""
    marks = Path(given.options["marks"])
    tried: Any = len(list(marks.iterdir()))
    (marks / str(tried)).touch()
    if tried < 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return counting(given)


def slow_at_first(given: Given) -> Measured:
    """Waits for ever the first time, with its process id on disk; later it works."""
    mark = Path(given.options["mark"])
    if not mark.exists():
        mark.write_text(Path("/proc/self/stat").read_text().split()[0])
        signal.pause()
    return counting(given)
