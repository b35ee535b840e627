"""Analysers that behave badly, to be run in the box; and one that behaves well."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

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
    program = f"import time; time.sleep(60)  # {given.options['mark']}"
    subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    return counting(given)


def reading_elsewhere(given: Given) -> Measured:
    return Measured([Figure(COUNT, len(Path(given.options["path"]).read_bytes()), "1")])


def writing_elsewhere(given: Given) -> Measured:
    Path(given.options["path"]).write_text("here")
    return counting(given)


def looking_round(given: Given) -> Measured:
    assert not [name for name in os.environ if name.startswith("SERAI_")]
    assert Path.cwd() == Path(os.environ["HOME"])
    return counting(given)


def filling_the_disk(given: Given) -> Measured:
    with Path("full").open("wb") as file:
        while True:
            file.write(bytes(1 << 20))
