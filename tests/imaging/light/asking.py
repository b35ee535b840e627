"""What the light viewer's scripts ask, asked by a test."""

from __future__ import annotations

import struct
from typing import Any

import httpx
from tests.imaging.light.stacks import STUDY, House


def ask(served: House, path: str, who: str = "county", **headers: str) -> httpx.Response:
    cookie = {"Cookie": f"serai_session={served.cookies[who]}"}
    return httpx.get(served.address + path, headers=cookie | headers)


def outline(served: House) -> dict[str, Any]:
    found: dict[str, Any] = ask(served, f"/light/{STUDY}/outline").json()
    return found


def version(served: House) -> str:
    return str(outline(served)["version"])


def pictures(content: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(content):
        number, length = struct.unpack_from("<II", content, at)
        found.append((number, content[at + 8 : at + 8 + length]))
        at += 8 + length
    return found
