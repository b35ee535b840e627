"""A process beside an import that reads, checks and indexes lines of NDJSON.

It answers each request on its input with one answer on its output, and ends when the input
ends: it cannot outlive the import.
"""

from __future__ import annotations

import gc
import os
import struct
import sys
from datetime import datetime
from typing import IO

import msgspec

from serai.exchange.importing.reading import POINTING
from serai.fhir import body
from serai.fhir.store import Made
from serai.fhir.store.ahead import made
from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError

LENGTH = struct.Struct("!I")
BLOCKS_PER_COLLECTION = 16
LESS_URGENT = 5

# What stands for a line that the import has to look at itself: a bundle, a resource that points
# at others or that is refused. Whatever is wrong is found and told in one place.
Answer = list[Made | None]

_ENCODER = msgspec.msgpack.Encoder()
_LINES = msgspec.msgpack.Decoder(list[bytes])
_ANSWER = msgspec.msgpack.Decoder(Answer)


def asked(lines: list[bytes]) -> bytes:
    """A request as it goes over the pipe."""
    return _framed(_ENCODER.encode(lines))


def answered(message: bytes) -> Answer:
    """What came back, without its length."""
    return _ANSWER.decode(message)


def prepared(line: bytes, *, at: datetime, base: str) -> Made | None:
    """A resource that is kept just as it is, or None."""
    try:
        read = body.parse(line)
        if read.type == "Bundle" or POINTING.search(read.raw):
            return None
        return made(read, at=at, base=base)
    except SeraiError:
        return None


def _framed(message: bytes) -> bytes:
    return LENGTH.pack(len(message)) + message


def serve() -> None:
    """The whole life of the process; its argument is the server's base."""
    # What is decoded from JSON holds no cycles: looking for them among a block's values is a
    # fifth of the work. What a refusal leaves is found between blocks.
    # Whoever writes has only one processor; these have the rest.
    os.nice(LESS_URGENT)
    gc.freeze()
    gc.disable()
    _serve(sys.stdin.buffer, sys.stdout.buffer, sys.argv[1])


def _serve(asking: IO[bytes], answering: IO[bytes], base: str) -> None:
    answered_blocks = 0
    while head := asking.read(LENGTH.size):
        (size,) = LENGTH.unpack(head)
        lines = _LINES.decode(asking.read(size))
        at = utc_now()
        answer = _framed(_ENCODER.encode([prepared(line, at=at, base=base) for line in lines]))
        answering.write(answer)
        answering.flush()
        del lines, answer
        answered_blocks += 1
        if answered_blocks % BLOCKS_PER_COLLECTION == 0:
            gc.collect()
