"""An SCP-ECG record written by the standard, to see it read again; and written wrongly."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serai.imaging.ecg.scp.sections import crc

Ints = NDArray[np.int64]
# Prefix, its bits first to last, the value; the literal codes are the last two.
SMALL = {0: "0"} | {
    sign * n: "1" * n + "0" + ("0" if sign > 0 else "1") for n in range(1, 9) for sign in (1, -1)
}


@dataclass(frozen=True, slots=True)
class Record:
    """What to write; `sections` replaces or adds whole sections."""

    leads: Mapping[int, Ints]
    nanovolts: int = 5000
    interval_us: int = 2000
    order: int = 2
    huffman: bool = True
    sections: Mapping[int, bytes] = field(default_factory=dict)


def written(record: Record) -> bytes:
    bodies = {
        1: patient(),
        3: definitions([(1, len(run), code) for code, run in record.leads.items()]),
        6: signal(list(record.leads.values()), record),
        **({2: struct.pack("<H", 19999)} if record.huffman else {}),
        **record.sections,
    }
    return framed({number: body for number, body in bodies.items() if body})


def framed(bodies: Mapping[int, bytes]) -> bytes:
    numbers = sorted(bodies)
    pointers_length = 16 + 10 * (len(numbers) + 1)
    at, places = 6 + pointers_length, {0: (pointers_length, 7)}
    for number in numbers:
        length = 16 + len(bodies[number])
        places[number] = (length, at + 1)
        at += length
    pointers = b"".join(struct.pack("<HII", n, *places[n]) for n in [0, *numbers])
    whole = _section(0, pointers, b"SCPECG")
    whole += b"".join(_section(number, bodies[number], b"\0" * 6) for number in numbers)
    sized = struct.pack("<I", len(whole) + 6) + whole
    return struct.pack("<H", crc(sized)) + sized


def resummed(content: bytes) -> bytes:
    """The same bytes with the record's checksum made right again."""
    return struct.pack("<H", crc(content[2:])) + content[2:]


def patient(name: str = "Li", encoding: str = "latin-1", language: int = 0) -> bytes:
    machine = bytearray(36)
    machine[8:14], machine[16] = b"TEST01", language
    tags = {
        0: name.encode(encoding) + b"\0",
        2: b"P1\0",
        5: struct.pack("<HBB", 1970, 5, 15),
        8: b"\x02",
        14: bytes(machine),
        25: struct.pack("<HBB", 2026, 3, 1),
        26: bytes([10, 15, 30]),
    }
    body = b"".join(struct.pack("<BH", tag, len(value)) + value for tag, value in tags.items())
    return body + b"\xff\0\0"


def definitions(leads: Sequence[tuple[int, int, int]], *, subtracted: bool = False) -> bytes:
    head = bytes([len(leads), 4 | subtracted | len(leads) << 3 & 0xF8])
    return head + b"".join(struct.pack("<IIB", *lead) for lead in leads)


def signal(runs: Sequence[Ints], record: Record, *, bimodal: bool = False) -> bytes:
    coded = [_coded(_differences(run, record.order), record.huffman) for run in runs]
    head = struct.pack("<HHBB", record.nanovolts, record.interval_us, record.order, bimodal)
    return head + struct.pack(f"<{len(coded)}H", *map(len, coded)) + b"".join(coded)


def _section(number: int, body: bytes, mark: bytes) -> bytes:
    rest = struct.pack("<HIBB", number, 16 + len(body), 20, 20) + mark + body
    return struct.pack("<H", crc(rest)) + rest


def _differences(run: Ints, order: int) -> Ints:
    if order == 0 or len(run) <= order:
        return run
    return np.concatenate([run[:order], np.diff(run, n=order)])


def _coded(values: Ints, huffman: bool) -> bytes:
    if not huffman:
        return values.astype("<i2").tobytes()
    bits = "".join(_bits(value) for value in values.tolist())
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


def _bits(value: int) -> str:
    if value in SMALL:
        return SMALL[value]
    if -128 <= value < 128:
        return "1" * 9 + "0" + f"{value & 0xFF:08b}"
    return "1" * 10 + f"{value & 0xFFFF:016b}"
