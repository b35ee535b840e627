"""Files of a disc image (ISO 9660), read from where they lie in it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pycdlib import PyCdlib
from pycdlib.pycdlibexception import PyCdlibException

from serai.kernel.errors import Malformed

SECTOR = 2048


@dataclass(frozen=True, slots=True)
class Member:
    """One file: its path on the disc, and where its bytes are in the image."""

    name: str
    image: Path
    start: int
    size: int

    def open(self) -> IO[bytes]:
        return io.BufferedReader(_Stretch(self.image, self.start, self.size))


def members(image: Path) -> list[Member]:
    """Every file of the image, by path; Malformed when it cannot be understood."""
    disc = PyCdlib()
    try:
        disc.open(str(image))
    except (PyCdlibException, ValueError, IndexError, KeyError) as error:
        raise Malformed("import.broken-archive", reason=str(error)) from error
    try:
        found = list(_files(disc, image))
    except PyCdlibException as error:
        raise Malformed("import.broken-archive", reason=str(error)) from error
    finally:
        disc.close()
    return sorted(found, key=lambda member: member.name)


def _files(disc: PyCdlib, image: Path) -> Iterator[Member]:
    whole = image.stat().st_size
    for folder, _, names in disc.walk(iso_path="/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            entry = disc.get_record(iso_path=path)
            start, size = entry.extent_location() * SECTOR, entry.get_data_length()
            if start + size > whole:
                raise Malformed("import.broken-archive", reason="a file ends behind the image")
            shown = path.partition(";")[0].rstrip(".").lstrip("/")
            yield Member(shown, image, start, size)


class _Stretch(io.RawIOBase):
    """A part of a file as a file of its own."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._at)
        part = self._file.read(max(min(len(buffer), self._size - self._at), 0))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()
