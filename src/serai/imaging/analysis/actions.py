"""What people and programs do with analyses: look at them, ask for them, try one again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from serai.fhir.visibility import require
from serai.imaging.analysis import records, watching
from serai.imaging.analysis.records import Analysis
from serai.imaging.analysis.registry import Analyser
from serai.imaging.archive.holding import held
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, NotFound
from serai.platform import audit
from serai.platform.db import Connection, Database

# Asked for by name, an analysis is done again whatever became of it before.
ANY_END = "done abstained failed"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where everything is."""

    db: Database
    home: Path


async def see(desk: Desk, state: str, start: int, *, actor: Actor) -> list[Analysis]:
    """Of the actor's own studies, newest first; one more than a page when more follow."""
    require(actor, "s", "ImagingStudy")
    async with desk.db.connection() as connection:
        return await records.of_organisation(connection, state, start, actor=actor)


async def see_study(desk: Desk, study: str, *, actor: Actor) -> list[Analysis]:
    """Of one study that the actor sees."""
    require(actor, "r", "ImagingStudy")
    async with desk.db.connection() as connection:
        if not await records.sees(connection, study, actor=actor):
            raise NotFound("analysis.not-found")
        return await records.of_study(connection, study, actor=actor)


async def see_one(desk: Desk, id: str, *, actor: Actor) -> Analysis:
    require(actor, "r", "ImagingStudy")
    async with desk.db.connection() as connection:
        found = await records.seen(connection, id, actor=actor)
    if found is None:
        raise NotFound("analysis.not-found")
    return found


async def retry(desk: Desk, id: str, *, actor: Actor, now: datetime) -> Analysis:
    """A failed one, by somebody who may change the study."""
    require(actor, "u", "ImagingStudy")
    async with desk.db.transaction() as tx:
        found = await records.seen(tx, id, actor=actor)
        if found is None:
            raise NotFound("analysis.not-found")
        await held(tx, found.study, "s.uid", actor=actor)
        if not await records.retry(tx, found, now=now):
            raise Conflict("analysis.has-not-failed")
        await _audited(tx, found.resource, actor, now)
    return found


async def ask(
    desk: Desk,
    study: str,
    analysers: Sequence[Analyser],
    *,
    actor: Actor,
    now: datetime,
    series: str | None = None,
    name: str | None = None,
) -> int:
    """Analyse a study now, whether or not its series are known to be complete; how many looks
    were queued. By name, even what has been looked at is looked at again."""
    require(actor, "u", "ImagingStudy")
    wanted = [each for each in analysers if name in (None, each.name)]
    if not wanted:
        raise NotFound("analysis.no-such-analyser", name=name)
    async with desk.db.transaction() as tx:
        resource, _ = await held(tx, study, "s.uid", actor=actor)
        again = ANY_END if name else ""
        queued = await watching.ask(tx, study, wanted, series=series, now=now, again=again)
        await _audited(tx, resource, actor, now)
    return queued


async def _audited(tx: Connection, resource: str, actor: Actor, now: datetime) -> None:
    about = f"ImagingStudy/{resource}"
    await audit.record(tx, actor=actor, act="imaging.ask-analysis", at=now, resource=about)
