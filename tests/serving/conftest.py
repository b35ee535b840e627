"""Real `serai` processes on a state folder and ports of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SERAI = str(Path(sys.prefix) / "bin" / "serai")
START_WITHIN_S = 60.0


@dataclass
class Place:
    """A state folder with its settings."""

    home: Path
    port: int = field(default_factory=lambda: free_port())
    dimse_port: int = field(default_factory=lambda: free_port())
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SERAI_")}
        return kept | {
            "SERAI_HOME": str(self.home),
            "SERAI_PORT": str(self.port),
            "SERAI_DIMSE_PORT": str(self.dimse_port),
            **self.more,
        }

    def serai(
        self, *arguments: str, typed: str = "", before: Sequence[str] = (), **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [*before, SERAI, *arguments],
            input=typed,
            capture_output=True,
            text=True,
            env=self.environment | more,
            timeout=60,
            check=False,
        )


class Server:
    """A running `serai serve`."""

    def __init__(self, place: Place, arguments: Sequence[str]) -> None:
        self.place = place
        self._log = place.home.parent / f"{place.home.name}.{time.monotonic_ns()}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                # A test run that is killed takes its servers along.
                ["setpriv", "--pdeathsig", "TERM", SERAI, "serve", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=place.environment,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def get(self, path: str) -> int:
        """The status of a GET; 0 when nobody answers."""
        try:
            address = f"http://127.0.0.1:{self.place.port}{path}"
            with urllib.request.urlopen(address, timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def wait_until_ready(self) -> None:
        eventually(lambda: "Serai is ready" in self.said, self)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)

    def children(self, word: str) -> set[int]:
        """Processes of the server whose command line holds the word."""
        return {
            pid
            for pid, parent, command in processes()
            if parent == self.process.pid and word in command
        }


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Server] = []

    def start(place: Place, *arguments: str) -> Server:
        server = Server(place, arguments)
        started.append(server)
        server.wait_until_ready()
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="session")
def used_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A state folder whose database has been made before."""
    place = Place(tmp_path_factory.mktemp("used") / "var")
    checked = place.serai("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return place


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def processes() -> Iterator[tuple[int, int, str]]:
    """Living processes: id, parent's id, command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                status = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if status[0] != "Z":
                yield int(entry.name), int(status[1]), command


def database_processes(home: Path) -> set[int]:
    """The embedded PostgreSQL's first process, while it lives."""
    try:
        pid = int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return set()
    return {pid} & {living for living, _, _ in processes()}


def eventually(holds: Callable[[], bool], server: Server | None = None) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while not holds():
        said = server.said if server else ""
        assert not server or server.process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
