"""What is left of a PostgreSQL that was killed: its lock file, its processes, its dead body.

``kill(pid, 0)``, which PostgreSQL's own programs ask, finds a process alive until its parent
has taken notice of its death. After `kill -9` that parent is process 1, which is slow in
some containers and deaf in others; then only the kernel's tables tell.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROCESSES = Path("/proc/self")
SHARED_MEMORY = Path("/proc/sysvipc/shm")


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The process that a cluster's lock file names, and its shared memory."""

    pid: int
    shared_memory: int | None

    @property
    def alive(self) -> bool:
        if not PROCESSES.exists():
            return _answers_signals(self.pid)
        try:
            name, _, rest = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            return False
        # A number may have gone to another program since.
        return "postgres" in name and rest.split()[0] not in ("Z", "X")

    @property
    def traceable(self) -> bool:
        """Whether the kernel can tell what is left of it."""
        return self.shared_memory is not None and SHARED_MEMORY.exists()

    @property
    def leaves_processes(self) -> bool:
        """Whether processes still hold the cluster's memory: they may be writing."""
        rows = [line.split() for line in SHARED_MEMORY.read_text().splitlines()[1:]]
        return any(int(row[1]) == self.shared_memory and int(row[6]) > 0 for row in rows)


def named_in(data: Path) -> Postmaster | None:
    """The process that ``postmaster.pid`` names; None when the cluster was stopped well."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        memory = lines[6].split() if len(lines) > 6 else []
        return Postmaster(int(lines[0]), int(memory[1]) if len(memory) > 1 else None)
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _answers_signals(pid: int) -> bool:
    """The best that systems without /proc can tell."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
