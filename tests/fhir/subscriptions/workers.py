"""Web workers that clients open websockets to: uvicorn as the product runs it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from tests.fhir.subscriptions.conftest import HOST, Data, Node
from websockets.asyncio.client import ClientConnection, connect

from serai.fhir.http import FhirDoor
from serai.fhir.subscriptions.hub import Hub
from serai.kernel.clock import utc_now
from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token
from serai.platform.settings import Settings
from serai.serving.web import LONGEST_FRAME_BYTES


def application(node: Node) -> Starlette:
    app = Starlette(middleware=[Middleware(FhirDoor)])
    app.state.db, app.state.fhir = node.db, node.store
    app.state.settings, app.state.sockets = Settings(), Hub(node.url)
    return app


@dataclass
class Worker:
    """One web worker at an address of its own."""

    address: str

    def http(self, secret: str) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {secret}"}
        return httpx.AsyncClient(
            base_url=f"http://{self.address}/fhir/", headers=headers, trust_env=False
        )

    def socket(self, secret: str = "", **options: Any) -> connect:
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        return connect(
            f"ws://{self.address}/fhir/websocket",
            additional_headers=headers,
            proxy=None,
            compression=None,
            **options,
        )


@asynccontextmanager
async def worker(node: Node) -> AsyncIterator[Worker]:
    app = application(node)
    config = uvicorn.Config(
        app,
        host=HOST,
        port=0,
        lifespan="off",
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=LONGEST_FRAME_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield Worker(f"{HOST}:{server.servers[0].sockets[0].getsockname()[1]}")
    finally:
        server.should_exit = True
        await serving
        await app.state.sockets.close()


async def until(enough: Callable[[], bool | Awaitable[bool]], *, seconds: float = 15) -> None:
    """Looks again and again; fails when it does not come true."""
    async with asyncio.timeout(seconds):
        while True:
            found = enough()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


async def secret_of(
    node: Node, organisation: str | None = None, scopes: str = "system/*.cruds"
) -> str:
    async with node.db.transaction() as tx:
        return await issue_token(
            tx, parse_scopes(scopes), timedelta(hours=1), organisation=organisation, now=utc_now()
        )


def over_websocket(criteria: str, **more: Any) -> Data:
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "test",
        "criteria": criteria,
        "channel": {"type": "websocket", **more.pop("channel", {})},
        **more,
    }


PAYLOAD = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"


def of_topic(topic: str, content: str = "id-only", *extensions: Data, **more: Any) -> Data:
    channel = {
        "payload": "application/fhir+json",
        "_payload": {"extension": [{"url": PAYLOAD + "payload-content", "valueCode": content}]},
        **({"extension": list(extensions)} if extensions else {}),
    }
    address = f"https://serai.health/fhir/SubscriptionTopic/{topic}"
    return over_websocket(address, channel=channel, **more)


async def hear(socket: ClientConnection, seconds: float = 15) -> str:
    async with asyncio.timeout(seconds):
        said = await socket.recv()
    assert isinstance(said, str)
    return said


async def hear_bundle(socket: ClientConnection, seconds: float = 15) -> Data:
    found: Data = json.loads(await hear(socket, seconds))
    return found


def stated(bundle: Data) -> dict[str, Any]:
    """What the SubscriptionStatus that begins a notification says; its events as a list."""
    first = bundle["entry"][0]["resource"]
    assert first["resourceType"] == "Parameters"
    said: dict[str, Any] = {"events": []}
    for one in first["parameter"]:
        if one["name"] == "notification-event":
            said["events"].append({part["name"]: _value(part) for part in one["part"]})
        else:
            said[one["name"]] = _value(one)
    return said


def _value(part: Data) -> Any:
    return next(value for name, value in part.items() if name.startswith("value"))
