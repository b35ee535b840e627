"""Rows of delimited files with their line numbers, read as they are needed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from serai.fhir.terminology.releases.loading import Bad
from serai.kernel.errors import Invalid


def comma_separated(
    path: Path, columns: Sequence[str], bad: Bad
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with a header that has at least `columns` (RFC 4180)."""
    with _opened(path) as lines:
        reader = csv.DictReader(lines)
        _require(path, columns, reader.fieldnames or ())
        for row in reader:
            if None in row or None in row.values():
                bad.add(path.name, reader.line_num, "columns")
            elif any("\0" in value for value in row.values()):
                bad.add(path.name, reader.line_num, "NUL")
            else:
                yield reader.line_num, row


def tab_separated(
    path: Path, columns: Sequence[str], bad: Bad
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of an RF2 file: tabs, CR LF, no quoting at all."""
    with _opened(path) as lines:
        header = next(lines, "").rstrip("\r\n").split("\t")
        _require(path, columns, header)
        for number, line in enumerate(lines, start=2):
            values = line.rstrip("\r\n").split("\t")
            if len(values) != len(header):
                bad.add(path.name, number, "columns")
            else:
                yield number, dict(zip(header, values, strict=True))


def _opened(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _require(path: Path, columns: Sequence[str], header: Sequence[str]) -> None:
    missing = [one for one in columns if one not in header]
    if missing:
        raise Invalid("terminology.not-this-format", file=path.name, missing=missing)
