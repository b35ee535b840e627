"""Store Transaction, STOW-RS (PS3.18 §10.5): each instance stands or falls by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from serai.imaging import reasons
from serai.imaging.archive import Archive, Arriving, Intake, Outcome, Received, receive
from serai.imaging.dataset.model_json import first_text
from serai.imaging.dicomweb.accept import parameters
from serai.imaging.dicomweb.answers import DICOM_JSON, dicomweb_root, may
from serai.imaging.dicomweb.assembling import BulkPart, Parts, assembled, data_sets
from serai.imaging.dicomweb.multipart import PartEnd, PartStart, events
from serai.imaging.dicomweb.spooled import Spooled
from serai.kernel.allocating import give_back
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Malformed, SeraiError, TooLarge, Unsupported
from serai.platform.blobs import Blobs

# A batch is one transaction: enough to spare commits, little enough to keep memory bounded.
BATCH_OBJECTS = 64
BATCH_BYTES = 8 * 1024 * 1024
# A change of thread costs more than writing one piece of a body.
PIECES_AT_ONCE = 8
DICOM = "application/dicom"


@dataclass(slots=True)
class Refused:
    """A part that was not kept; its UIDs where its header could still be read."""

    error: SeraiError
    sop_class: str = ""
    sop_instance: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A part that was kept, without its bytes: a body may bring thousands."""

    sop_class: str
    study: str
    series: str
    sop_instance: str


@dataclass(slots=True)
class Report:
    """What the response tells about each part."""

    stored: list[Stored] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    bytes: int = 0

    def add(self, outcome: Outcome) -> None:
        instance = outcome.received.instance
        if outcome.error is None:
            kept = instance.sop_class, instance.study_uid, instance.series_uid, instance.uid
            self.stored.append(Stored(*kept))
            return
        self.refused.append(Refused(outcome.error, instance.sop_class, instance.uid))


async def store(request: Request) -> Response:
    """POST /studies and POST /studies/{study}."""
    actor = may(request, "c")
    archive: Archive = request.app.state.archive
    content_type = request.headers.get("content-type", "")
    described = _requires_assembling(content_type)
    intake, report = archive.intake(request.app.state.db, actor), Report()
    try:
        read = _assembled_batches if described else _batches
        async for batch in read(content_type, request.stream(), report, archive.blobs):
            await _keep(batch, intake, report, request.path_params.get("study"))
    finally:
        await intake.finish(now=utc_now())
        if report.bytes > BATCH_BYTES:
            await asyncio.to_thread(give_back)
    if not report.stored and not report.refused:
        raise Malformed("stow.no-parts")
    return _response(report, dicomweb_root(request))


def _requires_assembling(content_type: str) -> bool:
    """Whether the objects come as metadata and bulk data, rather than as files."""
    name, _, rest = content_type.partition(";")
    given = parameters(";" + rest)
    kind = given.get("type", DICOM).lower()
    if name.strip().lower() != "multipart/related" or kind not in (DICOM, DICOM_JSON):
        accepted = [f'multipart/related; type="{each}"' for each in (DICOM, DICOM_JSON)]
        raise Unsupported("stow.media-type", accepted=accepted)
    if not given.get("boundary"):
        raise Malformed("multipart.no-boundary")
    return kind == DICOM_JSON


async def _assembled_batches(
    content_type: str, chunks: AsyncIterator[bytes], report: Report, blobs: Blobs
) -> AsyncIterator[list[Received]]:
    """One object at a time: its values may come behind the metadata of all of them."""
    async with AsyncExitStack() as files:
        try:
            described, bulk = await _described(content_type, chunks, files, blobs)
        except (Malformed, TooLarge) as error:
            report.refused.append(Refused(error))
            return
        for each in described:
            try:
                yield [await asyncio.to_thread(_assemble, each, bulk)]
            except SeraiError as error:
                uids = (first_text(each, tag) for tag in ("00080016", "00080018"))
                report.refused.append(Refused(error, *uids))


def _assemble(described: dict[str, Any], bulk: Parts) -> Received:
    return receive(assembled(described, bulk))


async def _described(
    content_type: str, chunks: AsyncIterator[bytes], files: AsyncExitStack, blobs: Blobs
) -> tuple[list[dict[str, Any]], Parts]:
    """The metadata of every object, and the other parts by their location."""
    described: list[dict[str, Any]] = []
    bulk: dict[str, list[BulkPart]] = {}
    part, headers = Spooled(blobs), PartStart()
    try:
        async for event in events(content_type, chunks):
            if isinstance(event, PartStart):
                part, headers = Spooled(blobs), event
            elif isinstance(event, PartEnd):
                content = BulkPart(_kind(headers), await part.complete(files))
                if content.media_type in (DICOM_JSON, "application/json"):
                    described += data_sets(content.read())
                else:
                    bulk.setdefault(headers.headers.get("content-location", ""), []).append(content)
                part = Spooled(blobs)
            else:
                await part.add(event)
    finally:
        part.discard()
    return described, bulk


def _kind(part: PartStart) -> str:
    return part.headers.get("content-type", "application/octet-stream")


async def _keep(
    batch: list[Received], intake: Intake, report: Report, addressed: str | None
) -> None:
    wanted = []
    for received in batch:
        if addressed and received.instance.study_uid != addressed:
            error = Conflict("imaging.not-the-addressed-study")
            report.add(Outcome(received, error=error))
        else:
            wanted.append(received)
    for outcome in await intake.keep(wanted, now=utc_now()):
        report.add(outcome)


async def _batches(
    content_type: str, chunks: AsyncIterator[bytes], report: Report, blobs: Blobs
) -> AsyncIterator[list[Received]]:
    """Readable objects in batches; unreadable ones go straight into the report.

    Files of a batch are deleted when the next batch is asked for.
    """
    batch: list[Received] = []
    size = 0
    async with AsyncExitStack() as files:
        async for arriving in _parts(content_type, chunks, report, files, blobs):
            try:
                received = await asyncio.to_thread(arriving.received)
            except SeraiError as error:
                report.refused.append(Refused(error))
                continue
            batch.append(received)
            size += received.in_memory
            report.bytes += received.in_memory
            if len(batch) >= BATCH_OBJECTS or size >= BATCH_BYTES:
                yield batch
                await files.aclose()
                batch, size = [], 0
        if batch:
            yield batch


async def _parts(
    content_type: str,
    chunks: AsyncIterator[bytes],
    report: Report,
    files: AsyncExitStack,
    blobs: Blobs,
) -> AsyncIterator[Arriving]:
    """Each part's content; what of it is in a file that nobody keeps, `files` deletes.

    A body cut off keeps the parts that were complete; the one cut off is refused.
    """
    part: Arriving | None = None
    pieces: list[bytes] = []
    try:
        async for event in events(content_type, chunks):
            if isinstance(event, PartStart):
                part = files.enter_context(Arriving(blobs)) if _is_dicom(event) else None
                pieces = []
            elif part is None:
                if isinstance(event, PartEnd):
                    report.refused.append(Refused(Malformed("dicom.wrong-media-type")))
            elif isinstance(event, PartEnd):
                await asyncio.to_thread(part.add, *pieces)
                yield part
            else:
                pieces.append(event)
                if len(pieces) >= PIECES_AT_ONCE:
                    await asyncio.to_thread(part.add, *pieces)
                    pieces = []
    except (Malformed, TooLarge) as error:
        report.refused.append(Refused(error))


def _is_dicom(part: PartStart) -> bool:
    return part.headers.get("content-type", DICOM).partition(";")[0].strip().lower() == DICOM


def _response(report: Report, root: str) -> Response:
    """200 all kept, 202 some, 409 none (PS3.18 §10.5.3), with the reason of each refusal."""
    with_uids = [each for each in report.refused if each.sop_instance]
    without = [each for each in report.refused if not each.sop_instance]
    data_set: dict[str, Any] = {}
    studies = {each.study for each in report.stored}
    if len(studies) == 1:
        data_set["00081190"] = _value("UR", f"{root}/studies/{min(studies)}")
    if with_uids:
        data_set["00081198"] = _value("SQ", *(_failed(each) for each in with_uids))
    if report.stored:
        data_set["00081199"] = _value("SQ", *(_stored(each, root) for each in report.stored))
    if without:
        data_set["0008119A"] = _value("SQ", *(_failed(each) for each in without))
    status = 409 if not report.stored else 202 if report.refused else 200
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(data_set), status, headers, DICOM_JSON)


def _failed(refused: Refused) -> dict[str, Any]:
    code, comment = reasons.failure(refused.error)
    item = {
        "00000902": _value("LO", comment),
        "00081150": _value("UI", refused.sop_class),
        "00081155": _value("UI", refused.sop_instance),
        "00081197": _value("US", code),
    }
    return {tag: value for tag, value in item.items() if value["Value"] != [""]}


def _stored(stored: Stored, root: str) -> dict[str, Any]:
    address = (
        f"{root}/studies/{stored.study}/series/{stored.series}/instances/{stored.sop_instance}"
    )
    return {
        "00081150": _value("UI", stored.sop_class),
        "00081155": _value("UI", stored.sop_instance),
        "00081190": _value("UR", address),
    }


def _value(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}
