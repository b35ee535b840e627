"""A part of the server as a process of its own, kept alive until told to stop.

A pair of connected sockets joins the two processes. The supervisor sends one line of JSON
with the settings, and the listening sockets; the part answers with one line, ``{}`` when it
is ready or ``{"error": …}`` when it cannot start. The pair then stays open: when its other
end closes, the supervisor is gone and so must the part be, however either of them died.
"""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass

from serai.kernel.errors import SeraiError, Unavailable

START_WITHIN_S = 60.0
STOP_WITHIN_S = 8.0
LONGEST_PAUSE_S = 30.0
# Who has run this long was not broken from the start, and begins again without a pause.
RAN_WELL_S = 60.0
READY = b"{}\n"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What a part needs to begin: the settings as JSON and the listening sockets, the web's
    first and then those of DICOM."""

    settings: str
    listening: Sequence[socket.socket]


class Part:
    """One process and the thread that looks after it."""

    def __init__(self, name: str, kind: str, order: Future[Order]) -> None:
        self.name = name
        self._command = [sys.executable, "-m", "serai.serving.part", kind]
        self._order = order
        self._started: Future[None] = Future()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep, name=f"keeper of {name}", daemon=True)

    def start(self) -> None:
        self._keeper.start()

    def wait_until_ready(self) -> None:
        """Raises what the part said when it could not start."""
        try:
            self._started.result(START_WITHIN_S)
        except TimeoutError as error:
            raise Unavailable("part.does-not-start", part=self.name) from error

    def ask_to_stop(self) -> None:
        with self._lock:
            self._stop.set()
            if self._process:
                self._process.terminate()

    def wait_until_stopped(self, deadline: float) -> None:
        """Kills the part when it is not gone at `deadline` (monotonic seconds)."""
        self._keeper.join(max(0.0, deadline - time.monotonic()))
        if self._keeper.is_alive() and self._process:
            self._process.kill()
            self._keeper.join(1.0)

    def _keep(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            began = time.monotonic()
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    process = self._spawn(theirs)
                if process is None:
                    return
                answer = self._conversation(ours, process)
            if not self._started.done():
                self._started.set_exception(_refusal(self.name, answer))
                return
            lasted = time.monotonic() - began
            pause = 0.0 if lasted > RAN_WELL_S else min(LONGEST_PAUSE_S, 2 * pause + 0.25)
            if not self._stop.is_set():
                log.error("%s died with code %s", self.name, process.returncode)

    def _spawn(self, theirs: socket.socket) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stop.is_set():
                return None
            # A session of its own: Ctrl-C reaches only the supervisor, which stops in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command, stdin=theirs.fileno(), start_new_session=True
            )
            return self._process

    def _conversation(self, ours: socket.socket, process: subprocess.Popen[bytes]) -> bytes:
        answer = b""
        with suppress(OSError, CancelledError), ours.makefile("rb") as said:
            order = self._order.result()
            line = order.settings.encode() + b"\n"
            socket.send_fds(ours, [line], [each.fileno() for each in order.listening])
            answer = said.readline()
        if answer != READY:
            process.kill()
        elif not self._started.done():
            self._started.set_result(None)
        process.wait()
        return answer


class Parts:
    """All parts of one server, started early, begun together and stopped together."""

    def __init__(self) -> None:
        self._order: Future[Order] = Future()
        self._parts: list[Part] = []

    def close(self) -> None:
        """Stop all together; closing again does nothing."""
        self._order.cancel()
        for part in self._parts:
            part.ask_to_stop()
        deadline = time.monotonic() + STOP_WITHIN_S
        for part in self._parts:
            part.wait_until_stopped(deadline)

    def add(self, name: str, kind: str) -> None:
        """Start the process; it loads its code and waits for the order to begin."""
        part = Part(name, kind, self._order)
        self._parts.append(part)
        part.start()

    def begin(self, order: Order) -> None:
        """Give the order to every part, now and after each restart, and wait for all."""
        self._order.set_result(order)
        for part in self._parts:
            part.wait_until_ready()


def _refusal(name: str, answer: bytes) -> SeraiError:
    said = json.loads(answer) if answer.startswith(b"{") else {}
    if "error" in said:
        return Unavailable(said["error"], **said["details"])
    return Unavailable("part.does-not-start", part=name)
