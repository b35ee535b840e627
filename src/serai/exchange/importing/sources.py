"""Every file of a folder, a disc image, a zip, or of zips within: where it is, how to read it.

Nothing is ever unpacked under a name from the archive, so a hostile path has nowhere to go.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, cast

from serai.exchange.importing import discs, limits
from serai.exchange.importing.recognise import HEAD, Form, is_litter, recognise
from serai.kernel.errors import Malformed, NotFound, SeraiError, TooLarge, Unsupported

CHUNK = 1 << 20
# Everything that zipfile, gzip and zlib raise for bytes that are not what they claim.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError)


@dataclass(frozen=True)
class Source:
    """One file, wherever it lies. `place` is its path within what is imported; parts of an
    archive follow its name after "!". `path` is set when it is a plain file on disk, `type` when
    all its resources must be of one type."""

    place: str
    size: int
    form: Form
    open: Callable[[], IO[bytes]] = field(compare=False)
    path: Path | None = None
    error: SeraiError | None = None
    type: str | None = None

    def read(self, most: int) -> bytes:
        """The whole content; TooLarge when it is more than `most` bytes."""
        with reading(), self.open() as stream:
            data = stream.read(most + 1)
        if len(data) > most:
            raise TooLarge("import.too-large", most=most >> 20)
        return data


@contextmanager
def reading() -> Iterator[None]:
    """Turns what the operating system and the unpackers say into our own errors."""
    try:
        yield
    except BROKEN as error:
        raise Malformed("import.broken-archive", reason=str(error)) from error
    except OSError as error:
        raise Malformed("import.unreadable", reason=error.strerror or str(error)) from error
    except RuntimeError as error:
        # zipfile has no narrower word for an entry that needs a password.
        if "password" not in str(error):
            raise
        raise Unsupported("import.encrypted") from error


@dataclass
class _Unpacking:
    """What one archive and the archives within may still unpack to."""

    left: int
    depth: int = 0

    def spend(self, size: int) -> None:
        if size > self.left:
            raise TooLarge("import.unpacks-too-far", most=limits.UNPACKED_RATIO)
        self.left -= size


def sources(root: Path, stack: ExitStack) -> Iterator[Source]:
    """All files under `root` in a fixed order; archives stay open until `stack` closes."""
    if not root.exists():
        raise NotFound("import.no-such-path", path=str(root))
    for path in _files(root):
        place = path.name if path == root else path.relative_to(root).as_posix()
        if not is_litter(place):
            source = _on_disk(path, place)
            most = max(source.size * limits.UNPACKED_RATIO, limits.UNPACKED_ALWAYS)
            yield from _expanded(source, stack, _Unpacking(most))


def _files(root: Path) -> Iterator[Path]:
    """Files, and what stands in the way of finding more: locked folders, links to folders."""
    if not root.is_dir():
        yield root
        return
    closed: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=lambda error: closed.append(_of(error))):
        folders.sort()
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(folder) / name
    yield from closed


def _of(error: OSError) -> Path:
    return Path(os.fsdecode(error.filename))


def _on_disk(path: Path, place: str) -> Source:
    # A name that is not UTF-8 cannot be written down or shown.
    place = place.encode(errors="replace").decode()
    source = Source(place, 0, Form.UNKNOWN, lambda: path.open("rb"), path)
    try:
        with reading():
            if not path.is_file():
                raise Unsupported("import.not-a-file")
            return _recognised(replace(source, size=path.stat().st_size))
    except SeraiError as error:
        return replace(source, error=error)


def _recognised(source: Source) -> Source:
    try:
        with reading(), source.open() as stream:
            return replace(source, form=recognise(stream.read(HEAD)))
    except SeraiError as error:
        return replace(source, error=error)


def _expanded(source: Source, stack: ExitStack, unpacking: _Unpacking) -> Iterator[Source]:
    if source.form is Form.GZIP and source.error is None:
        yield _recognised(_unzipped(source))
        return
    if source.form is Form.DISC and source.path and source.error is None:
        yield from _of_image(source, source.path)
        return
    if source.form is not Form.ZIP or source.error is not None:
        yield source
        return
    try:
        with reading():
            archive = _opened(source, stack, unpacking)
            members = _members(archive, unpacking)
    except SeraiError as error:
        yield replace(source, error=error)
        return
    unpacking.depth += 1
    for member in members:
        yield from _expanded(_member(archive, member, source.place), stack, unpacking)
    unpacking.depth -= 1


def _of_image(source: Source, image: Path) -> Iterator[Source]:
    """The files of a disc image, none of which is unpacked further."""
    try:
        with reading():
            members = discs.members(image)
    except SeraiError as error:
        yield replace(source, error=error)
        return
    for member in members:
        if not is_litter(member.name):
            place = f"{source.place}!{member.name}"
            yield _recognised(Source(place, member.size, Form.UNKNOWN, member.open))


def _unzipped(source: Source) -> Source:
    place = source.place.removesuffix(".gz")

    def opened() -> IO[bytes]:
        return cast(IO[bytes], _Unzipped(source.open()))

    return Source(place, source.size, Form.UNKNOWN, opened)


class _Unzipped(gzip.GzipFile):
    """Closes what it reads from; GzipFile leaves a given file open."""

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__(fileobj=packed)
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def _opened(source: Source, stack: ExitStack, unpacking: _Unpacking) -> zipfile.ZipFile:
    if unpacking.depth >= limits.ARCHIVES_WITHIN_ARCHIVES:
        raise Unsupported("import.too-deep")
    if source.path:
        return stack.enter_context(zipfile.ZipFile(source.path))
    # An archive within an archive: its directory is at the end, so it needs a seekable copy.
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by the stack
    with source.open() as stream:
        shutil.copyfileobj(stream, spool, CHUNK)
    return stack.enter_context(zipfile.ZipFile(spool))


def _members(archive: zipfile.ZipFile, unpacking: _Unpacking) -> list[zipfile.ZipInfo]:
    """The files in an archive, refused when they would unpack to absurdly more than it holds."""
    members = [
        member
        for member in sorted(archive.infolist(), key=lambda member: member.filename)
        if not member.is_dir() and not is_litter(member.filename)
    ]
    unpacking.spend(sum(member.file_size for member in members))
    return members


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, outer: str) -> Source:
    # zipfile stops at the size the directory declares, which `_members` has judged.
    place = f"{outer}!{member.filename}".encode(errors="replace").decode()
    return _recognised(Source(place, member.file_size, Form.UNKNOWN, lambda: archive.open(member)))
