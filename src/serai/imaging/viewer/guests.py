"""OHIF for somebody without an account, under an address and with a DICOMweb service of its own.

The same build as /viewer; only where it finds its files and its pictures differs, and that
nothing can be stored.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from serai.imaging.viewer import configuration, page
from serai.imaging.viewer.prepared import Prepared
from serai.imaging.viewer.routes import ASK_AGAIN, MISSING, TYPES, Viewer
from serai.platform.settings import Settings

Admit = Callable[[Request], Awaitable[None]]

SOURCE = {
    "friendlyName": "Serai",
    "name": "serai",
    "imageRendering": "wadors",
    "thumbnailRendering": "wadors",
    "enableStudyLazyLoad": True,
    "qidoSupportsIncludeField": True,
    "supportsFuzzyMatching": False,
    "supportsWildcard": False,
    "supportsStow": False,
    "staticWado": True,
    "singlepart": "bulkdata,video",
    "bulkDataURI": {"enabled": True},
    "omitQuotationForMultipartRequest": True,
}
SCRIPT = """window.config = %s;
(() => {
  const root = `${window.location.origin}%s`;
  const source = window.config.dataSources[0].configuration;
  Object.assign(source, { qidoRoot: root, wadoRoot: root, wadoUriRoot: root });
})();
"""


class GuestViewer(Viewer):
    """`address` and `dicomweb` are paths without a slash at their ends."""

    def __init__(self, settings: Settings, address: str, dicomweb: str, admit: Admit) -> None:
        super().__init__(settings)
        self._prepared = Prepared(settings.home / "cache" / "guests", f"{address}/")
        self._address, self._admit = address, admit
        self._script = SCRIPT % (json.dumps(_configuration(address)), dicomweb)

    async def answer(self, request: Request) -> Response:
        await self._admit(request)
        index = self._root / "index.html"
        if not await asyncio.to_thread(index.is_file):
            return PlainTextResponse(MISSING, 503, {"Cache-Control": "no-store"})
        name = request.path_params["path"]
        if name == "app-config.js":
            headers = {"Cache-Control": ASK_AGAIN}
            return Response(self._script, headers=headers, media_type="text/javascript")
        path = await asyncio.to_thread(self._file, name)
        if path is not None:
            return await self._send(request, path, name)
        if Path(name).suffix in TYPES:
            return PlainTextResponse("Not found\n", 404, {"Cache-Control": "no-store"})
        return await asyncio.to_thread(self._page, index)

    def _page(self, index: Path) -> Response:
        content = page.SERVICE_WORKER.sub("", index.read_text(encoding="utf-8"))
        content = page.ROOT_ADDRESS.sub(rf'\g<attribute>="{self._address}/', content)
        content = content.replace('PUBLIC_URL="/"', f'PUBLIC_URL="{self._address}/"')
        scripts = " ".join(f"'sha256-{_digest(text)}'" for text in page.INLINE.findall(content))
        policy = page.POLICY.format(scripts=scripts)
        headers = {"Cache-Control": "private, no-store", "Content-Security-Policy": policy}
        return HTMLResponse(content, headers=headers)


def routes(settings: Settings, address: str, dicomweb: str, admit: Admit) -> list[BaseRoute]:
    """`admit` raises for whoever may not see the viewer."""
    viewer = GuestViewer(settings, address, dicomweb, admit)
    return [Route(f"{address}/{{path:path}}", viewer.answer, methods=["GET"])]


def _configuration(address: str) -> dict[str, Any]:
    source = {
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
        "sourceName": "serai",
        "configuration": SOURCE,
    }
    return {
        **configuration.CONFIGURATION,
        "routerBasename": address,
        "showStudyList": False,
        "dataSources": [source],
    }


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
