"""OHIF's ready-made build under /viewer: files, deep links, our configuration.

`/viewer/viewer?StudyInstanceUIDs=1.2.3` opens a study. Everything here needs a signed-in
session, which the viewer's own requests to /dicomweb then carry as well.
"""

from __future__ import annotations

import asyncio
import gzip
import mimetypes
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from serai.imaging.archive.recalling import is_away
from serai.imaging.viewer import configuration, page
from serai.imaging.viewer.prepared import Prepared
from serai.kernel.actor import Actor
from serai.platform.settings import Settings
from serai.web.authentication import require_actor

DISTRIBUTION = Path("@ohif") / "app" / "dist"
# webpack puts 16 hexadecimal digits of the content's hash into these names.
HASHED = re.compile(r"(?:^|[./])[0-9a-f]{16}\.(?:js|wasm|woff2|css|png|svg)$")
FOREVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"
MISSING = "The image viewer is not installed: run `make setup` (npm package @ohif/app).\n"
TYPES = {".wasm": "application/wasm", ".js": "text/javascript", ".mjs": "text/javascript"}

KEEPING = Path(__file__).with_name("static") / "keeping.js"
# Scripts of ours, in the place of the build's or beside them.
OWN: Mapping[str, Callable[[Actor], str]] = {
    "app-config.js": lambda actor: configuration.script(store=page.may_store(actor)),
    "keeping.js": lambda _: KEEPING.read_text(encoding="utf-8"),
}


class Viewer:
    """The files of one installed OHIF."""

    def __init__(self, settings: Settings) -> None:
        # Absolute, so that a later change of working directory means nothing.
        self._root = (settings.node_modules / DISTRIBUTION).absolute()
        self._prepared = Prepared(settings.home / "cache" / "viewer")

    async def answer(self, request: Request) -> Response:
        index = self._root / "index.html"
        if not await asyncio.to_thread(index.is_file):
            return PlainTextResponse(MISSING, 503, {"Cache-Control": "no-store"})
        name = request.path_params.get("path", "")
        if name in OWN:
            script = OWN[name](require_actor(request))
            headers = {"Cache-Control": ASK_AGAIN, "Vary": "Cookie"}
            return Response(script, headers=headers, media_type="text/javascript")
        path = await asyncio.to_thread(self._file, name)
        if path is not None:
            return await self._send(request, path, name)
        if Path(name).suffix in TYPES:
            # A script that is not there must not come back as a page.
            return PlainTextResponse("Not found\n", 404, {"Cache-Control": "no-store"})
        away = await _or_wait(request)
        if away is not None:
            return away
        return await asyncio.to_thread(page.response, request, index)

    def _file(self, name: str) -> Path | None:
        """A file of the build; never the index, which is rewritten, nor anything outside."""
        path = (self._root / name).resolve()
        inside = path.is_relative_to(self._root.resolve()) and path.name != "index.html"
        return path if inside and path.is_file() else None

    async def _send(self, request: Request, path: Path, name: str) -> Response:
        media_type = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
        headers = {
            "Cache-Control": FOREVER if HASHED.search(name) else ASK_AGAIN,
            "Content-Security-Policy": page.POLICY_OF_FILES,
            "Vary": "Accept-Encoding",
        }
        copy = await self._prepared.of(path, name)
        if copy is None:
            return FileResponse(path, headers=headers, media_type=media_type)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return FileResponse(copy, headers=headers, media_type=media_type)
        content = await asyncio.to_thread(_decompressed, copy)
        return Response(content, headers=headers, media_type=media_type)


async def _or_wait(request: Request) -> Response | None:
    """A study that is away is waited for on a page of its own, which asks who may see it."""
    study = request.query_params.get("StudyInstanceUIDs", "")
    if study and request.app.state.archive.cold and await is_away(request.app.state.db, study):
        return RedirectResponse(f"/recall/{quote(study, safe='')}", 303)
    return None


def _decompressed(copy: Path) -> bytes:
    return gzip.decompress(copy.read_bytes())


def routes(settings: Settings) -> list[BaseRoute]:
    viewer = Viewer(settings)
    return [
        Route("/viewer", viewer.answer, methods=["GET"]),
        Route("/viewer/{path:path}", viewer.answer, methods=["GET"]),
    ]
