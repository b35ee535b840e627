"""The process that reads text in pictures: frames come in on stdin, boxes go out on stdout.

A process of its own, because a network that reads unknown pictures must be able to run out of
memory or time alone. Its models lie in the package; it needs no network and gets none.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
from importlib import import_module
from typing import Any, BinaryIO

HEADER = struct.Struct("<II")
LENGTH = struct.Struct("<I")
MEMORY = 3 << 30
# How sure the recogniser must be that it sees writing at all.
CERTAIN = 0.5


def main() -> None:
    """Until the pipe is closed. Native code must not write between the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # The import is what costs half a second and 200 MB: not before the first frame is due.
    package = import_module("rapidocr_onnxruntime")
    engine = package.RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
    while head := sys.stdin.buffer.read(HEADER.size):
        rows, columns = HEADER.unpack(head)
        line = json.dumps(_read(engine, _picture(sys.stdin.buffer, rows, columns))).encode()
        answers.write(LENGTH.pack(len(line)) + line)
        answers.flush()


def _picture(pipe: BinaryIO, rows: int, columns: int) -> Any:
    import numpy as np

    return np.frombuffer(pipe.read(rows * columns * 3), np.uint8).reshape(rows, columns, 3)


def _read(engine: Any, picture: Any) -> list[tuple[int, int, int, int, str]]:
    lines, _ = engine(picture, text_score=CERTAIN)
    found = []
    for corners, text, _ in lines or []:
        across, down = [point[0] for point in corners], [point[1] for point in corners]
        edges = (int(min(across)), int(min(down)), int(max(across)) + 1, int(max(down)) + 1)
        found.append((*edges, str(text)))
    return found


if __name__ == "__main__":
    main()
