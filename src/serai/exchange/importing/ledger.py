"""What has been acknowledged, so that an import run again repeats nothing and loses nothing.

Rows change in the transaction that changes the records, so after a crash both or neither hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from serai.platform.db import Connection

KNOWN = """SELECT f.digest, f.position, f.finished, f.created, f.updated, f.unchanged,
                  array(SELECT r.position FROM import_refusal r
                        WHERE r.digest = f.digest AND r.organisation = f.organisation)
           FROM import_file f WHERE f.organisation = %s AND f.digest = ANY(%s)"""
ADVANCE = """INSERT INTO import_file AS f
                 (digest, organisation, place, form, position, finished,
                  created, updated, unchanged, changed_at)
             VALUES (%(digest)s, %(organisation)s, %(place)s, %(form)s, %(position)s,
                     %(finished)s, %(created)s, %(updated)s, %(unchanged)s, %(now)s)
             ON CONFLICT (digest, organisation) DO UPDATE
             SET position = greatest(f.position, excluded.position),
                 finished = f.finished OR excluded.finished,
                 created = f.created + excluded.created,
                 updated = f.updated + excluded.updated,
                 unchanged = f.unchanged + excluded.unchanged,
                 place = excluded.place, changed_at = excluded.changed_at"""
ACCEPTED = """DELETE FROM import_refusal
              WHERE digest = %s AND organisation = %s AND position = ANY(%s)"""
REFUSE = """INSERT INTO import_refusal (digest, organisation, position, place, key, reason)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (digest, organisation, position) DO UPDATE
            SET place = excluded.place, key = excluded.key, reason = excluded.reason"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Resources or pictures: new here, changed here, there already as they are."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
        )

    @property
    def total(self) -> int:
        return self.created + self.updated + self.unchanged


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file has come: parts before `position` are done, but for those refused."""

    position: int = 0
    finished: bool = False
    counts: Counts = Counts()
    refused: frozenset[int] = frozenset()

    @property
    def complete(self) -> bool:
        return self.finished and not self.refused

    def wants(self, position: int) -> bool:
        return position >= self.position or position in self.refused


@dataclass(frozen=True, slots=True)
class File:
    """A file as the ledger knows it: by what it says, and for whom it is imported."""

    digest: str
    organisation: str
    place: str
    form: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one part was not imported."""

    position: int
    place: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction did for one file; `position` is that of the next part."""

    position: int
    finished: bool
    accepted: Sequence[int] = ()
    counts: Counts = Counts()
    refused: Sequence[Refusal] = ()


async def known(
    connection: Connection, digests: Sequence[str], organisation: str
) -> Mapping[str, Progress]:
    """How far each of these contents came before."""
    rows = await (await connection.execute(KNOWN, (organisation, list(digests)))).fetchall()
    return {
        digest: Progress(position, finished, Counts(*counts), frozenset(refused))
        for digest, position, finished, *counts, refused in rows
    }


async def record(tx: Connection, file: File, step: Step, *, now: datetime) -> None:
    """Acknowledge a step; in the transaction that makes it."""
    values = {
        "digest": file.digest,
        "organisation": file.organisation,
        "place": file.place,
        "form": file.form,
        "position": step.position,
        "finished": step.finished,
        "created": step.counts.created,
        "updated": step.counts.updated,
        "unchanged": step.counts.unchanged,
        "now": now,
    }
    await tx.execute(ADVANCE, values)
    if step.accepted:
        await tx.execute(ACCEPTED, (file.digest, file.organisation, list(step.accepted)))
    for refusal in step.refused:
        await tx.execute(
            REFUSE,
            (
                file.digest,
                file.organisation,
                refusal.position,
                refusal.place,
                refusal.key,
                refusal.reason,
            ),
        )
