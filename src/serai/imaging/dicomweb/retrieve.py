"""Retrieve Transaction, WADO-RS (PS3.18 §10.4): instances, metadata and bulk data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from hashlib import blake2b

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from serai.imaging.dataset import part10
from serai.imaging.dataset.elements import public_vr
from serai.imaging.dicomweb import found
from serai.imaging.dicomweb.accept import MediaRange, acceptable, first_covering
from serai.imaging.dicomweb.answers import (
    CACHE,
    dicom_json,
    dicomweb_root,
    not_modified,
    require_json,
)
from serai.imaging.dicomweb.found import Blob
from serai.imaging.dicomweb.multipart import closing, part_header
from serai.imaging.rendering.native import as_explicit_little_endian, can_decode
from serai.kernel.errors import Malformed, NotFound, Unsupported
from serai.kernel.ids import new_id
from serai.platform.blobs import Blobs

DICOM = "application/dicom"
OCTETS = "application/octet-stream"
# Objects up to this size are read whole, larger ones streamed.
WHOLE = 16 * 1024 * 1024
AS_STORED = "*"


async def instances(request: Request) -> Response:
    """Study, series or instance as Part 10 files."""
    wanted = first_covering(acceptable(request), DICOM)
    if wanted is None:
        raise Unsupported("wado.not-acceptable", offered=[DICOM])
    rows = await found.blobs(request)
    syntax = wanted[0].transfer_syntax or part10.EXPLICIT_VR_LITTLE_ENDIAN
    _require_reachable(rows, syntax)
    etag = _etag(rows, syntax, wanted[0])
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    store: Blobs = request.app.state.blobs
    if wanted[0].name == DICOM:
        return await _single(store, rows, syntax, headers)
    return _multipart(store, rows, syntax, headers)


async def metadata(request: Request) -> Response:
    """Metadata as made when the object arrived; only bulk data addresses become absolute."""
    require_json(request)
    joined = b"[" + b",".join(await found.metadata(request)) + b"]"
    root = dicomweb_root(request).encode("latin-1", "replace")
    # A quote inside a value is escaped, so that this meets only addresses of ours.
    absolute = joined.replace(b'"BulkDataURI":"/studies/', b'"BulkDataURI":"' + root + b"/studies/")
    return dicom_json(request, absolute)


async def bulk_data(request: Request) -> Response:
    """One large value by its place in the object (PS3.18 §10.4.1.1.5)."""
    wanted = first_covering(acceptable(request), OCTETS)
    if wanted is None:
        raise Unsupported("wado.not-acceptable", offered=[OCTETS])
    rows = await found.blobs(request)
    value = await _value(request.app.state.blobs, rows[0], request.path_params)
    etag = f'"{rows[0].blob[:32]}-{request.path_params["place"]}"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    if wanted[0].name != "multipart/related":
        return Response(value, headers=headers, media_type=OCTETS)
    boundary = new_id()
    body = part_header(boundary, OCTETS, str(request.url)) + value + closing(boundary)
    return Response(body, headers=headers, media_type=related(OCTETS, boundary))


def related(media_type: str, boundary: str) -> str:
    return f'multipart/related; type="{media_type}"; boundary={boundary}'


def _require_reachable(rows: Sequence[Blob], syntax: str) -> None:
    """Stored as asked, or decodable to the default; anything else is 406 (PS3.18 §8.7.3)."""
    for row in rows:
        if not _as_stored(row, syntax) and syntax != part10.EXPLICIT_VR_LITTLE_ENDIAN:
            raise Unsupported("wado.transfer-syntax", stored=row.transfer_syntax, asked=syntax)


def _as_stored(row: Blob, syntax: str) -> bool:
    """What cannot be decoded (video) is given as it is, as is what no client can mistake."""
    if syntax in (AS_STORED, row.transfer_syntax):
        return True
    default = syntax == part10.EXPLICIT_VR_LITTLE_ENDIAN
    return default and not can_decode(row.transfer_syntax)


async def _single(
    store: Blobs, rows: Sequence[Blob], syntax: str, headers: dict[str, str]
) -> Response:
    if len(rows) > 1:
        raise Unsupported("wado.one-part-for-many", instances=len(rows))
    if _as_stored(rows[0], syntax) and rows[0].size > WHOLE:
        headers["Content-Length"] = str(rows[0].size)
        stream = store.stream(rows[0].blob)
        return StreamingResponse(stream, headers=headers, media_type=DICOM)
    content = await _content(store, rows[0], syntax)
    return Response(content, headers=headers, media_type=DICOM)


def _multipart(
    store: Blobs, rows: Sequence[Blob], syntax: str, headers: dict[str, str]
) -> Response:
    boundary = new_id()
    if all(_as_stored(row, syntax) for row in rows):
        parts = sum(row.size + len(_header(boundary, row, syntax)) for row in rows)
        headers["Content-Length"] = str(parts + len(closing(boundary)))
    return StreamingResponse(
        _parts(store, rows, syntax, boundary),
        headers=headers,
        media_type=related(DICOM, boundary),
    )


async def _parts(
    store: Blobs, rows: Sequence[Blob], syntax: str, boundary: str
) -> AsyncIterator[bytes]:
    for row in rows:
        header = _header(boundary, row, syntax)
        if _as_stored(row, syntax) and row.size > WHOLE:
            yield header
            async for chunk in store.stream(row.blob):
                yield chunk
        else:
            yield header + await _content(store, row, syntax)
    yield closing(boundary)


def _header(boundary: str, row: Blob, syntax: str) -> bytes:
    given = row.transfer_syntax if _as_stored(row, syntax) else syntax
    return part_header(boundary, f"{DICOM}; transfer-syntax={given}")


async def _content(store: Blobs, row: Blob, syntax: str) -> bytes:
    content = await store.get(row.blob)
    if _as_stored(row, syntax):
        return content
    return await asyncio.to_thread(as_explicit_little_endian, content)


async def _value(store: Blobs, row: Blob, path: dict[str, str]) -> bytes:
    start_text, _, length_text = path["place"].partition("-")
    if not (start_text.isdigit() and length_text.isdigit()) or len(path["place"]) > 40:
        raise NotFound("wado.no-such-bulk-data")
    start, length = int(start_text), int(length_text)
    if row.transfer_syntax == part10.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        file = await asyncio.to_thread(part10.read, await store.get(row.blob))
        return bytes(file.data[start : start + length])
    if start + length > row.size:
        raise NotFound("wado.no-such-bulk-data")
    value = await store.get_range(row.blob, start, length)
    if row.transfer_syntax == part10.EXPLICIT_VR_BIG_ENDIAN:
        return little_endian(value, _vr_at(path["path"]))
    return value


def _vr_at(path: str) -> str:
    last = path.rpartition("/")[2]
    try:
        return public_vr(int(last, 16))
    except ValueError as error:
        raise Malformed("wado.bulk-data-path") from error


def little_endian(value: bytes, vr: str) -> bytes:
    """Words turned round: what leaves the archive as octets is little endian (PS3.18 §8.7.3.3)."""
    width = 4 if vr in ("OF", "OL") else 8 if vr in ("OD", "OV") else 2 if "OW" in vr else 1
    if width == 1:
        return value
    swapped = bytearray(len(value))
    for byte in range(width):
        swapped[byte::width] = value[width - 1 - byte :: width]
    return bytes(swapped)


def _etag(rows: Sequence[Blob], syntax: str, media_range: MediaRange) -> str:
    digest = blake2b(digest_size=16)
    for row in rows:
        digest.update(row.blob.encode())
    digest.update(f"{syntax} {media_range.name}".encode())
    return f'"{digest.hexdigest()}"'
