"""An archive that is fed, judged and analysed step by step, with the time passed in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from serai.fhir.store import FhirStore
from serai.imaging.analysis import records, running, watching
from serai.imaging.analysis.box import Limits
from serai.imaging.analysis.records import Analysis
from serai.imaging.analysis.registry import CT, OWN, Analyser
from serai.imaging.archive import Archive, receive
from serai.kernel.actor import Actor, Kind, serai_itself
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.queue import Runner

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUIET = timedelta(minutes=3)
LIMITS = Limits(wall_s=120, cpu_s=30, memory=3 << 30)
SCOPES = frozenset({"user/*.cruds"})


def of(organisation: str) -> Actor:
    return Actor("dr", Kind.STAFF, "Dr Chen", "doctor", organisation, None, SCOPES)


COUNTY, TOWNSHIP = of("county"), of("township")


def planted(name: str, *, version: str = "1", **options: Any) -> Analyser:
    """An analyser of tests/imaging/analysis/planted.py, for CT."""
    return Analyser(
        name.replace("_", "-"), name, version, f"tests.imaging.analysis.planted:{name}",
        "tests", "tests", classes=frozenset({CT}), options=options,
    )  # fmt: skip


@dataclass
class House:
    """The archive, its database, and the analysers registered in it."""

    archive: Archive
    db: Database
    home: Path
    analysers: Sequence[Analyser] = OWN
    limits: Limits = LIMITS
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def registered(self) -> Sequence[Analyser]:
        return self.analysers

    async def arrive(self, *contents: bytes, at: datetime = NOON, actor: Actor = COUNTY) -> None:
        """One sender brings all of it and finishes."""
        intake = self.archive.intake(self.db, actor)
        for outcome in await intake.keep([receive(content) for content in contents], now=at):
            assert outcome.error is None, outcome.error
        await intake.finish(now=at)

    async def judge(self, at: datetime = NOON + QUIET) -> int:
        """One pass of the watch, at a time when quiet speaks for completeness."""
        async with self.db.transaction() as tx:
            # A trigger dates arrivals by the database's clock, which is not the test's.
            await tx.execute("UPDATE imaging_arrival SET look_at = %s", (NOON,))
        return await watching.look(self.db, self.analysers, now=at)

    async def work(self) -> None:
        """Everything that is queued, as the queue's runner does it."""
        work = partial(
            running.run,
            archive=self.archive,
            home=self.home,
            registered=self.registered,
            limits=self.limits,
        )
        runner = Runner(self.db, {records.KIND: work}, self.stop)
        for (id,) in await self.rows("SELECT id FROM fhir_job WHERE status = 'waiting'"):
            await runner.run(id)

    async def analyse(self, *contents: bytes) -> list[Analysis]:
        await self.arrive(*contents)
        await self.judge()
        await self.work()
        return await self.analyses()

    async def analyses(self, actor: Actor = serai_itself) -> list[Analysis]:
        async with self.db.connection() as connection:
            return await records.of_organisation(connection, "", 0, actor=actor)

    async def rows(self, statement: str) -> list[Any]:
        async with self.db.connection() as connection:
            return await (await connection.execute(statement.encode())).fetchall()

    async def found(self, type: str, actor: Actor = COUNTY) -> list[dict[str, Any]]:
        async with self.db.connection() as connection:
            return await self.archive.fhir.find(connection, type, actor=actor)


@pytest.fixture
def house(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(running, "PAUSE_S", 0.0)
    return House(Archive(FhirStore(), Blobs(tmp_path)), db, tmp_path)
