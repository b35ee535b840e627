"""A server of files as other systems offer them: it can break off, stall, move away and pack."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

HOST = "127.0.0.1"


@dataclass
class File:
    """`breaks` lists after how many bytes each of the first answers ends; None in `etag` is a
    server that has none. `stalls` waits there for `Shelf.go`."""

    content: bytes = b""
    status: int = 200
    etag: str | None = '"one"'
    headers: dict[str, str] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    passing: list[int] = field(default_factory=list)
    chunked: bool = False
    stalls: int | None = None


@dataclass
class Shelf:
    files: dict[str, File] = field(default_factory=dict)
    heard: list[tuple[str, str | None]] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    scheme: str = "http"

    def url(self, name: str, host: str = HOST) -> str:
        return f"{self.scheme}://{host}:{self.port}/{name}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix("/")
        self.heard.append((name, request.headers.get("range")))
        self.hosts.append(request.headers["host"])
        file = self.files.get(name)
        if file is None:
            return web.Response(status=404)
        if file.passing:
            return web.Response(status=file.passing.pop(0))
        start = self._start(request, file)
        if start and start >= len(file.content):
            return web.Response(
                status=416, headers={"content-range": f"bytes */{len(file.content)}"}
            )
        headers = dict(file.headers)
        if file.etag:
            headers["etag"] = file.etag
        if start:
            headers["content-range"] = f"bytes {start}-{len(file.content) - 1}/{len(file.content)}"
        response = web.StreamResponse(status=206 if start else file.status, headers=headers)
        if not file.chunked:
            response.content_length = len(file.content) - start
        await response.prepare(request)
        await self._send(request, response, file, start)
        return response

    def _start(self, request: web.Request, file: File) -> int:
        wanted = request.headers.get("range")
        if wanted is None or file.etag is None or request.headers.get("if-range") != file.etag:
            return 0
        return int(wanted.removeprefix("bytes=").rstrip("-"))

    async def _send(
        self, request: web.Request, response: web.StreamResponse, file: File, start: int
    ) -> None:
        rest = file.content[start:]
        if file.breaks:
            await response.write(rest[: file.breaks.pop(0)])
            await asyncio.sleep(0.05)
            assert request.transport
            request.transport.close()
            return
        if file.stalls is not None and not self.go.is_set():
            await response.write(rest[: file.stalls])
            await self.go.wait()
            rest = rest[file.stalls :]
        await response.write(rest)
        await response.write_eof()


@asynccontextmanager
async def opened(identity: ssl.SSLContext | None = None) -> AsyncIterator[Shelf]:
    shelf = Shelf(scheme="https" if identity else "http")
    app = web.Application()
    app.router.add_get("/{name:.*}", shelf.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0, ssl_context=identity).start()
    shelf.port = runner.addresses[0][1]
    try:
        yield shelf
    finally:
        shelf.go.set()
        await runner.cleanup()
