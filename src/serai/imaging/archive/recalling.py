"""Cold studies, and asking for them back."""

from __future__ import annotations

from dataclasses import dataclass

from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Unavailable
from serai.platform import audit, jobs
from serai.platform.db import Database

# In these the bytes may be in the cold place only.
AWAY = ("moving", "cold", "recalling")
STAY = """SELECT c.state, c.done, c.total, s.resource FROM imaging_cold c
    LEFT JOIN imaging_study s ON s.uid = c.study_uid WHERE c.study_uid = %s"""
DAMAGED = "SELECT 1 FROM imaging_finding WHERE study_uid = %s AND place = 'cold' LIMIT 1"
STUDY_OF = "SELECT study_uid FROM imaging_instance WHERE uid = %s"
SECONDS_FOR_EACH = 0.05
SHORTEST_S, LONGEST_S = 5, 300


@dataclass(frozen=True, slots=True)
class Stay:
    """Where a study is on its way to or from the cold place."""

    state: str
    done: int
    total: int


async def require_hot(db: Database, study: str, *, actor: Actor) -> None:
    """Begins the recall of a study that is cold, and says when to come again (Unavailable)."""
    async with db.transaction() as tx:
        row = await (await tx.execute(STAY, (study,))).fetchone()
        if row is None or row[0] not in AWAY:
            return
        if await (await tx.execute(DAMAGED, (study,))).fetchone():
            # What could be brought back is back; trying again each time somebody asks helps nobody.
            raise Unavailable("imaging.damaged")
        stay = Stay(*row[:3])
        # On behalf of nobody: everybody who asks meets the same job.
        now, parameters = utc_now(), {"study": study}
        await jobs.join(tx, "recall", parameters, actor=actor, now=now)
        if stay.state != "recalling":
            resource = f"ImagingStudy/{row[3]}"
            await audit.record(tx, actor=actor, act="imaging.recall", at=now, resource=resource)
    left = (stay.total - stay.done) * SECONDS_FOR_EACH
    seconds = min(max(int(left), SHORTEST_S), LONGEST_S)
    raise Unavailable("imaging.recalling", seconds=seconds, done=stay.done, total=stay.total)


async def is_away(db: Database, study: str) -> bool:
    async with db.connection() as connection:
        row = await (await connection.execute(STAY, (study,))).fetchone()
    return row is not None and row[0] in AWAY


async def recall_instance(db: Database, uid: str, *, actor: Actor) -> None:
    """`require_hot` for whoever knows an instance only."""
    async with db.connection() as connection:
        row = await (await connection.execute(STUDY_OF, (uid,))).fetchone()
    if row:
        await require_hot(db, row[0], actor=actor)
