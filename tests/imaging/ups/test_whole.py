"""The worklist within the whole application, behind its doors and middleware."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from tests.imaging.serving import Server
from tests.imaging.ups.asking import Worklist
from tests.imaging.ups.test_subscriptions import ALL, listening

from serai.app import create_app
from serai.platform.settings import Settings


@pytest.fixture
def whole(database_url: str, tmp_path: Path) -> Iterator[Server]:
    application = create_app(Settings(home=tmp_path), database_url)
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="on"))
    with socket.create_server(("127.0.0.1", 0)) as given:
        thread = threading.Thread(target=asyncio.run, args=[server.serve(sockets=[given])])
        thread.start()
        while not server.started:
            assert thread.is_alive()
        try:
            yield Server(f"http://127.0.0.1:{given.getsockname()[1]}", tmp_path, database_url)
        finally:
            server.should_exit = True
            thread.join()


def test_work_is_made_claimed_and_watched(whole: Server) -> None:
    worklist = Worklist.of(whole, "county")
    assert worklist.ask("POST", f"{ALL}/READER").status_code == 201
    with listening(worklist) as connection:
        worklist.created("1.1")
        assert worklist.move("1.1", "IN PROGRESS").status_code == 200
        states = [json.loads(connection.recv(timeout=3))["00741000"]["Value"][0] for _ in "12"]
        assert states == ["SCHEDULED", "IN PROGRESS"]
    assert worklist.uids("ProcedureStepState=IN%20PROGRESS") == ["1.1"]
    assert Worklist(whole, {}).ask("GET").status_code == 401
    assert worklist.ask("PUT", "/1.1").status_code == 404
