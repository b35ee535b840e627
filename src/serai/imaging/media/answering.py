"""Media as answers to requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

from starlette.responses import Response, StreamingResponse

from serai.imaging.media.contents import Contents, File
from serai.imaging.media.disc import mastered
from serai.imaging.media.readme import readme
from serai.imaging.media.zipped import zipped
from serai.kernel.errors import TooLarge
from serai.kernel.ids import new_id
from serai.platform.blobs import Blobs

ZIP = "application/zip"
DISC = "application/vnd.efi.iso"
DIRECTORY, README = "DICOMDIR", "README.TXT"
CHUNK = 1 << 20
# ISO 9660 keeps the size of a file in 32 bits.
LARGEST = (1 << 32) - 1
NOT_KEPT = {"Cache-Control": "private, no-store"}


def zip_answer(contents: Contents, blobs: Blobs, origin: str, now: datetime) -> Response:
    """The archive, streamed."""
    pieces = zipped(contents, blobs, _beside(contents, origin, now), now)
    return StreamingResponse(pieces, headers=_named("zip", now), media_type=ZIP)


async def disc_answer(contents: Contents, blobs: Blobs, origin: str, now: datetime) -> Response:
    """The disc image: mastered in a file, as the format wants its sizes first, then streamed."""
    if any(file.size > LARGEST for file in contents.files):
        raise TooLarge("media.too-large-for-disc")
    spool = blobs.unfinished(f"disc-{new_id()}")
    image = spool.with_name(f"{spool.name}.iso")
    made: list[Path] = []
    try:
        files = {
            name: await _written(spool, made, content)
            for name, content in _beside(contents, origin, now).items()
        }
        for file in contents.files:
            files[file.path] = await _on_disk(contents, blobs, file, spool, made)
        await asyncio.to_thread(mastered, files, image)
    except BaseException:
        image.unlink(missing_ok=True)
        raise
    finally:
        for path in made:
            path.unlink(missing_ok=True)
    # Whoever has it open reads on; nothing is left when the line breaks.
    stream = await asyncio.to_thread(image.open, "rb")
    image.unlink()
    headers = {**_named("iso", now), "Content-Length": str(stream.seek(0, 2))}
    stream.seek(0)

    async def pieces() -> AsyncIterator[bytes]:
        with stream:
            while part := await asyncio.to_thread(stream.read, CHUNK):
                yield part

    return StreamingResponse(pieces(), headers=headers, media_type=DISC)


def _beside(contents: Contents, origin: str, now: datetime) -> dict[str, bytes]:
    """The files of the media that are not objects."""
    return {README: readme(contents, origin, now), DIRECTORY: contents.directory()}


async def _on_disk(
    contents: Contents, blobs: Blobs, file: File, spool: Path, made: list[Path]
) -> Path:
    """The blob itself where it is a file as wanted, else a copy beside the uploads."""
    local = blobs.local(file.blob)
    if local and contents.hiding is None:
        return local
    path = spool.with_name(f"{spool.name}-{len(made)}")
    made.append(path)
    with await asyncio.to_thread(path.open, "xb") as target:
        async for part in contents.pieces(blobs, file):
            await asyncio.to_thread(target.write, part)
    return path


async def _written(spool: Path, made: list[Path], content: bytes) -> Path:
    path = spool.with_name(f"{spool.name}-{len(made)}")
    made.append(path)
    await asyncio.to_thread(path.write_bytes, content)
    return path


def _named(suffix: str, now: datetime) -> dict[str, str]:
    """A name that says nothing about anybody."""
    name = f"images-{now:%Y%m%d-%H%M%S}.{suffix}"
    return {**NOT_KEPT, "Content-Disposition": f'attachment; filename="{name}"'}
