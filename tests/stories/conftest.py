"""A real `serai serve` on a state folder and ports of its own, with the demonstration network."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.chromium import launched

ROOT = Path(__file__).parents[2]
SERAI = str(Path(sys.prefix) / "bin" / "serai")
# Software rendering: the viewer needs WebGL and a test machine has no graphics card.
FLAGS = [
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
START_WITHIN_S = 90.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server answers."""
    folder = tmp_path_factory.mktemp("story")
    port = _free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SERAI_")}
    environment = kept | {
        "SERAI_HOME": str(folder / "home"),
        "SERAI_PORT": str(port),
        "SERAI_DIMSE_PORT": str(_free_port()),
        "SERAI_NODE_MODULES": str(ROOT / "node_modules"),
    }
    subprocess.run(
        [SERAI, "network", "load", str(ROOT / "demo" / "network.yaml")],
        env=environment,
        check=True,
        capture_output=True,
        timeout=START_WITHIN_S,
    )
    log = folder / "serve.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [SERAI, "serve"], env=environment, stdout=output, stderr=output, cwd=folder
        )
    try:
        started = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_WITHIN_S
        while not _ready(started):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield started
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched(*FLAGS) as browser:
        yield browser
