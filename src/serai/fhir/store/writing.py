"""Every write: gate, validate, lock, index, write, audit and guard, in the caller's transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from msgspec import structs
from psycopg.pq import TransactionStatus

from serai.fhir import granted
from serai.fhir.places import placing
from serai.fhir.search import own
from serai.fhir.store import integrity, tables, within
from serai.fhir.store.changes import Change, Guards, Write
from serai.fhir.store.rows import Row, check, labels_of, make, managing_organisation
from serai.fhir.stored import COLUMNS, Stored, stored
from serai.fhir.visibility import change_clause, clause, require
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, Forbidden, Invalid, Stale
from serai.platform.db import Connection

# Always in the same order, so that two transactions wait for each other instead of deadlocking.
LOCK = """SELECT {columns}, r.patients, {visible}, {changeable}
    FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted(type, id)
    JOIN fhir_resource r ON r.type = wanted.type AND r.id = wanted.id
    ORDER BY r.type, r.id FOR UPDATE OF r"""

# Without a transaction nothing can be locked: the statement that writes then finds out whether
# the row is still what it was (`tables.REPLACE`).
LOOK = """SELECT {columns}, r.patients, {visible}, {changeable}
    FROM fhir_resource r WHERE r.type = %(type)s AND r.id = %(id)s"""

KNOWN_PATIENTS = """SELECT count(*) FROM unnest(%(ids)s::text[]) AS wanted(id)
    JOIN fhir_resource r ON r.type = 'Patient' AND r.id = wanted.id
    WHERE NOT r.deleted AND {visible}"""

BREATH = 50
MADE_AHEAD_AT_MOST = timedelta(seconds=2)

_INTERACTION = {"POST": "c", "PUT": "u", "DELETE": "d"}


@dataclass(frozen=True, slots=True)
class Held:
    """The row a write meets, locked, with what the actor may do to it."""

    stored: Stored
    patients: frozenset[str]
    visible: bool
    changeable: bool


@dataclass(frozen=True, slots=True)
class Writer:
    """One actor's writes at one moment, inside one transaction; or, on a connection outside of
    any, one write that its single statement makes whole."""

    tx: Connection
    guards: Guards
    actor: Actor
    now: datetime
    base: str

    async def write(self, writes: Sequence[Write]) -> list[Stored]:
        """All or nothing; the answer is in the order asked. A DELETE of what is not there
        answers with a version 0 that was never stored."""
        if not granted.is_narrow(self.actor):
            return await self._write(writes)
        async with self.tx.transaction():
            await within.require_before(self.tx, writes, self.actor)
            answers = await self._write(writes)
            await within.require_after(self.tx, writes, self.actor)
        return answers

    async def _write(self, writes: Sequence[Write]) -> list[Stored]:
        for position, one in enumerate(writes):
            await breathe(position)
            with placing(one.place):
                require(self.actor, _INTERACTION[one.method], one.type)
                if one.body is not None:
                    check(one.body, resource_type=one.type)
        held = await self._lock([one for one in writes if not one.fresh])
        writes = [
            _read_again(one) if (one.type, one.id) in held or self._is_outdated(one) else one
            for one in writes
        ]
        if self.guards.preparing:
            writes = [await self._prepared(one) for one in writes]
        new: list[Row] = []
        changed: list[Row] = []
        answers: list[Stored] = []
        for position, one in enumerate(writes):
            await breathe(position)
            current = held.get((one.type, one.id))
            with placing(one.place):
                self._admit(one, current)
            row = self._row(one, current)
            answers.append(row.stored)
            if row.stored.version:
                (changed if current else new).append(row)
        await self._check_patients([*new, *changed], held)
        owners = await self._save(_with_owners(new), changed)
        # After the write, so that a guard sees what the same transaction brings along; whoever
        # is refused takes everything back.
        for one, answer in zip(writes, answers, strict=True):
            with placing(one.place):
                await self._guard(one, held.get((one.type, one.id)), answer)
        await integrity.check(self.tx, [one for one in answers if one.deleted and one.version])
        return [
            structs.replace(one, owner=owners.get((one.type, one.id), one.owner)) for one in answers
        ]

    async def _prepared(self, wanted: Write) -> Write:
        prepare = self.guards.preparing.get(wanted.type)
        if prepare is None or wanted.method == "DELETE":
            return wanted
        wanted = _read_again(wanted)
        with placing(wanted.place):
            return replace(wanted, body=wanted.body and await prepare(wanted.id, wanted.body))

    async def _lock(self, writes: Sequence[Write]) -> dict[tuple[str, str], Held]:
        if not writes:
            return {}
        visible, values = clause(self.actor)
        changeable, _ = change_clause(self.actor)
        if self.tx.info.transaction_status is TransactionStatus.IDLE:
            (only,) = writes
            statement = LOOK
            values |= {"type": only.type, "id": only.id}
        else:
            statement = LOCK
            values |= {"types": [one.type for one in writes], "ids": [one.id for one in writes]}
        statement = statement.format(columns=COLUMNS, visible=visible, changeable=changeable)
        cursor = await self.tx.execute(statement, values, binary=True)
        found = [
            Held(stored(row), frozenset(row[8]), row[9], row[10]) for row in await cursor.fetchall()
        ]
        return {(one.stored.type, one.stored.id): one for one in found}

    def _admit(self, wanted: Write, current: Held | None) -> None:
        """Existence, rights and version, in that order; what is invisible does not exist,
        except that its id cannot be taken a second time."""
        if current is None or (wanted.method == "DELETE" and not current.visible):
            self._admit_absent(wanted)
            return
        if wanted.method == "POST" or not current.visible:
            raise Conflict("fhir.id-taken", resource=f"{wanted.type}/{wanted.id}")
        if wanted.if_match is not None and wanted.if_match != current.stored.version:
            raise Stale("fhir.stale", resource=current.stored.reference)
        gone_anyway = wanted.method == "DELETE" and current.stored.deleted
        if not (current.changeable or gone_anyway or self.guards.watch(wanted.type)):
            # Nobody can vouch for it later, when it is already written.
            raise Forbidden("fhir.shared-to-read", resource=current.stored.reference)

    def _admit_absent(self, wanted: Write) -> None:
        if wanted.method == "PUT":
            require(self.actor, "c", wanted.type)
        if wanted.if_match is not None:
            raise Stale("fhir.stale", resource=f"{wanted.type}/{wanted.id}")

    def _row(self, wanted: Write, current: Held | None) -> Row:
        at = max(self.now, current.stored.last_updated) if current else self.now
        version = current.stored.version + 1 if current else 1
        if wanted.ahead is not None:
            return wanted.ahead.row(owner=self._owner(wanted, None), method=wanted.method)
        if wanted.body is None:
            return self._tombstone(wanted, current, at)
        return make(
            wanted.body,
            id=wanted.id,
            version=version,
            at=at,
            method=wanted.method,
            owner=self._owner(wanted, current),
            base=self.base,
        )

    def _tombstone(self, wanted: Write, current: Held | None, at: datetime) -> Row:
        if current is None or not current.visible or current.stored.deleted:
            never = Stored(wanted.type, wanted.id, 0, at, deleted=True, owner=None, content=None)
            return Row(never)
        gone = structs.replace(
            current.stored,
            version=current.stored.version + 1,
            last_updated=at,
            deleted=True,
            content=None,
            method="DELETE",
        )
        # Its labels go on closing the versions before.
        labels = labels_of(current.stored.data)
        return Row(gone, patients=tuple(sorted(current.patients)), keys=labels)

    def _is_outdated(self, wanted: Write) -> bool:
        """Whether it was made too long ago: who asks for what changed since looks back only a
        few seconds. Or by a process that does not know the parameters kept here."""
        if wanted.ahead is None:
            return False
        return own.has_own() or self.now - wanted.ahead.made.at > MADE_AHEAD_AT_MOST

    def _owner(self, wanted: Write, current: Held | None) -> str | None:
        """Who authored it keeps it; only a system-wide writer moves a patient's custody."""
        kept = current.stored.owner if current else None
        if self.actor.system_wide and wanted.ahead is not None:
            return wanted.ahead.made.custodian
        if self.actor.system_wide and wanted.body is not None:
            return managing_organisation(wanted.body) or kept
        return kept if current else self.actor.organisation

    async def _check_patients(self, rows: Sequence[Row], held: dict[tuple[str, str], Held]) -> None:
        """Nobody writes into the record of a patient they cannot see."""
        if self.actor.system_wide:
            return
        wanted: set[str] = set()
        for row in rows:
            current = held.get((row.stored.type, row.stored.id))
            wanted |= set(row.patients) - (current.patients if current else set())
        wanted -= {row.stored.id for row in rows if row.stored.type == "Patient"}
        if not wanted:
            return
        visible, values = clause(granted.unnarrowed(self.actor))
        values["ids"] = sorted(wanted)
        cursor = await self.tx.execute(KNOWN_PATIENTS.format(visible=visible), values)
        row_count = await cursor.fetchone()
        if row_count is None or row_count[0] != len(wanted):
            raise Invalid("fhir.unknown-patient")

    async def _guard(self, wanted: Write, current: Held | None, answer: Stored) -> None:
        if not answer.version:
            return
        vouched = self.guards.watch(wanted.type) and await self._vouched(wanted, current, answer)
        if current is not None and not (current.changeable or vouched):
            raise Forbidden("fhir.shared-to-read", resource=current.stored.reference)

    async def _vouched(self, wanted: Write, current: Held | None, answer: Stored) -> bool:
        there = current is not None and not current.stored.deleted
        change = Change(
            type=wanted.type,
            id=wanted.id,
            old=current.stored.data if current and there else None,
            new=None if answer.deleted else answer.data,
            actor=self.actor,
            now=self.now,
        )
        return await self.guards.check(self.tx, change)

    async def _save(
        self, new: Sequence[Row], changed: Sequence[Row]
    ) -> dict[tuple[str, str], str | None]:
        owners: dict[tuple[str, str], str | None] = {}
        if new:
            owners |= await tables.write(
                self.tx, tables.INSERT_NEW, new, act="fhir.create", actor=self.actor
            )
        for act, rows in (
            ("fhir.update", [row for row in changed if not row.stored.deleted]),
            ("fhir.delete", [row for row in changed if row.stored.deleted]),
        ):
            if rows:
                owners |= await tables.write(
                    self.tx, tables.REPLACE, rows, act=act, actor=self.actor
                )
        return owners


async def breathe(position: int) -> None:
    """A large transaction lets other requests have their turn."""
    if position % BREATH == BREATH - 1:
        await asyncio.sleep(0)


def _read_again(wanted: Write) -> Write:
    """What was made ahead is a first version by HL7's parameters; another is made from the
    body."""
    if wanted.ahead is None:
        return wanted
    return replace(wanted, body=wanted.ahead.body(), ahead=None)


def _with_owners(rows: Sequence[Row]) -> list[Row]:
    """A patient written in the same statement is not in the table yet for the others to ask."""
    keepers = {
        row.stored.id: row.stored.owner
        for row in rows
        if row.stored.type == "Patient" and row.stored.owner
    }
    if not keepers:
        return list(rows)
    return [_with_owner(row, keepers) for row in rows]


def _with_owner(row: Row, keepers: dict[str, str]) -> Row:
    owners = {keepers.get(patient) for patient in row.patients}
    if row.stored.owner or len(owners) != 1:
        return row
    return replace(row, stored=structs.replace(row.stored, owner=owners.pop()))
