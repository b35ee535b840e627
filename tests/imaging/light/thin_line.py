"""The light viewer on a throttled line, measured: `python -m tests.imaging.light.thin_line`.

By default 300 pictures of 512 × 512, made of the demonstration's chest CT.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pydicom
from playwright.sync_api import Browser, Page
from tests.chromium import PHONE, launched
from tests.imaging.light.stacks import STUDY, House, a_ct, a_slice, house

from serai.platform.migrate import migrate
from serai.platform.postgres import Cluster

ROOT = Path(__file__).parents[3]
LINE_BITS, LATENCY_MS = 256_000, 400
SHOWN = "wanted => wanted.includes(document.getElementById('shown')?.dataset.quality)"


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds after the address was typed, and bytes on the line by then."""

    first_s: float
    first_bytes: int
    code_bytes: int
    exact_s: float
    exact_bytes: int
    near_s: float


class Line:
    """A page behind a thin line, with its bytes counted."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        self.code = 0
        self._code_ids: set[str] = set()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": LATENCY_MS,
                "downloadThroughput": LINE_BITS / 8,
                "uploadThroughput": LINE_BITS / 8,
            },
        )
        session.on("Network.responseReceived", self._answered)
        session.on("Network.dataReceived", self._received)

    def _answered(self, event: dict[str, object]) -> None:
        if event["type"] in ("Document", "Script", "Stylesheet"):
            self._code_ids.add(str(event["requestId"]))

    def _received(self, event: dict[str, object]) -> None:
        size = int(str(event["encodedDataLength"])) or int(str(event["dataLength"]))
        self.bytes += size
        self.code += size * (str(event["requestId"]) in self._code_ids)


def measure(browser: Browser, served: House, study: str = STUDY) -> Measured:
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, has_touch=True)  # type: ignore[arg-type]
    served.sign_in(context)
    page = context.new_page()
    line, began = Line(page), time.monotonic()
    page.goto(f"{served.address}/light/{study}", wait_until="commit", timeout=60_000)
    page.wait_for_function(SHOWN, arg=["reduced", "exact"], timeout=60_000, polling=50)
    first_s, first_bytes, code = time.monotonic() - began, line.bytes, line.code
    page.wait_for_function(SHOWN, arg=["exact"], timeout=120_000, polling=50)
    exact_s, exact_bytes = time.monotonic() - began, line.bytes
    for _ in range(10):
        page.keyboard.press("ArrowDown")
    began_near = time.monotonic()
    page.wait_for_function(SHOWN, arg=["preview", "reduced", "exact"], timeout=60_000, polling=20)
    near_s = time.monotonic() - began_near
    context.close()
    return Measured(first_s, first_bytes, code, exact_s, exact_bytes, near_s)


def of_demonstration(slices: int) -> list[bytes]:
    """A real chest CT, its 24 pictures one after the other as often as needed."""
    files = sorted((ROOT / "demo" / "pictures" / "ct-chest").glob("*.dcm"))
    found = [pydicom.dcmread(each) for each in files]
    made = []
    for number in range(slices):
        source = found[number % len(found)]
        made.append(
            a_slice(
                number,
                slices,
                8,
                Rows=source.Rows,
                Columns=source.Columns,
                RescaleSlope=source.RescaleSlope,
                RescaleIntercept=source.RescaleIntercept,
                PixelData=source.pixel_array.astype("<u2").tobytes(),
            )
        )
    return made


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--slices", type=int, default=300)
    asked.add_argument("--size", type=int, default=0, help="synthetic pictures of this size")
    given = asked.parse_args()
    contents = a_ct(given.slices, given.size) if given.size else of_demonstration(given.slices)
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder) / "db") as cluster:
        migrate(cluster.url)
        name = f"thin_{uuid4().hex}"
        with psycopg.connect(cluster.url, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE serai")
        url = cluster.url.replace("/serai?", f"/{name}?")
        with house(url, Path(folder) / "home", contents) as served, launched() as browser:
            print(measure(browser, served))  # noqa: T201


if __name__ == "__main__":
    main()
