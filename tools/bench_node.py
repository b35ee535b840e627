"""The server that a benchmark measures, and the CPU time of its processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

BIN = Path(sys.executable).parent
NO_SETTINGS: Mapping[str, str] = {}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Node:
    """A running server: its address, a token, its folder and its process ids."""

    address: str
    token: str
    home: Path
    process: int

    def issue(self, *options: str) -> str:
        """A token, with these options of `serai token`."""
        return subprocess.run(
            [BIN / "serai", "token", "--scope", "system/*.cruds", "--ttl", "4h", *options],
            env={**os.environ, "SERAI_HOME": str(self.home)},
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    @property
    def postmaster(self) -> int:
        text = (self.home / "postgres" / "data" / "postmaster.pid").read_text()
        return int(text.partition("\n")[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(home: Path | None = None, settings: Mapping[str, str] = NO_SETTINGS) -> Iterator[Node]:
    """On a store of its own, or on one that stays; `settings` as the environment has them."""
    with ExitStack() as stack:
        place = home or stack.enter_context(tempfile.TemporaryDirectory(prefix="serai-bench-"))
        port = free_port()
        environment = {
            **os.environ,
            **settings,
            "SERAI_HOME": str(place),
            "SERAI_PORT": str(port),
            "SERAI_DIMSE_PORT": str(free_port()),
        }
        command = [str(BIN / "serai"), "serve"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_ready(address)
            node = Node(address, "", Path(place), process.pid)
            yield replace(node, token=node.issue())
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):  # noqa: S310 (loopback)
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not become ready in 30 s")


def cpu_seconds(root: int) -> float:
    """User and system time of a process and all below it, those that have ended included."""
    parents: dict[int, tuple[int, float]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        except (OSError, ValueError):
            continue
        own = int(fields[11]) + int(fields[12])
        ended = int(fields[13]) + int(fields[14]) if folder.name == str(root) else 0
        parents[int(folder.name)] = (int(fields[1]), (own + ended) / TICKS)
    wanted, total = {root}, 0.0
    for process in sorted(parents):
        parent, used = parents[process]
        if process == root or parent in wanted:
            wanted.add(process)
            total += used
    return total
