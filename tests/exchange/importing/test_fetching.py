"""A transfer that breaks off again and again, and one that gets on each time."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import httpx
import pytest
from tests.fhir.bulk.shelves import HOST, File, Shelf, opened
from tests.fhir.conftest import MACHINE

from serai.exchange.importing.fetching import Arrived, Fetcher, Pace, taken_over
from serai.fhir.bulk.inputs import Hosts
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.jobs import Job
from serai.platform.running import Paused, Running

QUICK = Pace(tries=3, first_pause_s=0.01, note_every=10)
CONTENT = bytes(range(100)) * 2


def running() -> Running:
    now = utc_now()
    job = Job(
        "one", "import", "running", MACHINE, {}, {}, 1, 0, None, None, {}, now, now, now, None, None
    )
    # Nothing here asks the database: what has arrived is noted by the test.
    return Running(cast(Database, None), job)


class Gathering:
    """What a runner does around a fetch."""

    def __init__(self, home: Path) -> None:
        self.blobs, self.running = Blobs(home), running()
        self.gathered = self.blobs.unfinished("gathered")
        self.noted: list[Arrived] = []

    async def note(self, arrived: Arrived) -> None:
        self.noted.append(arrived)

    async def fetch(self, shelf: Shelf, arrived: Arrived = Arrived()) -> bytes:  # noqa: B008
        hosts = Hosts(private=frozenset({HOST}))
        async with httpx.AsyncClient(trust_env=False) as client:
            fetcher = Fetcher(client, hosts, self.blobs, self.running, 1 << 20, QUICK)
            digest = await fetcher.fetch(shelf.url("f"), self.gathered, arrived, self.note)
        return await self.blobs.get(digest)


async def test_it_is_given_up_after_so_many_failures_without_progress(tmp_path: Path) -> None:
    async with opened() as shelf:
        shelf.files = {"f": File(CONTENT, passing=[503] * 9)}
        with pytest.raises(Invalid, match=r"import\.answered"):
            await Gathering(tmp_path).fetch(shelf)
        assert len(shelf.heard) == QUICK.tries


async def test_without_an_etag_the_same_beginning_again_is_no_progress(tmp_path: Path) -> None:
    async with opened() as shelf:
        shelf.files = {"f": File(CONTENT, breaks=[50] * 9, etag=None)}
        with pytest.raises(Invalid, match=r"import\.broken-off"):
            await Gathering(tmp_path).fetch(shelf)
        assert len(shelf.heard) == QUICK.tries


async def test_what_gets_on_may_break_off_any_number_of_times(tmp_path: Path) -> None:
    async with opened() as shelf:
        shelf.files = {"f": File(CONTENT, breaks=[20] * 9)}
        gathering = Gathering(tmp_path)
        assert await gathering.fetch(shelf) == CONTENT
        starts = [f"bytes={20 * step}-" for step in range(1, 10)]
        assert [range for _, range in shelf.heard] == [None, *starts]
        assert gathering.noted[-1] == Arrived(len(CONTENT), '"one"')
        assert not gathering.gathered.exists()


async def test_what_another_run_had_on_disk_is_the_beginning(tmp_path: Path) -> None:
    async with opened() as shelf:
        shelf.files = {"f": File(CONTENT)}
        gathering = Gathering(tmp_path)
        left = gathering.blobs.unfinished("left")
        # What came after the last note may be anything.
        left.write_bytes(CONTENT[:120] + b"torn")
        taken_over(left, gathering.gathered, 120)
        assert await gathering.fetch(shelf, Arrived(120, '"one"')) == CONTENT
        assert shelf.heard == [("f", "bytes=120-")]
        assert not left.exists()


async def test_when_the_server_stops_the_transfer_pauses(tmp_path: Path) -> None:
    async with opened() as shelf:
        shelf.files = {"f": File(CONTENT)}
        gathering = Gathering(tmp_path)
        gathering.running.stop.set()
        with pytest.raises(Paused):
            await gathering.fetch(shelf)
        assert gathering.gathered.exists()
