"""Complete uploads handed over: to the archive's intake, or to a page that asked for them."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from serai.imaging.archive import Archive, Intake, Received
from serai.imaging.ecg import receive
from serai.imaging.uploads import records
from serai.imaging.uploads.parts import Parts
from serai.imaging.uploads.records import Upload
from serai.imaging.uploads.unpacking import members
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, Invalid, Malformed, SeraiError
from serai.platform.db import Database

BATCH = 16
MOST_AT_ONCE = 2000
KEPT, ALREADY, REFUSED = "kept", "already", "refused"


@dataclass(slots=True)
class Opened:
    """A complete upload as a file, in the manner of a form's."""

    filename: str | None
    file: BinaryIO


def named(text: str) -> list[str]:
    """Ids of uploads as a form carries them."""
    ids = list(dict.fromkeys(filter(None, (each.strip() for each in text.split(",")))))
    if len(ids) > MOST_AT_ONCE:
        raise Malformed("uploads.too-many", most=MOST_AT_ONCE)
    return ids


@asynccontextmanager
async def handed_over(
    db: Database, home: Path, ids: Sequence[str], *, actor: Actor, now: datetime
) -> AsyncIterator[list[Opened]]:
    """The files, which go when the block ends well; those handed over before are left out."""
    parts, uploads = Parts(home), await _complete(db, Parts(home), ids, actor=actor, now=now)
    waiting = [each for each in uploads if each.result is None]
    opened: list[Opened] = []
    try:
        for each in waiting:
            file = await asyncio.to_thread(parts.path(each.id).open, "rb")
            opened.append(Opened(each.filename, file))
        yield opened
    finally:
        for one in opened:
            one.file.close()
    async with db.transaction() as tx:
        for each in waiting:
            await records.keep(tx, each.id, {})
    for each in waiting:
        await asyncio.to_thread(parts.remove, each.id)


async def store(
    db: Database, archive: Archive, home: Path, ids: Sequence[str], *, actor: Actor, now: datetime
) -> list[dict[str, Any]]:
    """What became of every object of every upload; asked again, the same answer."""
    parts = Parts(home)
    uploads = await _complete(db, parts, ids, actor=actor, now=now)
    intake, results = archive.intake(db, actor), []
    try:
        for each in uploads:
            result = each.result
            if result is None:
                result = await _stored(intake, parts, each, now)
                async with db.connection() as connection:
                    await records.keep(connection, each.id, result)
                await asyncio.to_thread(parts.remove, each.id)
            results.append({"upload": each.id, **result})
    finally:
        await intake.finish(now=now)
    return results


async def _complete(
    db: Database, parts: Parts, ids: Sequence[str], *, actor: Actor, now: datetime
) -> list[Upload]:
    async with db.connection() as connection:
        uploads = await records.find(connection, ids, actor=actor, now=now)
    for each in uploads:
        if each.result is None and await asyncio.to_thread(parts.size, each.id) < each.length:
            raise Conflict("uploads.incomplete", upload=each.id)
    return uploads


async def _stored(intake: Intake, parts: Parts, upload: Upload, now: datetime) -> dict[str, Any]:
    path, objects = parts.path(upload.id), []
    try:
        await asyncio.to_thread(_check, path, upload.sha256)
        # Beside the upload: what is unpacked may be large.
        with (
            tempfile.TemporaryDirectory(dir=path.parent, prefix="unpacked-") as folder,
            path.open("rb") as file,
            closing(members(upload.filename, file, Path(folder))) as found,
        ):
            while batch := await asyncio.to_thread(_next_batch, found):
                objects += await _kept(intake, batch, now)
    except (Malformed, Invalid) as error:
        objects.append(_refused(upload.filename, error))
    return {"objects": objects}


def _check(path: Path, sha256: str) -> None:
    if not sha256:
        return
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise Malformed("uploads.content-differs")


def _next_batch(found: Any) -> list[tuple[str, Received | SeraiError]]:
    batch: list[tuple[str, Received | SeraiError]] = []
    for name, content in found:
        try:
            batch.append((name, receive(content)))
        except SeraiError as error:
            batch.append((name, error))
            if isinstance(content, Path):
                content.unlink(missing_ok=True)
        if len(batch) == BATCH:
            break
    return batch


async def _kept(
    intake: Intake, batch: Sequence[tuple[str, Received | SeraiError]], now: datetime
) -> list[dict[str, Any]]:
    readable = [each for _, each in batch if isinstance(each, Received)]
    outcomes = iter(await intake.keep(readable, now=now))
    told = []
    for name, each in batch:
        if isinstance(each, SeraiError):
            told.append(_refused(name, each))
            continue
        outcome = next(outcomes)
        uids = {"study": each.instance.study_uid, "instance": each.instance.uid}
        if outcome.error:
            told.append(_refused(name, outcome.error) | uids)
        else:
            told.append({"file": name, "outcome": ALREADY if outcome.already else KEPT} | uids)
        if isinstance(each.content, Path):
            await asyncio.to_thread(each.content.unlink, missing_ok=True)
    return told


def _refused(name: str, error: SeraiError) -> dict[str, Any]:
    return {"file": name, "outcome": REFUSED, "error": error.key}
