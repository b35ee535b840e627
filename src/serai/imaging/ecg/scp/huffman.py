"""Numbers in as few bits as they need, and their differences (EN 1064 §5.5, annex C)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serai.imaging.ecg.scp.sections import Reader, damaged
from serai.kernel.errors import Unsupported

DEFAULT = 19999
MOST_TABLES, MOST_CODES, LONGEST_PREFIX, LONGEST_VALUE = 64, 4096, 32, 32

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Code:
    """What a prefix means: a value of its own, as many bits as follow, or another table."""

    value: int = 0
    extra: int = 0
    table: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Codes by the length and the bits of their prefix, the first bit the highest."""

    codes: Mapping[tuple[int, int], Code]
    longest: int = field(default=0)

    @classmethod
    def of(cls, codes: Mapping[tuple[int, int], Code]) -> Table:
        return cls(codes, max(length for length, _ in codes))


def default_table() -> Table:
    """Short codes for differences up to 8, else 8 or 16 bits as they are (table 5.5.3)."""
    codes = {(1, 0): Code(0)}
    for value in range(1, 9):
        # As many ones as the value, a zero, then the sign.
        prefix = ((1 << value) - 1) << 2
        codes[value + 2, prefix] = Code(value)
        codes[value + 2, prefix | 1] = Code(-value)
    ones = (1 << 9) - 1
    codes[10, ones << 1] = Code(extra=8)
    codes[10, ones << 1 | 1] = Code(extra=16)
    return Table.of(codes)


def tables(section: bytes | None) -> Sequence[Table] | None:
    """Section 2; None when the record uses no Huffman codes at all."""
    if section is None:
        return None
    reader = Reader(section, "section 2")
    count = reader.number("H")
    if count == DEFAULT:
        return [default_table()]
    if not 0 < count <= MOST_TABLES:
        raise damaged("section 2")
    return [_table(reader, count) for _ in range(count)]


def _table(reader: Reader, tables: int) -> Table:
    count = reader.number("H")
    if not 0 < count <= MOST_CODES:
        raise damaged("section 2")
    codes: dict[tuple[int, int], Code] = {}
    for _ in range(count):
        prefix, total, is_value, value, base = reader.numbers("BBBhI")
        if not 0 < prefix <= LONGEST_PREFIX or not 0 <= total - prefix <= LONGEST_VALUE:
            raise damaged("section 2")
        # The first bit of the prefix is the lowest of the number that holds it.
        bits = int(f"{base & ((1 << prefix) - 1):0{prefix}b}"[::-1], 2)
        if not is_value and not 0 < value <= tables:
            raise damaged("section 2")
        code = Code(value, total - prefix) if is_value else Code(table=value - 1)
        codes[prefix, bits] = code
    return Table.of(codes)


class Bits:
    """A run of bits, the highest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._byte = data, 0
        self._chunk, self._have = 0, 0

    def next(self) -> int | None:
        """One bit; None behind the last."""
        if not self._have:
            if self._byte >= len(self._data):
                return None
            self._chunk, self._have = self._data[self._byte], 8
            self._byte += 1
        self._have -= 1
        return self._chunk >> self._have & 1

    def signed(self, count: int) -> int:
        value = 0
        for _ in range(count):
            bit = self.next()
            if bit is None:
                raise damaged("huffman")
            value = value << 1 | bit
        return value - (1 << count) if value >> (count - 1) else value


def decoded(data: bytes, tables: Sequence[Table] | None, count: int) -> Numbers:
    """`count` numbers; plain 16-bit ones when there are no tables."""
    if tables is None:
        if len(data) < 2 * count:
            raise damaged("samples")
        return np.frombuffer(data[: 2 * count], "<i2").astype(np.int64)
    bits, table = Bits(data), tables[0]
    values = np.empty(count, np.int64)
    place = 0
    switches = 0
    while place < count:
        code = _next(bits, table)
        if code.table is not None:
            table = tables[code.table]
            switches += 1
            if switches > count + MOST_TABLES:
                raise damaged("huffman")
            continue
        values[place] = bits.signed(code.extra) if code.extra else code.value
        place += 1
    return values


def _next(bits: Bits, table: Table) -> Code:
    prefix = 0
    for length in range(1, table.longest + 1):
        bit = bits.next()
        if bit is None:
            break
        prefix = prefix << 1 | bit
        code = table.codes.get((length, prefix))
        if code is not None:
            return code
    raise damaged("huffman")


def summed(values: Numbers, order: int) -> Numbers:
    """From first or second differences back to the samples (EN 1064 §5.8.4)."""
    if order == 0:
        return values
    if order == 1:
        return np.cumsum(values)
    if order != 2:
        raise Unsupported("ecg.not-supported", what=f"differences {order}")
    if len(values) < 2:
        return values
    steps = np.concatenate([[values[1] - values[0]], values[2:]])
    return np.concatenate([values[:1], values[0] + np.cumsum(np.cumsum(steps))])
