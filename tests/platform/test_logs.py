"""The log tells what failed and where, never what a record says."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import httpx, logging, sys, structlog
from serai.kernel.errors import Conflict
from serai.platform.logs import configure

configure(sys.argv[1])
structlog.get_logger("serai.test").info("study.stored", study="1.2.3")
try:
    raise ValueError("Zhang San, born 1970-05-23")
except ValueError:
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    structlog.get_logger("serai.test").exception("job.failed")
try:
    raise Conflict("task.illegal-move", patient="Zhang San")
except Conflict:
    structlog.get_logger("serai.test").exception("job.failed")
logging.getLogger("uvicorn.access").info('%s - "%s %s"', "::1", "GET", "/fhir/Patient?name=Zhang")
elsewhere = httpx.MockTransport(lambda request: httpx.Response(200))
httpx.Client(transport=elsewhere).put("http://hooks.example/Patient/Zhang?key=1970")
"""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_the_log_names_no_patient(log_format: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, log_format], capture_output=True, text=True, check=True
    )
    assert ended.stdout == ""
    assert "Zhang" not in ended.stderr
    assert "1970" not in ended.stderr
    for word in ("study.stored", "1.2.3", "ValueError", "<string>:9", "task.illegal-move"):
        assert word in ended.stderr


def test_every_line_is_one_object_for_machines() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "json"], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["info", "error", "error", "error"]
    assert lines[1]["error"] == "builtins.ValueError"
