"""What runs inside the box: limits first, then the analyser, then its result on disk.

`python -m serai.imaging.analysis.boxed CPU_SECONDS MEMORY WRITTEN`, in a folder with order.json.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
# The best first; what a kernel or a container forbids is left out, and said.
SEPARATIONS = (
    (CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID, ("user", "network", "processes")),
    (CLONE_NEWNET | CLONE_NEWPID, ("network", "processes")),
    (CLONE_NEWNET, ("network",)),
)
OUT_OF_MEMORY = 77
FILES_OPEN = 1024
# As a shell does, an exit code above this tells the signal.
SIGNALLED = 128


def main() -> None:
    cpu, memory, written = (int(each) for each in sys.argv[1:])
    isolation = _shut(cpu, memory, written)
    order = json.loads(Path("order.json").read_bytes())
    try:
        said = _carried_out(order)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception as error:  # noqa: BLE001 - whatever an analyser does wrong is its result
        # The name of its class only: a message may quote the patient.
        said = {"state": "failed", "why": "analysis.broke", "details": {"error": _named(error)}}
    Path("result.json").write_text(json.dumps(said | {"isolation": isolation}))


def _shut(cpu: int, memory: int, written: int) -> list[str]:
    """Limits that nothing run later can lift, and as much separation as the kernel grants."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    Path("/proc/self/oom_score_adj").write_text("1000")
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_OPEN, FILES_OPEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for flags, names in SEPARATIONS:
        if libc.unshare(flags) == 0:
            if flags & CLONE_NEWPID:
                _as_first_process(libc)
            return list(names)
    return []


def _as_first_process(libc: ctypes.CDLL) -> None:
    """Go on under the first process of the new namespace: when that ends, all the others do.

    The first one itself only waits, because a kernel spares it most signals, its own limit of
    processor time included.
    """
    first = os.fork()
    if first:
        code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        if code > SIGNALLED:
            # Whoever started us shall see what ended the analyser.
            os.kill(os.getpid(), code - SIGNALLED)
        os._exit(code & 0xFF)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    analyser = os.fork()
    if analyser:
        code = os.waitstatus_to_exitcode(os.waitpid(analyser, 0)[1])
        os._exit(code if code >= 0 else SIGNALLED - code)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _carried_out(order: dict[str, Any]) -> dict[str, Any]:
    # Only now is anything loaded that the limits shall hold for.
    outcome = import_module("serai.imaging.analysis.outcome")
    module, _, name = order["function"].partition(":")
    given = outcome.Given(
        [Path(each) for each in order["files"]],
        [Path(each) for each in order["related"]],
        Path(order["model"]) if order["model"] else None,
        order["options"],
    )
    try:
        measured = getattr(import_module(module), name)(given)
    except outcome.Abstained as abstained:
        return {"state": "abstained", "why": abstained.key, "details": abstained.details}
    return {
        "state": "done",
        "figures": [asdict(each) for each in measured.figures],
        "findings": [asdict(each) for each in measured.findings],
        "objects": import_module("serai.imaging.analysis.writing").written(measured, given, order),
    }


def _named(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"[:100]


if __name__ == "__main__":
    main()
