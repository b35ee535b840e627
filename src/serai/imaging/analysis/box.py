"""One analyser in a process of its own, which may crash, hang or eat memory without harm.

Limits of CPU time, memory and file size are the kernel's; the time on the clock is ours. Where
the kernel allows, the process has no network, sees no files but code and its own, and takes its
descendants along when it ends. What comes back is one small file of JSON and the objects beside
it, nothing else.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from serai.platform.running import Paused
from serai.platform.settings import Settings

ORDER = "order.json"
RESULT = "result.json"
LARGEST_RESULT = 1 << 20
OUT_OF_MEMORY = 77


@dataclass(frozen=True, slots=True)
class Limits:
    """What one analysis may use."""

    wall_s: float
    cpu_s: int
    memory: int
    written: int = 1 << 30

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        seconds, memory = settings.analysis_seconds, settings.analysis_memory_mb << 20
        return cls(seconds, seconds, memory)


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """result.json as the box writes it."""

    state: str
    why: str | None = None
    details: dict[str, Any] = {}
    figures: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    objects: list[str] = []
    isolation: list[str] = []


async def run(folder: Path, limits: Limits, stop: asyncio.Event) -> Answer:
    """The order in `folder` carried out; raises Paused, and kills, when the server stops."""
    with (folder / "said.txt").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "serai.imaging.analysis.boxed",
            str(os.getpid()),
            str(limits.cpu_s),
            str(limits.memory),
            str(limits.written),
            cwd=folder,
            env=_environment(folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        in_time = await _ended(process, limits.wall_s, stop)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if not in_time:
        return Answer("failed", "analysis.too-slow", {"seconds": int(limits.wall_s)})
    return _answer(folder, process.returncode or 0, limits)


async def _ended(process: asyncio.subprocess.Process, seconds: float, stop: asyncio.Event) -> bool:
    waiting = asyncio.create_task(process.wait())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({waiting, stopping}, timeout=seconds, return_when="FIRST_COMPLETED")
        if stopping.done() and not waiting.done():
            raise Paused
        return waiting.done()
    finally:
        waiting.cancel()
        stopping.cancel()


def _answer(folder: Path, code: int, limits: Limits) -> Answer:
    if code == -signal.SIGXCPU:
        return Answer("failed", "analysis.too-much-cpu", {"seconds": limits.cpu_s})
    if code == OUT_OF_MEMORY:
        return Answer("failed", "analysis.too-much-memory", {"megabytes": limits.memory >> 20})
    path = folder / RESULT
    if code or not path.is_file() or path.is_symlink():
        return Answer("failed", "analysis.crashed", {"code": code})
    if path.stat().st_size > LARGEST_RESULT:
        return Answer("failed", "analysis.result-too-large")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Answer)
    except msgspec.DecodeError:
        return Answer("failed", "analysis.result-unreadable")


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours but where code is found: no settings, no addresses, no secrets."""
    # Where code is, may be read: that must not be a folder above all our state.
    home = folder.absolute().parent.parent
    code = [Path(each).absolute() for each in sys.path if each]
    code = [each for each in code if not home.is_relative_to(each)]
    one_thread = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(map(str, code)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        **dict.fromkeys(one_thread, "1"),
    }
