"""A study in cold storage, as modalities and workstations meet it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.imaging.dimse.calling import send
from tests.imaging.dimse.test_committing import Reports, asked, reference, request
from tests.imaging.dimse.test_retrieving import STUDY, get, pictures

from serai.imaging.dimse import Listener
from serai.platform.blobs import Blobs
from serai.platform.settings import Settings


@pytest.fixture
def listener(database_url: str, tmp_path: Path) -> Iterator[Listener]:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO dimse_peer (ae_title, organisation, services) VALUES"
            " ('MODALITY', 'county', '{store,commitment}'),"
            " ('STATION', 'county', '{find,retrieve}')"
        )
    settings = Settings(home=tmp_path, blobs_cold=str(tmp_path / "cold"), dimse_port=0)
    with Listener(settings, database_url) as started:
        yield started


def test_a_cold_study_is_committed_to_and_its_retrieval_begins_the_recall(
    listener: Listener, database_url: str, tmp_path: Path
) -> None:
    assert send(listener, *pictures(2)) == [0x0000, 0x0000]
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT blob FROM imaging_instance").fetchall()
        connection.execute(
            "INSERT INTO imaging_cold (study_uid, token, state, since)"
            " VALUES ('1.2.3', 'x', 'cold', now())"
        )
    asyncio.run(_to_the_cold(tmp_path, [blob for (blob,) in rows]))
    reports = Reports()
    assert request(listener, asked(reference("1.2.3.1.0"), reference("1.2.3.1.1")), reports) == 0
    ((_, report),) = reports.got
    assert "FailedSOPSequence" not in report
    answers, got = get(listener, STUDY)
    assert (answers[-1][0].NumberOfFailedSuboperations, got) == (2, [])
    with psycopg.connect(database_url) as connection:
        jobs = connection.execute("SELECT kind, parameters FROM fhir_job").fetchall()
    assert jobs == [("recall", {"study": "1.2.3"})]


async def _to_the_cold(home: Path, blobs: list[str]) -> None:
    hot, cold = Blobs(home), Blobs(home / "cold")
    for blob in blobs:
        await cold.put(await hot.get(blob))
        await hot.delete(blob)
