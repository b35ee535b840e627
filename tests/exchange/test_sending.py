from __future__ import annotations

import io
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.imaging.light.stacks import House
from tests.imaging.objects import a_picture
from tests.imaging.uploads.conftest import database, served, token
from typer.testing import CliRunner

from serai.cli.sending import command
from serai.exchange.sending import send
from serai.kernel.errors import Unauthenticated, Unavailable

__all__ = ["database", "served"]


class BadLine:
    """Passes bytes on to a server, and goes dead in the middle of the first connections."""

    def __init__(self, to: str, *, cuts: int, after: int) -> None:
        self._to = urlsplit(to)
        self.cuts, self._after = cuts, after
        self.passed = 0
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                there = socket.create_connection((self._to.hostname or "", self._to.port or 0))
                self._open.append(there)
                threading.Thread(target=self._pass, args=[line, there], daemon=True).start()
                threading.Thread(target=self._back, args=[there, line], daemon=True).start()

    def _pass(self, line: socket.socket, there: socket.socket) -> None:
        left = self._after
        with suppress(OSError), line:
            while data := line.recv(65536):
                if self.cuts and (left := left - len(data)) < 0:
                    # The server learns nothing of it: to it the line is merely silent.
                    self.cuts -= 1
                    return
                there.sendall(data)
                self.passed += len(data)

    @staticmethod
    def _back(there: socket.socket, line: socket.socket) -> None:
        with suppress(OSError):
            while data := there.recv(65536):
                line.sendall(data)

    def close(self) -> None:
        self._listening.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def bad_line(to: str, *, cuts: int, after: int) -> Iterator[BadLine]:
    line = BadLine(to, cuts=cuts, after=after)
    try:
        yield line
    finally:
        line.close()


def large() -> bytes:
    return a_picture(Rows=1024, Columns=1500, PixelData=os.urandom(1024 * 1500))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    study = tmp_path / "study"
    study.mkdir()
    for number in range(3):
        (study / f"{number}.dcm").write_bytes(large())
    (study / "readme.txt").write_text("no picture")
    return study


def test_a_study_arrives_over_a_line_that_breaks_and_is_not_sent_twice(
    served: House, database: str, folder: Path
) -> None:
    secret = token(database, "county", "system/ImagingStudy.cr")
    size = sum(each.stat().st_size for each in folder.iterdir())
    with bad_line(served.address, cuts=3, after=900_000) as line:
        sent = send(folder, line.address, secret, patience_s=60, tell=lambda _: None)
        assert line.cuts == 0
        # What a cut takes with it is what was under way, never what had arrived.
        assert line.passed < size + 3 * 256 * 1024
        assert (sent.kept, sent.refused) == (3, [("readme.txt", "dicom.not-part10")])
        before = line.passed
        again = send(folder, line.address, secret, patience_s=60, tell=lambda _: None)
        assert (again.here, again.kept) == (3, 0)
        assert line.passed - before < 5000


def test_a_zip_is_sent_whole_and_taken_apart_there(
    served: House, database: str, tmp_path: Path
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", a_picture())
        archive.writestr("b", a_picture())
    (tmp_path / "disc.zip").write_bytes(packed.getvalue())
    given = [str(tmp_path / "disc.zip"), "--to", served.address]
    secret = token(database, "county", "system/ImagingStudy.cr")
    ran = CliRunner().invoke(command, given, env={"SERAI_TOKEN": secret})
    assert (ran.exit_code, "2 sent, 0 there already" in ran.output) == (0, True)


def test_nobody_waits_forever_nor_for_a_wrong_token(served: House, folder: Path) -> None:
    with pytest.raises(Unauthenticated):
        send(folder, served.address, "wrong", patience_s=5, tell=lambda _: None)
    with pytest.raises(Unavailable):
        send(folder, "http://127.0.0.1:9", "any", patience_s=0.1, tell=lambda _: None)
