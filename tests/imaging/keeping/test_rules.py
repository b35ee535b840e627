from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg.errors import RestrictViolation
from tests.imaging.archive.test_intake import COUNTY, TOWNSHIP
from tests.imaging.objects import a_picture

from serai.fhir.store import FhirStore
from serai.imaging import reasons
from serai.imaging.archive import Archive, receive
from serai.imaging.archive.quota import used_by
from serai.imaging.keeping import rules
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Forbidden, NotFound
from serai.platform.blobs import Blobs
from serai.platform.db import Database

NOW = utc_now()
LONG_AGO = datetime(2005, 3, 1, tzinfo=UTC)
FIFTEEN_YEARS = 15 * 366
STUDY = "1.2.3"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(FhirStore(), Blobs(tmp_path))


async def send(
    archive: Archive,
    db: Database,
    *contents: bytes,
    actor: Actor = COUNTY,
    at: datetime = NOW,
) -> list[str]:
    """What became of each: its refusal's key, or nothing."""
    intake = archive.intake(db, actor)
    outcomes = await intake.keep([receive(content) for content in contents], now=at)
    await intake.finish(now=at)
    return [outcome.error.key if outcome.error else "" for outcome in outcomes]


async def discard(archive: Archive, db: Database) -> str:
    return await archive.trash.discard(db, STUDY, None, None, actor=serai_itself, now=NOW)


async def empty(archive: Archive, db: Database, trash: str) -> None:
    await archive.trash.empty(db, trash, actor=serai_itself, now=NOW)


async def retain(db: Database, days: int, owner: str = "", actor: Actor = serai_itself) -> None:
    async with db.transaction() as tx:
        await rules.retain(tx, days, owner=owner, actor=actor, now=NOW)


async def test_the_trash_is_not_emptied_of_what_a_rule_keeps_but_can_be_brought_back(
    archive: Archive, db: Database
) -> None:
    content = a_picture(StudyInstanceUID=STUDY)
    await send(archive, db, content)
    await retain(db, FIFTEEN_YEARS)
    trash = await discard(archive, db)
    with pytest.raises(Conflict) as refused:
        await empty(archive, db, trash)
    until = (NOW + timedelta(days=FIFTEEN_YEARS)).date()
    assert (refused.value.key, refused.value.details) == ("imaging.retained", {"until": str(until)})
    assert await archive.trash.restore(db, trash, actor=serai_itself, now=NOW) == STUDY
    assert await archive.blobs.get(receive(content).digest()) == content


async def test_what_is_older_than_the_rule_may_go(archive: Archive, db: Database) -> None:
    await retain(db, FIFTEEN_YEARS)
    content = a_picture(StudyInstanceUID=STUDY)
    await send(archive, db, content, at=LONG_AGO)
    await empty(archive, db, await discard(archive, db))
    assert not await archive.blobs.has(receive(content).digest())


@pytest.mark.parametrize(("owner", "stays"), [("county", True), ("township", False)])
async def test_a_rule_holds_for_the_organisation_it_names(
    archive: Archive, db: Database, owner: str, *, stays: bool
) -> None:
    await retain(db, 10, owner)
    await send(archive, db, a_picture(StudyInstanceUID=STUDY))
    trash = await discard(archive, db)
    if stays:
        with pytest.raises(Conflict):
            await empty(archive, db, trash)
    else:
        await empty(archive, db, trash)


async def test_a_held_study_stays_until_the_hold_is_released(
    archive: Archive, db: Database
) -> None:
    await send(archive, db, a_picture(StudyInstanceUID=STUDY), at=LONG_AGO)
    async with db.transaction() as tx:
        hold = await rules.place_hold(tx, STUDY, "Court case", actor=serai_itself, now=NOW)
    trash = await discard(archive, db)
    with pytest.raises(Conflict, match="held"):
        await empty(archive, db, trash)
    async with db.transaction() as tx:
        with pytest.raises(NotFound):
            await rules.release_hold(tx, hold, actor=TOWNSHIP, now=NOW)
        await rules.release_hold(tx, hold, actor=COUNTY, now=NOW)
    await empty(archive, db, trash)


# Whatever a program, a script or a person at the database's prompt may try.
BYPASSES = [
    "DELETE FROM imaging_trash",
    "DELETE FROM imaging_trash_row",
    "UPDATE imaging_trash_row SET blob = NULL",
    "TRUNCATE imaging_trash_row",
    "DELETE FROM imaging_retention",
    "UPDATE imaging_retention SET days = 1",
    "UPDATE imaging_retention SET owner = 'nobody'",
    "TRUNCATE imaging_retention",
]


@pytest.mark.parametrize("statement", BYPASSES)
async def test_the_database_itself_refuses_to_forget_what_a_rule_keeps(
    archive: Archive, db: Database, statement: str
) -> None:
    await send(archive, db, a_picture(StudyInstanceUID=STUDY))
    await retain(db, FIFTEEN_YEARS)
    await discard(archive, db)
    with pytest.raises(RestrictViolation):
        async with db.transaction() as tx:
            await tx.execute(statement.encode())


async def test_the_index_does_not_forget_a_kept_picture_even_with_its_study(
    archive: Archive, db: Database
) -> None:
    await send(archive, db, a_picture(StudyInstanceUID=STUDY))
    await retain(db, FIFTEEN_YEARS, "county")
    with pytest.raises(RestrictViolation):
        await _forget_everything(db)


async def _forget_everything(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute("DELETE FROM imaging_instance")
        await tx.execute("DELETE FROM imaging_series")
        await tx.execute("DELETE FROM imaging_study")


async def test_a_rule_is_made_longer_but_never_shorter(db: Database) -> None:
    await retain(db, 10, "county", COUNTY)
    await retain(db, 20, "county", COUNTY)
    with pytest.raises(Conflict, match="rule-stands"):
        await retain(db, 19, "county", COUNTY)
    with pytest.raises(Forbidden):
        await retain(db, 20, "township", COUNTY)
    with pytest.raises(Forbidden):
        await retain(db, 20, "", COUNTY)
    async with db.connection() as connection:
        assert await rules.retention(connection, actor=COUNTY) == {"county": 20}
        assert await rules.retention(connection, actor=TOWNSHIP) == {}


async def limit(db: Database, size: int | None, owner: str = "county") -> None:
    async with db.transaction() as tx:
        await rules.limit(tx, size, owner=owner, actor=serai_itself, now=NOW)


async def used(db: Database, owner: str = "county") -> int:
    async with db.connection() as connection:
        return await used_by(connection, owner)


async def test_over_quota_is_refused_and_what_is_there_already_is_not(
    archive: Archive, db: Database
) -> None:
    pictures = [a_picture(StudyInstanceUID=STUDY, SeriesInstanceUID="1.2.3.1") for _ in range(4)]
    size = len(pictures[0])
    await limit(db, size * 2 + size // 2)
    assert await send(archive, db, *pictures[:2]) == ["", ""]
    assert await used(db) == sum(map(len, pictures[:2]))
    assert await send(archive, db, pictures[2], pictures[0]) == ["imaging.over-quota", ""]
    assert await send(archive, db, pictures[2], actor=TOWNSHIP) != [""]
    assert await send(archive, db, a_picture(), actor=TOWNSHIP) == [""]
    await limit(db, None)
    assert await send(archive, db, *pictures) == [""] * 4
    assert reasons.failure(Conflict("imaging.over-quota"))[0] == 0xA700


async def test_one_association_is_stopped_in_mid_series_at_its_quota(
    archive: Archive, db: Database
) -> None:
    pictures = [a_picture(StudyInstanceUID=STUDY, SeriesInstanceUID="1.2.3.1") for _ in range(6)]
    await limit(db, sum(map(len, pictures[:4])))
    intake = archive.intake(db, COUNTY)
    outcomes = [(await intake.keep([receive(each)], now=NOW))[0] for each in pictures]
    assert [bool(outcome.error) for outcome in outcomes] == [False] * 4 + [True] * 2
    await intake.finish(now=NOW)
    assert await used(db) == sum(map(len, pictures[:4]))


async def test_the_trash_takes_its_place_until_it_is_emptied(
    archive: Archive, db: Database
) -> None:
    content = a_picture(StudyInstanceUID=STUDY)
    await send(archive, db, content)
    trash = await discard(archive, db)
    assert await used(db) == len(content)
    await empty(archive, db, trash)
    assert await used(db) == 0
