"""Sending pictures to a Serai over a bad line: only what is missing, and on from where it broke."""

from __future__ import annotations

import base64
import hashlib
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import httpx

from serai.imaging.archive import receive
from serai.kernel.errors import Forbidden, Malformed, SeraiError, Unauthenticated, Unavailable
from serai.platform import tls

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
PART = 1 << 20
ASKED_AT_ONCE = 500
HANDED_AT_ONCE = 20
LONGEST_PAUSE_S = 30.0
TIMES = httpx.Timeout(30.0, read=180.0, write=90.0)
# Worth another try: the server is busy, being restarted, or somebody else's line is dead.
PASSING = frozenset({408, 429, 500, 502, 503, 504})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class File:
    """One file to send; without `uid` an archive whose inside only the server looks at."""

    name: str
    path: Path
    size: int
    sha256: str
    uid: str


@dataclass(slots=True)
class Sent:
    """What became of everything."""

    here: int = 0
    kept: int = 0
    already: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def add(self, upload: dict[str, Any]) -> None:
        for each in upload["objects"]:
            self.kept += each["outcome"] == "kept"
            self.already += each["outcome"] == "already"
            if each["outcome"] == "refused":
                self.refused.append((each["file"], each.get("reason", each["error"])))


class Line:
    """A server behind a line that may be dead for a while."""

    def __init__(self, client: httpx.Client, *, patience_s: float) -> None:
        self._client = client
        self._patience_s = patience_s
        self._answered = time.monotonic()

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Again and again until there is an answer that stands."""
        return self.insist(lambda: self._once(method, path, **given))

    def insist(self, act: Callable[[], T]) -> T:
        """Until it succeeds; Unavailable when nothing at all was answered for too long."""
        pause = 0.5
        while True:
            try:
                return act()
            except (httpx.TransportError, _Passing) as error:
                if time.monotonic() - self._answered > self._patience_s:
                    raise Unavailable("send.no-answer") from error
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def put(self, file: File) -> str:
        """Bring the whole file over; the id of its upload."""
        place, offset = self._begin(file)
        while offset < file.size:
            offset = self.insist(lambda: self._go_on(file, place))
        return place.rpartition("/")[2]

    def _begin(self, file: File) -> tuple[str, int]:
        described = {"filename": file.name, "sha256": file.sha256}
        pairs = (f"{name} {_base64(value)}" for name, value in described.items())
        headers = TUS | {"Upload-Length": str(file.size), "Upload-Metadata": ",".join(pairs)}
        content = _part(file, 0) if file.size <= PART else None
        answer = self.ask(
            "POST", "/api/uploads", headers=headers | (BYTES if content else {}), content=content
        )
        return answer.headers["Location"], int(answer.headers["Upload-Offset"])

    def _go_on(self, file: File, place: str) -> int:
        """One part more, from where the server says that it ends."""
        offset = int(self._once("HEAD", place, headers=TUS).headers["Upload-Offset"])
        while offset < file.size:
            headers = TUS | BYTES | {"Upload-Offset": str(offset)}
            answer = self._once("PATCH", place, headers=headers, content=_part(file, offset))
            offset = int(answer.headers["Upload-Offset"])
        return offset

    def _once(self, method: str, path: str, **given: Any) -> httpx.Response:
        answer = self._client.request(method, path, **given)
        if answer.status_code in PASSING or (answer.status_code == 409 and method == "PATCH"):
            raise _Passing
        if answer.status_code == 401:
            raise Unauthenticated("send.token")
        if answer.status_code == 403:
            raise Forbidden("send.token")
        if answer.is_error:
            raise Malformed("send.refused", status=answer.status_code)
        self._answered = time.monotonic()
        return answer


class _Passing(Exception):
    """The server could not answer just now."""


def send(
    path: Path, url: str, token: str, *, patience_s: float, tell: Callable[[str], None]
) -> Sent:
    """Everything under `path` that the server does not have yet."""
    sent = Sent()
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(
        base_url=url.rstrip("/"), headers=headers, timeout=TIMES, verify=tls.calling()
    ) as client:
        line, files = Line(client, patience_s=patience_s), _files(path, sent)
        while batch := list(islice(files, ASKED_AT_ONCE)):
            wanted = _missing(line, batch)
            sent.here += len(batch) - len(wanted)
            _send(line, wanted, sent, tell)
    return sent


def _send(line: Line, files: Sequence[File], sent: Sent, tell: Callable[[str], None]) -> None:
    for at in range(0, len(files), HANDED_AT_ONCE):
        some = files[at : at + HANDED_AT_ONCE]
        ids = [line.put(each) for each in some]
        answer = line.ask("POST", "/api/uploads/store", json={"uploads": ids})
        for upload in answer.json()["uploads"]:
            sent.add(upload)
        tell(f"{at + len(some)} of {len(files)}: {sum(each.size for each in some) >> 10} kB")


def _missing(line: Line, files: Sequence[File]) -> list[File]:
    instances = [{"uid": each.uid, "sha256": each.sha256} for each in files if each.uid]
    answer = line.ask("POST", "/api/uploads/missing", json={"instances": instances})
    missing = set(answer.json()["missing"])
    return [each for each in files if not each.uid or each.uid in missing]


def _files(path: Path, sent: Sent) -> Iterator[File]:
    """Readable ones; the others are noted as refused."""
    found = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    root = path.parent if path.is_file() else path
    for each in found:
        name = each.relative_to(root).as_posix()
        try:
            uid = "" if zipfile.is_zipfile(each) else receive(each).instance.uid
        except SeraiError as error:
            if error.key != "dicom.directory":
                sent.refused.append((name, error.key))
            continue
        with each.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield File(name[-200:], each, each.stat().st_size, digest, uid)


def _part(file: File, offset: int) -> bytes:
    with file.path.open("rb") as opened:
        opened.seek(offset)
        return opened.read(PART)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
