"""tus 1.0 as a plain HTTP client speaks it, with the line cut where a test wants it."""

from __future__ import annotations

import base64
import socket
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def metadata(**values: str) -> str:
    return ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items()
    )


@dataclass(frozen=True, slots=True)
class Sender:
    """Somebody with a token."""

    address: str
    headers: dict[str, str]

    def begin(self, length: int, content: bytes = b"", **described: str) -> httpx.Response:
        headers = VERSION | {"Upload-Length": str(length)}
        if described:
            headers["Upload-Metadata"] = metadata(
                **{k.rstrip("_"): v for k, v in described.items()}
            )
        if content:
            headers |= BYTES
        return self.send("POST", "/api/uploads", content=content, headers=headers)

    def upload(self, content: bytes, **described: str) -> str:
        """The id of an upload that is complete."""
        answer = self.begin(len(content), content, **described)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Upload-Offset"] == str(len(content))
        return answer.headers["Location"].rpartition("/")[2]

    def at(self, place: str) -> int:
        answer = self.send("HEAD", place, headers=VERSION)
        assert answer.status_code == 200
        return int(answer.headers["Upload-Offset"])

    def append(self, place: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
        sent = VERSION | BYTES | {"Upload-Offset": str(offset)} | headers
        return self.send("PATCH", place, content=data, headers=sent)

    def append_until_cut(self, place: str, offset: int, data: bytes, cut: int) -> None:
        """The line goes dead after `cut` bytes of what the request promised."""
        parts = urlsplit(self.address)
        lines = [f"PATCH {place} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(data)}"]
        sent = self.headers | VERSION | BYTES | {"Upload-Offset": str(offset)}
        lines += [f"{name}: {value}" for name, value in sent.items()]
        with socket.create_connection((parts.hostname or "", parts.port or 0)) as line:
            line.sendall("\r\n".join([*lines, "", ""]).encode() + data[:cut])
        before = -1
        while (here := self.at(place)) == 0 or here != before:
            before = here
            time.sleep(0.05)

    def send(
        self, method: str, path: str, *, content: bytes = b"", headers: dict[str, str]
    ) -> httpx.Response:
        return httpx.request(
            method, self.address + path, content=content or None, headers=self.headers | headers
        )

    def ask(self, path: str, body: object) -> httpx.Response:
        return httpx.post(f"{self.address}/api/uploads/{path}", json=body, headers=self.headers)
