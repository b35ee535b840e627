from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.imaging.archive.test_intake import COUNTY, TOWNSHIP
from tests.imaging.keeping.working import again, begun
from tests.imaging.objects import a_picture, uid
from tests.imaging.serving import serving
from tests.imaging.uploading import Client

from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive, receive
from serai.imaging.archive.recalling import require_hot
from serai.imaging.keeping import findings, tiers
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Unavailable
from serai.platform.blobs import Blobs, Digest
from serai.platform.db import Database

NOW = utc_now()
LONG_AGO = NOW - timedelta(days=400)
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'


class PowerCut(Exception):
    """The server is gone in the middle of its work."""


class Failing(Blobs):
    """Places whose power goes after so many more steps of both together."""

    left = 10_000

    async def put(self, data: bytes | AsyncIterable[bytes]) -> Digest:
        self._count()
        return await super().put(data)

    async def delete(self, digest: str) -> None:
        self._count()
        await super().delete(digest)

    def _count(self) -> None:
        Failing.left -= 1
        if Failing.left < 0:
            raise PowerCut


@pytest.fixture
def hot(tmp_path: Path) -> Failing:
    return Failing(tmp_path / "hot")


@pytest.fixture
def cold(tmp_path: Path) -> Failing:
    return Failing(tmp_path / "cold")


@pytest.fixture
def archive(hot: Failing, cold: Failing) -> Archive:
    return Archive(FhirStore(), hot, cold)


async def a_study(
    archive: Archive, db: Database, study: str, *, actor: Actor = COUNTY, count: int = 1
) -> list[bytes]:
    """Received long ago."""
    same = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
    contents = [a_picture(**same, PixelData=bytes([at] * 64)) for at in range(count)]
    intake = archive.intake(db, actor)
    outcomes = await intake.keep([receive(each) for each in contents], now=LONG_AGO)
    assert not any(outcome.error for outcome in outcomes)
    await intake.finish(now=LONG_AGO)
    return contents


async def rule(db: Database, days: int | None, owner: str = "") -> None:
    async with db.transaction() as tx:
        await tiers.set_rule(tx, days, owner=owner, actor=serai_itself, now=NOW)


async def states(db: Database) -> dict[str, str]:
    async with db.connection() as connection:
        rows = await connection.execute("SELECT study_uid, state FROM imaging_cold")
        return dict(await rows.fetchall())


async def look(archive: Archive, db: Database, study: str, *, days_ago: int) -> None:
    async with db.connection() as connection:
        at = NOW - timedelta(days=days_ago)
        await type(archive.views)().note(connection, study, now=at)


async def test_what_nobody_looked_at_goes_cold_by_the_rule_of_its_organisation(
    archive: Archive, db: Database, hot: Failing, cold: Failing
) -> None:
    await a_study(archive, db, "1.1")
    await a_study(archive, db, "1.2")
    await a_study(archive, db, "1.3", actor=TOWNSHIP)
    await look(archive, db, "1.1", days_ago=200)
    await look(archive, db, "1.2", days_ago=50)
    await rule(db, 100)
    await rule(db, 500, "township")
    await tiers.tier(await begun(db, "tier"), hot=hot, cold=cold)
    assert await states(db) == {"1.1": "cold"}


async def test_a_cold_study_comes_back_bit_identical(
    archive: Archive, db: Database, hot: Failing, cold: Failing
) -> None:
    contents = await a_study(archive, db, "1.1", count=3)
    blobs = [hashlib.sha256(content).hexdigest() for content in contents]
    await rule(db, 100)
    await tiers.tier(await begun(db, "tier"), hot=hot, cold=cold)
    assert [await hot.has(blob) for blob in blobs] == [False] * 3
    assert [await cold.get(blob) for blob in blobs] == contents
    with pytest.raises(Unavailable) as away:
        await require_hot(db, "1.1", actor=COUNTY)
    assert away.value.key == "imaging.recalling"
    assert away.value.details["seconds"] >= 5
    recall = await begun(db, "recall", {"study": "1.1"})
    await tiers.recall(recall, hot=hot, cold=cold)
    assert [await hot.get(blob) for blob in blobs] == contents
    assert [await cold.has(blob) for blob in blobs] == [False] * 3
    assert (recall.job.done, recall.job.total) == (3, 3)
    await require_hot(db, "1.1", actor=COUNTY)


async def test_a_power_cut_at_any_step_leaves_every_picture_in_one_place_at_least(
    archive: Archive, db: Database, hot: Failing, cold: Failing
) -> None:
    contents = await a_study(archive, db, "1.1", count=3)
    blobs = [hashlib.sha256(content).hexdigest() for content in contents]
    await rule(db, 100)
    tiering = (await begun(db, "tier")).job.id
    for kind, id in (("tier", tiering), ("recall", None)):
        job = id or (await begun(db, "recall", {"study": "1.1"})).job.id
        work = tiers.tier if kind == "tier" else tiers.recall
        for steps in (0, 1, 0, 1, 0, 1, 2):
            Failing.left = steps
            with pytest.raises(PowerCut):
                await work(await again(db, job), hot=hot, cold=cold)
            Failing.left = 10_000
            for blob, content in zip(blobs, contents, strict=True):
                found = hot if await hot.has(blob) else cold
                assert await found.get(blob) == content
        await work(await again(db, job), hot=hot, cold=cold)
        assert await states(db) == ({"1.1": "cold"} if kind == "tier" else {})
        away, there = (hot, cold) if kind == "tier" else (cold, hot)
        assert [await away.has(blob) for blob in blobs] == [False] * 3
        assert [await there.get(blob) for blob in blobs] == contents


async def test_a_byte_flipped_in_the_cold_is_told_and_the_others_come_back(
    archive: Archive, db: Database, hot: Failing, cold: Failing
) -> None:
    contents = await a_study(archive, db, "1.1", count=2)
    blobs = [hashlib.sha256(content).hexdigest() for content in contents]
    await rule(db, 100)
    await tiers.tier(await begun(db, "tier"), hot=hot, cold=cold)
    path = cold.local(blobs[0])
    assert path
    path.write_bytes(contents[0][:-1] + b"\xff")
    with pytest.raises(Conflict, match="damaged"):
        await tiers.recall(await begun(db, "recall", {"study": "1.1"}), hot=hot, cold=cold)
    assert not await hot.has(blobs[0])
    assert await hot.get(blobs[1]) == contents[1]
    with pytest.raises(Unavailable, match="damaged"):
        await require_hot(db, "1.1", actor=COUNTY)
    async with db.connection() as connection:
        (found,) = await findings.seen(connection, actor=COUNTY)
        assert (found.blob, found.kind, found.place) == (blobs[0], "damaged", "cold")
        assert found.instance == uid(contents[0])
        assert await findings.seen(connection, actor=TOWNSHIP) == []


def test_a_reader_is_told_to_come_again_while_the_study_is_fetched(
    database_url: str, tmp_path: Path
) -> None:
    place = tmp_path / "cold"
    content = a_picture(StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1")
    other = a_picture(StudyInstanceUID="1.1", SeriesInstanceUID="1.1.1")

    async def work(kind: str) -> None:
        db = await Database.open(database_url, max_size=2)
        hot, cold = Blobs(tmp_path), Blobs(place)
        if kind == "tier":
            async with db.transaction() as tx:
                await tx.execute("UPDATE imaging_study SET received_at = %s", (LONG_AGO,))
                await tx.execute("DELETE FROM imaging_viewed")
            await rule(db, 1)
            await tiers.tier(await begun(db, "tier"), hot=hot, cold=cold)
        else:
            async with db.connection() as connection:
                rows = await connection.execute("SELECT id FROM fhir_job WHERE kind = 'recall'")
                ((id,),) = await rows.fetchall()
            await tiers.recall(await again(db, id), hot=hot, cold=cold)
        await db.close()

    with serving(database_url, tmp_path, cold=str(place)) as server:
        client = Client.of(server)
        assert client.store(content, other).status_code == 200
        asyncio.run(work("tier"))
        for path, accept in [
            ("/studies/1.1", AS_STORED),
            (f"/studies/1.1/series/1.1.1/instances/{uid(content)}", AS_STORED),
            (f"/studies/1.1/series/1.1.1/instances/{uid(content)}/rendered", "image/png"),
        ]:
            answer = client.get(path, accept=accept)
            assert (answer.status_code, answer.json()["error"]) == (503, "imaging.recalling")
            assert int(answer.headers["Retry-After"]) >= 5
        # What needs no pixels is answered as ever.
        assert len(client.found("/studies/1.1/metadata")) == 2
        asyncio.run(work("recall"))
        answer = client.get("/studies/1.1", accept=AS_STORED)
        assert answer.status_code == 200
        assert content in answer.content
        assert other in answer.content
