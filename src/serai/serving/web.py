"""One web worker: uvicorn on the socket that the supervisor has opened."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from importlib import import_module
from threading import Thread

import uvicorn
import uvloop

from serai.app import create_app
from serai.kernel.allocating import return_what_is_free
from serai.platform.settings import Settings

FINISH_REQUESTS_WITHIN_S = 5
# Longer than clients keep an idle connection, so that it is not closed under their next request.
KEEP_ALIVE_S = 75

# Clients of our websockets say one line at a time.
LONGEST_FRAME_BYTES = 4096


class _Worker(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
            # The first picture should not wait for what it takes to read pictures.
            Thread(target=import_module, args=["serai.imaging.rendering.drawing"]).start()


def serve(
    settings: Settings, listening: Sequence[socket.socket], ready: Callable[[], None]
) -> None:
    """Answer requests until a signal comes, then finish those under way."""
    assert settings.database_url
    return_what_is_free()
    config = uvicorn.Config(
        create_app(settings, settings.database_url),
        log_config=None,
        access_log=False,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=LONGEST_FRAME_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=FINISH_REQUESTS_WITHIN_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    uvloop.run(_Worker(config, ready).serve(sockets=[listening[0]]))
