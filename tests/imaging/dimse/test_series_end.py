"""What a modality tells of the end of a series is kept, and judged from."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydicom.dataset import Dataset
from tests.imaging.dimse.calling import as_data_set, send, soon
from tests.imaging.dimse.test_committing import Reports, asked, reference, request
from tests.imaging.dimse.test_performed import begun, change, create, ended
from tests.imaging.objects import a_picture, uid

from serai.imaging.analysis import watching
from serai.imaging.dimse import Listener
from serai.kernel.clock import utc_now
from serai.platform.db import Database

CONTENTS = [
    a_picture(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1", InstanceNumber=n)
    for n in (1, 3)
]


@pytest.fixture
def arrived(listener: Listener, database_url: str) -> Listener:
    """Two pictures with a gap between their numbers: nothing but the modality knows the end."""
    assert send(listener, *CONTENTS) == [0, 0]
    assert soon(lambda: all(row[0] for row in rows(database_url, "SELECT ended_at IS NOT NULL "
                                                   "FROM imaging_arrival")))  # fmt: skip
    return listener


def rows(database_url: str, statement: str) -> list[Any]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement.encode()).fetchall()


def judged(database_url: str) -> list[Any]:
    """One pass of the watch, now."""

    async def look() -> None:
        db = await Database.open(database_url, max_size=2)
        await watching.look(db, (), now=utc_now())
        await db.close()

    asyncio.run(look())
    return rows(database_url, "SELECT series_uid, instances, reason FROM imaging_complete")


def finished(*instances: str) -> Dataset:
    """N-SET of a completed step with the series it made."""
    told = ended("COMPLETED")
    series = {
        "SeriesInstanceUID": "1.2.3.1",
        "ReferencedImageSequence": [reference(each) for each in instances],
        "ReferencedNonImageCompositeSOPInstanceSequence": [],
    }
    told.PerformedSeriesSequence = [as_data_set(series)]
    return told


def test_a_series_is_complete_when_all_that_its_step_names_is_here(
    arrived: Listener, database_url: str
) -> None:
    assert judged(database_url) == []
    create(arrived, begun("1.2.3"))
    assert change(arrived, finished(*map(uid, CONTENTS))) == 0
    assert judged(database_url) == [("1.2.3.1", 2, "mpps")]


def test_a_step_that_names_more_holds_the_series_open(arrived: Listener, database_url: str) -> None:
    create(arrived, begun("1.2.3"))
    assert change(arrived, finished(*map(uid, CONTENTS), "1.2.3.1.9")) == 0
    assert judged(database_url) == []


def test_a_step_of_another_hospital_says_nothing_about_ours(
    arrived: Listener, database_url: str
) -> None:
    create(arrived, begun("1.2.3"), caller="TOWNSHIP")
    assert change(arrived, finished(*map(uid, CONTENTS)), caller="TOWNSHIP") == 0
    assert judged(database_url) == []


def test_storage_commitment_of_all_of_it_ends_a_series(
    arrived: Listener, database_url: str, home: Path
) -> None:
    reports = Reports()
    request(arrived, asked(*(reference(uid(each)) for each in CONTENTS)), reports)
    assert reports.got[0][0] == 1
    assert judged(database_url) == [("1.2.3.1", 2, "commitment")]


def test_storage_commitment_of_a_part_does_not(arrived: Listener, database_url: str) -> None:
    request(arrived, asked(reference(uid(CONTENTS[0]))), Reports())
    assert judged(database_url) == []
