"""Files the browser loads: read once, named by content hash, compressed once, cached for ever."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import serai
from serai.platform.settings import Settings

ROOMS = Path(serai.__file__).parent
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}
TEXT = frozenset({".css", ".js", ".svg", ".webmanifest"})

# Names that come from npm instead of a room's `static` folder.
FROM_NPM = {"htmx.js": "htmx.org/dist/htmx.min.js"}

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file with what its answers need."""

    content: bytes
    compressed: bytes | None
    media_type: str
    digest: str


def static(name: str) -> str:
    """Address of a file: `care/chart/x.js` is `serai/care/chart/static/x.js`, `x.js` is ours."""
    asset = _asset(name)
    version = f"?v={asset.digest}" if asset else ""
    return f"/static/{quote(name)}{version}"


async def serve(request: Request) -> Response:
    asset = _asset(request.path_params["name"])
    if asset is None:
        raise HTTPException(404)
    headers = {
        "ETag": f'"{asset.digest}"',
        "Vary": "Accept-Encoding",
        "Cache-Control": FOR_EVER if request.query_params.get("v") == asset.digest else ASK_AGAIN,
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if asset.compressed and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.compressed, media_type=asset.media_type, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def routes() -> list[Route]:
    return [Route("/static/{name:path}", serve, methods=["GET"])]


@cache
def _asset(name: str) -> Asset | None:
    path = _file(name)
    if path is None:
        return None
    content = path.read_bytes()
    small = gzip.compress(content, 9, mtime=0) if path.suffix in TEXT else None
    return Asset(
        content=content,
        compressed=small,
        media_type=MEDIA_TYPES[path.suffix],
        digest=hashlib.sha256(content).hexdigest()[:16],
    )


def _file(name: str) -> Path | None:
    if name in FROM_NPM:
        path = Settings().node_modules / FROM_NPM[name]
        return path if path.is_file() else None
    room, _, file = f"web/{name}".rpartition("/") if "/" not in name else name.rpartition("/")
    folder = (ROOMS / room / "static").resolve()
    path = (folder / file).resolve()
    inside = path.parent == folder and folder.is_relative_to(ROOMS)
    return path if inside and path.suffix in MEDIA_TYPES and path.is_file() else None
