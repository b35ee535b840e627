"""STOW-RS as a plain HTTP client does it, to send what a proper client would not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from tests.imaging.serving import Server


@dataclass(frozen=True, slots=True)
class Client:
    """One sender or reader, of one organisation or system-wide."""

    server: Server
    headers: dict[str, str]

    @classmethod
    def of(cls, server: Server, organisation: str | None = None) -> Client:
        return cls(server, server.headers(organisation=organisation))

    def store(self, *contents: bytes, study: str = "", end: bytes = b"--") -> httpx.Response:
        head = b"--cut\r\nContent-Type: application/dicom\r\n\r\n"
        body = b"".join(head + content + b"\r\n" for content in contents) + b"--cut" + end
        kind = 'multipart/related; type="application/dicom"; boundary=cut'
        address = f"{self.server.dicomweb}/studies" + (f"/{study}" if study else "")
        return httpx.post(address, content=body, headers=self.headers | {"Content-Type": kind})

    def get(
        self, path: str, accept: str = "application/dicom+json", **query: str
    ) -> httpx.Response:
        headers = self.headers | {"Accept": accept}
        address = f"{self.server.dicomweb}{path}"
        return httpx.get(address, headers=headers, params=query or None)

    def found(self, path: str, **query: str) -> list[Any]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json()
        return found
