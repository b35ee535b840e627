"""The text of a picture, read by a process of its own (`reader`)."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import serai
from serai.deidentify.pixels.reader import HEADER, LENGTH
from serai.deidentify.pixels.regions import Box
from serai.kernel.errors import Unavailable

Picture = NDArray[np.uint8]

# The detector shrinks what is larger than 2000, and small writing with it.
TILE: Final = 1600
OVERLAP: Final = 200
FRAME_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Line:
    """Writing found in a picture, and what it seems to say."""

    box: Box
    text: str


class Reader:
    """Starts its process with the first picture; for one thread at a time."""

    def __init__(self, *, seconds: float = FRAME_S) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def read(self, picture: Picture) -> list[Line]:
        """Every line of writing in an RGB picture; Unavailable when the process fails."""
        return [
            Line(Box(left + x, top + y, right + x, bottom + y), text)
            for x, y, tile in _tiles(picture)
            for left, top, right, bottom, text in self._asked(tile)
        ]

    def _asked(self, tile: Picture) -> list[Any]:
        process = self._process = self._process or _started()
        assert process.stdin
        try:
            rows, columns = tile.shape[:2]
            process.stdin.write(HEADER.pack(rows, columns) + np.ascontiguousarray(tile).tobytes())
            process.stdin.flush()
            until = time.monotonic() + self._seconds
            (length,) = LENGTH.unpack(_exactly(process, LENGTH.size, until))
            answer: list[Any] = json.loads(_exactly(process, length, until))
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            raise Unavailable("deidentify.reader-failed") from error
        return answer


def _started() -> subprocess.Popen[bytes]:
    # Only what Python needs to find its modules: no password of ours, no address.
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(Path(serai.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "serai.deidentify.pixels.reader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        bufsize=0,
    )


def _exactly(process: subprocess.Popen[bytes], size: int, until: float) -> bytes:
    assert process.stdout
    got = b""
    while len(got) < size:
        left = until - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            raise TimeoutError
        part = os.read(process.stdout.fileno(), size - len(got))
        if not part:
            raise EOFError
        got += part
    return got


def _tiles(picture: Picture) -> Iterator[tuple[int, int, Picture]]:
    """Parts that overlap by more than writing is high."""
    rows, columns = picture.shape[:2]
    for top in _starts(rows):
        for left in _starts(columns):
            yield left, top, picture[top : top + TILE, left : left + TILE]


def _starts(length: int) -> Iterator[int]:
    yield 0
    at = TILE - OVERLAP
    while at + OVERLAP < length:
        yield at
        at += TILE - OVERLAP
