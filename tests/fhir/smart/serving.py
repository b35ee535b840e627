"""The hospital and an app's own web site, each at an address of its own on this machine."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from serai.app import create_app
from serai.kernel.clock import utc_now
from serai.platform.auth.apps import registry
from serai.platform.auth.apps.registry import App, Wanted
from serai.platform.db import Database
from serai.platform.settings import Settings

T = TypeVar("T")


def elsewhere(act: Callable[[], T]) -> T:
    """In a thread of its own: a browser's loop may be running in this one."""
    with ThreadPoolExecutor() as other:
        return other.submit(act).result()


@contextmanager
def serving(url: str, home: Path) -> Iterator[str]:
    """The whole application; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    app = create_app(Settings(home=home, base_url=address), url)
    server = uvicorn.Server(uvicorn.Config(app, port=port, ws="none", log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """An app's files, as a web site; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def registered(url: str, scopes: str, **more: Any) -> App:
    """A public app of the county hospital."""

    async def register() -> App:
        db = await Database.open(url, max_size=2)
        async with db.transaction() as tx:
            wanted = Wanted("Growth charts", "none", scopes, organisation="county", **more)
            app, _ = await registry.register(tx, wanted, now=utc_now())
        await db.close()
        return app

    return elsewhere(lambda: asyncio.run(register()))
