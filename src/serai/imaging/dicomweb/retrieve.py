"""Retrieve Transaction, WADO-RS (PS3.18 §10.4): instances, metadata and bulk data."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from hashlib import blake2b

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from serai.imaging import media
from serai.imaging.archive.recalling import require_hot
from serai.imaging.dataset import part10
from serai.imaging.dataset.words import little_endian
from serai.imaging.dicomweb import found, ranges
from serai.imaging.dicomweb.accept import MULTIPART, MediaRange, acceptable, first_covering
from serai.imaging.dicomweb.answers import (
    CACHE,
    COMPRESS_FROM,
    DICOM_JSON,
    dicomweb_root,
    may,
    not_modified,
    require_json,
)
from serai.imaging.dicomweb.found import Address, Blob
from serai.imaging.dicomweb.multipart import closing, part_header
from serai.imaging.dicomweb.pieces import Pieces
from serai.imaging.dicomweb.ready import Answer, Ready
from serai.imaging.dicomweb.stored import vr_at
from serai.imaging.rendering.native import can_decode
from serai.imaging.rendering.syntaxes import can_write
from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound, Unsupported
from serai.kernel.ids import new_id
from serai.platform.blobs import Blobs
from serai.web.authentication import require_actor

DICOM = "application/dicom"
OCTETS = "application/octet-stream"
READY = Ready()
# Objects up to this size are read whole, larger ones streamed.
WHOLE = 16 * 1024 * 1024
AS_STORED = "*"
# Their values do not lie in the blob as they are given.
MOVED = (part10.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, part10.EXPLICIT_VR_BIG_ENDIAN)


async def instances(request: Request) -> Response:
    """Study, series or instance as Part 10 files; a study also as a zip archive."""
    archived = (media.ZIP,) if "series" not in request.path_params else ()
    wanted = first_covering(acceptable(request), DICOM, *archived)
    if wanted is None:
        raise Unsupported("wado.not-acceptable", offered=[DICOM, *archived])
    if wanted[1] == media.ZIP:
        return await as_archive(request)
    return await as_objects(request, await found.blobs(request), wanted[0])


async def as_archive(request: Request) -> Response:
    """The study as it would lie on a disc (PS3.18 §10.4.1, application/zip)."""
    actor, state, now = may(request, "r"), request.app.state, utc_now()
    study = Address.of(request).study
    contents = await media.gathered(state.db, [study], actor=actor, now=now)
    return media.zip_answer(contents, state.blobs, dicomweb_root(request), now)


async def as_objects(request: Request, rows: Sequence[Blob], wanted: MediaRange) -> Response:
    """In the syntax asked for, Explicit VR Little Endian when none was (PS3.18 §8.7.3.5.2)."""
    syntax = wanted.transfer_syntax or part10.EXPLICIT_VR_LITTLE_ENDIAN
    _require_reachable(rows, syntax)
    etag = _etag(rows, syntax, wanted)
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    store: Blobs = request.app.state.blobs
    if len(rows) > 1 and request.app.state.archive.cold:
        # A study that is partly cold would break off in the middle.
        study = Address.of(request).study
        await require_hot(request.app.state.db, study, actor=require_actor(request))
    if not wanted.multipart:
        return await _single(request, rows, syntax, headers)
    return await _multipart(store, rows, syntax, headers)


async def metadata(request: Request) -> Response:
    """Metadata as made when the object arrived; only bulk data addresses become absolute."""
    require_json(request)
    root, version = dicomweb_root(request), await found.state(request)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    key = (root, Address.of(request), version, zipped)
    digest = blake2b(repr(key).encode(), digest_size=16).hexdigest()
    headers = {**CACHE, "ETag": f'"{digest}"'}
    if not_modified(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    answer = READY.get(key)
    if answer is None:
        answer = await asyncio.to_thread(_absolute, await found.metadata(request), root, zipped)
        READY.put(key, answer)
    if answer.encoding:
        headers["Content-Encoding"] = answer.encoding
    return Response(answer.content, headers=headers, media_type=DICOM_JSON)


def _absolute(each: Sequence[bytes], root: str, zipped: bool) -> Answer:  # noqa: FBT001
    joined = b"[" + b",".join(each) + b"]"
    here = b'"BulkDataURI":"' + root.encode("latin-1", "replace") + b"/studies/"
    # A quote inside a value is escaped, so that this meets only addresses of ours.
    content = joined.replace(b'"BulkDataURI":"/studies/', here)
    if zipped and len(content) >= COMPRESS_FROM:
        return Answer(gzip.compress(content, compresslevel=1, mtime=0), "gzip")
    return Answer(content, "")


async def bulk_data(request: Request) -> Response:
    """One large value by its place in the object (PS3.18 §10.4.1.1.5)."""
    wanted = first_covering(acceptable(request), OCTETS)
    if wanted is None:
        raise Unsupported("wado.not-acceptable", offered=[OCTETS])
    row = (await found.blobs(request))[0]
    start, length = _place(row, request.path_params["place"])
    etag = f'"{row.blob[:32]}-{start}-{length}"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    store: Blobs = request.app.state.blobs
    if wanted[0].name == MULTIPART:
        boundary = new_id()
        value = await value_of(store, row, start, length, request.path_params["path"])
        body = part_header(boundary, OCTETS, str(request.url)) + value + closing(boundary)
        return Response(body, headers=headers, media_type=related(OCTETS, boundary))
    stretch = ranges.wanted(request, etag, length)
    headers |= stretch.headers()
    if row.transfer_syntax in MOVED:
        value = await value_of(store, row, start, length, request.path_params["path"])
        part = value[stretch.start : stretch.start + stretch.length]
        return Response(part, stretch.status, headers=headers, media_type=OCTETS)
    content = await ranges.begun(
        ranges.pieces(store, row.blob, start + stretch.start, stretch.length)
    )
    return StreamingResponse(content, stretch.status, headers=headers, media_type=OCTETS)


def related(media_type: str, boundary: str) -> str:
    return f'multipart/related; type="{media_type}"; boundary={boundary}'


def _require_reachable(rows: Sequence[Blob], syntax: str) -> None:
    """Stored as asked, or to be had by transcoding; anything else is 406 (PS3.18 §8.7.3)."""
    for row in rows:
        reachable = can_write(syntax) and (can_decode(row.transfer_syntax) or not row.frames)
        if not _as_stored(row, syntax) and not reachable:
            raise Unsupported("wado.transfer-syntax", stored=row.transfer_syntax, asked=syntax)


def _as_stored(row: Blob, syntax: str) -> bool:
    """What cannot be decoded (video) is given as it is, as is what no client can mistake."""
    if syntax in (AS_STORED, row.transfer_syntax):
        return True
    if not row.frames and syntax not in part10.NATIVE:
        # A report has nothing to compress.
        return row.transfer_syntax == part10.EXPLICIT_VR_LITTLE_ENDIAN
    default = syntax == part10.EXPLICIT_VR_LITTLE_ENDIAN
    return default and not can_decode(row.transfer_syntax)


async def _single(
    request: Request, rows: Sequence[Blob], syntax: str, headers: dict[str, str]
) -> Response:
    if len(rows) > 1:
        raise Unsupported("wado.one-part-for-many", instances=len(rows))
    row, store = rows[0], request.app.state.blobs
    stored = _as_stored(row, syntax)
    content = b"" if stored and row.size > WHOLE else (await _content(store, row, syntax))[0]
    stretch = ranges.wanted(request, headers["ETag"], len(content) or row.size)
    headers |= stretch.headers()
    if not content:
        stream = await ranges.begun(ranges.pieces(store, row.blob, stretch.start, stretch.length))
        return StreamingResponse(stream, stretch.status, headers=headers, media_type=DICOM)
    part = content[stretch.start : stretch.start + stretch.length]
    return Response(part, stretch.status, headers=headers, media_type=DICOM)


async def _multipart(
    store: Blobs, rows: Sequence[Blob], syntax: str, headers: dict[str, str]
) -> Response:
    boundary = new_id()
    first: tuple[bytes, str] | None = None
    if len(rows) == 1 and _as_stored(rows[0], syntax) and rows[0].size <= WHOLE:
        content, given = await _content(store, rows[0], syntax)
        pieces = (_header(boundary, given), content, closing(boundary))
        return Pieces(pieces, headers=headers, media_type=related(DICOM, boundary))
    if all(_as_stored(row, syntax) for row in rows):
        parts = sum(row.size + len(_header(boundary, row.transfer_syntax)) for row in rows)
        headers["Content-Length"] = str(parts + len(closing(boundary)))
    elif not _as_stored(rows[0], syntax):
        # Before the headers: a picture that does not fit the syntax is refused, not cut off.
        first = await _content(store, rows[0], syntax)
    return StreamingResponse(
        await ranges.begun(_parts(store, rows, syntax, boundary, first)),
        headers=headers,
        media_type=related(DICOM, boundary),
    )


async def _parts(
    store: Blobs, rows: Sequence[Blob], syntax: str, boundary: str, first: tuple[bytes, str] | None
) -> AsyncIterator[bytes]:
    for row in rows:
        if _as_stored(row, syntax) and row.size > WHOLE:
            head = _header(boundary, row.transfer_syntax)
            async for chunk in store.stream(row.blob):
                yield head + chunk
                head = b""
        else:
            content, given = first or await _next_content(store, row, syntax)
            yield _header(boundary, given)
            yield content
        first = None
    yield closing(boundary)


def _header(boundary: str, syntax: str) -> bytes:
    return part_header(boundary, f"{DICOM}; transfer-syntax={syntax}")


async def _next_content(store: Blobs, row: Blob, syntax: str) -> tuple[bytes, str]:
    """Of many, one that does not fit the syntax comes uncompressed, and its part says so."""
    try:
        return await _content(store, row, syntax)
    except Unsupported:
        return await _content(store, row, part10.EXPLICIT_VR_LITTLE_ENDIAN)


async def _content(store: Blobs, row: Blob, syntax: str) -> tuple[bytes, str]:
    """The object, and the transfer syntax it is in."""
    from serai.imaging.rendering.transcoding import transcoded

    content = await store.get(row.blob)
    if _as_stored(row, syntax):
        return content, row.transfer_syntax
    if not row.frames and syntax not in part10.NATIVE:
        syntax = part10.EXPLICIT_VR_LITTLE_ENDIAN
    return await asyncio.to_thread(transcoded, content, syntax), syntax


def _place(row: Blob, text: str) -> tuple[int, int]:
    start_text, _, length_text = text.partition("-")
    if not (start_text.isdigit() and length_text.isdigit()) or len(text) > 40:
        raise NotFound("wado.no-such-bulk-data")
    start, length = int(start_text), int(length_text)
    inflated = row.transfer_syntax == part10.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
    if not inflated and start + length > row.size:
        raise NotFound("wado.no-such-bulk-data")
    return start, length


async def value_of(store: Blobs, row: Blob, start: int, length: int, path: str) -> bytes:
    """The value at a place of the object, little endian, whatever syntax it is stored in."""
    if row.transfer_syntax == part10.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        file = await asyncio.to_thread(part10.read, await store.get(row.blob))
        return bytes(file.data[start : start + length])
    value = await store.get_range(row.blob, start, length)
    if row.transfer_syntax == part10.EXPLICIT_VR_BIG_ENDIAN:
        return little_endian(value, vr_at(path))
    return value


def _etag(rows: Sequence[Blob], syntax: str, media_range: MediaRange) -> str:
    digest = blake2b(digest_size=16)
    for row in rows:
        digest.update(row.blob.encode())
    digest.update(f"{syntax} {media_range.name}".encode())
    return f'"{digest.hexdigest()}"'
