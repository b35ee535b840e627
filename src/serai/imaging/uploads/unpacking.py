"""The files in a file: itself, or everything in a zip archive."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from serai.kernel.errors import Malformed

IN_MEMORY = 8 * 1024 * 1024
LARGEST_OBJECT = 4 * 1024**3
MOST_IN_ZIP = 100_000
MOST_UNPACKED = 64 * 1024**3
# Files that lie beside the pictures on every disc and are nobody's mistake.
BESIDE = frozenset({"dicomdir", ".ds_store", "thumbs.db", "desktop.ini", "autorun.inf"})


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def members(
    name: str, file: BinaryIO, folder: Path
) -> Generator[tuple[str, bytes | Path], None, None]:
    """Each name and content; what is too large for memory becomes a file in `folder`."""
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        if not _beside(name):
            file.seek(0)
            yield name, _content(file, folder)
        return
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            yield from _zipped(archive, folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise Malformed("uploads.zip-broken") from error


def _zipped(archive: zipfile.ZipFile, folder: Path) -> Iterator[tuple[str, bytes | Path]]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MOST_IN_ZIP:
        raise Malformed("uploads.zip-too-many", most=MOST_IN_ZIP)
    # What an entry says of its size is the most that reading it gives.
    if sum(entry.file_size for entry in entries) > MOST_UNPACKED:
        raise Malformed("uploads.zip-too-large", gigabytes=MOST_UNPACKED >> 30)
    for entry in entries:
        if not _beside(entry.filename):
            with archive.open(entry) as member:
                yield entry.filename, _content(member, folder)


def _beside(name: str) -> bool:
    path = Path(name)
    return path.name.lower() in BESIDE or "__MACOSX" in path.parts


def _content(file: Readable, folder: Path) -> bytes | Path:
    """Small objects in memory, large ones in a file; never more than the largest allowed."""
    head = file.read(IN_MEMORY)
    if len(head) < IN_MEMORY:
        return head
    written = len(head)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as target:
        target.write(head)
        while part := file.read(1 << 20):
            written += len(part)
            if written > LARGEST_OBJECT:
                raise Malformed("uploads.object-too-large")
            target.write(part)
    return Path(target.name)
