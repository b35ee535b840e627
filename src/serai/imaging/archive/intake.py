"""Objects on their way in: judged, kept as blobs, indexed; or refused, leaving nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from psycopg import DataError, OperationalError
from psycopg.errors import ForeignKeyViolation

from serai.fhir.store import FhirStore
from serai.imaging.archive import endings, index, letting_go, settling
from serai.imaging.archive.content import Received
from serai.imaging.archive.header import Instance, PatientKey
from serai.imaging.archive.index import Kept, KnownInstance, KnownStudy
from serai.imaging.archive.quota import Room
from serai.imaging.dataset.part10 import data_set_start
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, Invalid, Malformed, SeraiError, Unavailable
from serai.platform import audit
from serai.platform.blob_log import LOGGED_UP_TO
from serai.platform.blobs import Blobs
from serai.platform.db import Connection, Database
from serai.platform.threads import ThreadDatabase

# Somebody else's first instance of the same study can outrun ours once; thrice is a fault.
TRIES = 5


class _Outrun(Exception):
    """Another transaction stored the same study or instance between our look and our write."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object: kept now, there already, or refused with `error`."""

    received: Received
    error: SeraiError | None = None
    already: bool = False


class Intake:
    """One STOW request, one association, or one import run, by one actor.

    An object is acknowledged only when `keep` has returned: its bytes and its row are durable.
    `finish` brings the ImagingStudy resources up to their counts; after a crash instead of
    `finish`, `Archive.settle_left` does.
    """

    def __init__(self, db: Database, blobs: Blobs, fhir: FhirStore, actor: Actor) -> None:
        self._db = db
        self._blobs = blobs
        self._fhir = fhir
        self._actor = actor
        self._audited: set[str] = set()
        self._grown: set[str] = set()
        self._accepted: set[tuple[str, str, PatientKey]] = set()
        self._room = Room(actor.organisation)

    def ahead(self, received: Received) -> Kept | None:
        """Keep the bytes of an object that the log takes, or of a file summed and synced as it
        came, already in the thread that has it; then `keep` it."""
        if self._is_for_log(received):
            return self._logged([received])[received.instance.uid]
        if isinstance(received.content, Path) and received.sha256 and self._blobs.is_local:
            return self._file_kept(received, received.content)
        return None

    def _file_kept(self, received: Received, path: Path) -> Kept:
        # A batch that failed as a whole is tried again one by one: its files have moved by then.
        if path.exists():
            self._blobs.keep_synced(path, received.sha256)
        moved = replace(received, content=self._blobs.local(received.sha256) or path)
        return Kept(moved, received.sha256)

    def keep_expected(self, kept: Kept, threads: ThreadDatabase, *, now: datetime) -> bool:
        """The usual case of a modality, in the thread that has it: the next picture of a series
        that this intake has judged. False leaves it to `keep`."""
        place, size = _place(kept.instance), kept.received.size
        if place not in self._accepted or self._room.is_old or not self._room.has(size):
            return False
        try:
            with threads.connection() as connection:
                if not index.add_expected(connection, kept, now):
                    return False
        except ForeignKeyViolation:
            # The series was deleted since this intake judged it.
            self._accepted.discard(place)
            return False
        except (Unavailable, DataError):
            return False
        self._room.take(size)
        self._room.grew(size)
        self._grown.add(kept.instance.study_uid)
        # Deleted between being written and being referred to, it is not there any more.
        return self._blobs.is_wanted(kept.blob)

    async def keep(
        self, received: Sequence[Received], *, now: datetime, ahead: Kept | None = None
    ) -> list[Outcome]:
        """Store a batch in one transaction; the outcome of each in the order given."""
        written = {ahead.instance.uid: ahead} if ahead else {}
        outcomes: dict[int, Outcome] = {}
        waiting = list(enumerate(received))
        while waiting:
            # The same UID twice in a batch: the second meets the first in the index.
            batch, waiting = _first_of_each_uid(waiting)
            try:
                kept = await self._keep_distinct(list(batch.values()), now, written)
            except OperationalError as error:
                raise Unavailable("database.unreachable") from error
            outcomes.update(zip(batch, kept, strict=True))
        return [outcomes[place] for place in range(len(received))]

    async def finish(self, *, now: datetime) -> None:
        """The sender has finished: settle what grew, and note that nothing more comes of it."""
        await self.settle(now=now)
        await endings.ended(self._db, self._audited, now=now)

    async def settle(self, *, now: datetime) -> None:
        """Settle every study that grew since the last time, while more may come."""
        grown, self._grown = self._grown, set()
        await settling.settle(self._db, self._fhir, sorted(grown), now=now)
        self._room.settled()

    async def _keep_distinct(
        self, received: list[Received], now: datetime, written: dict[str, Kept]
    ) -> list[Outcome]:
        put = {**written}
        try:
            outcomes = await self._judged_and_written(received, put, now)
        except (SeraiError, DataError) as error:
            if len(received) > 1:
                # One object that cannot be kept does not take the others with it.
                return [(await self._keep_distinct([each], now, {}))[0] for each in received]
            refusal = error if isinstance(error, SeraiError) else Malformed("dicom.unusable-value")
            outcomes = [Outcome(received[0], error=refusal)]
        await self._forget(
            put[uid] for each in outcomes if _for_good(each) and (uid := _uid(each)) in put
        )
        return outcomes

    async def _judged_and_written(
        self, received: list[Received], put: dict[str, Kept], now: datetime
    ) -> list[Outcome]:
        for _ in range(TRIES):
            judged, studies = await self._judge(received)
            fresh = [each.received for each in judged if not each.error and not each.already]
            failed = await self._put(fresh, put)
            kept = [put[each.instance.uid] for each in fresh if each.instance.uid in put]
            try:
                await self._write(kept, studies, now)
            except _Outrun:
                continue
            return [failed.get(_uid(each), each) for each in judged]
        raise Unavailable("imaging.too-busy")

    async def _judge(
        self, received: Sequence[Received]
    ) -> tuple[list[Outcome], dict[str, KnownStudy]]:
        async with self._db.connection() as connection:
            studies = await index.known_studies(
                connection, (each.instance.study_uid for each in received)
            )
            instances = await index.known_instances(
                connection, (each.instance.uid for each in received)
            )
            await self._room.look(connection)
        patients = {uid: study.patient for uid, study in studies.items()}
        outcomes = []
        for each in received:
            try:
                self._check_study(each, studies, patients)
                already = await self._is_known(each, instances.get(each.instance.uid))
                if not already:
                    self._room.take(each.size)
                patients.setdefault(each.instance.study_uid, each.instance.patient)
                outcomes.append(Outcome(each, already=already))
            except SeraiError as error:
                outcomes.append(Outcome(each, error=error))
        return outcomes, studies

    def _check_study(
        self,
        received: Received,
        studies: dict[str, KnownStudy],
        patients: dict[str, PatientKey],
    ) -> None:
        uid = received.instance.study_uid
        study = studies.get(uid)
        if study and not self._actor.system_wide and study.owner != self._actor.organisation:
            raise Conflict("imaging.study-of-another-organisation", study=uid)
        if uid in patients and patients[uid].contradicts(received.instance.patient):
            raise Conflict("imaging.study-of-another-patient", study=uid)

    async def _is_known(self, received: Received, known: KnownInstance | None) -> bool:
        if known is None:
            return False
        instance = received.instance
        same_place = (known.study_uid, known.series_uid) == (
            instance.study_uid,
            instance.series_uid,
        )
        if same_place and await asyncio.to_thread(received.digest) == known.blob:
            await self._make_sure(Kept(received, known.blob))
            return True
        if same_place:
            # Sent again with other file meta information: the same data set all the same.
            stored = await self._blobs.get(known.blob)
            if stored[data_set_start(stored) :] == received.data_set():
                return True
        raise Conflict("imaging.instance-differs", instance=instance.uid)

    async def _put(self, fresh: Sequence[Received], put: dict[str, Kept]) -> dict[str, Outcome]:
        """Write the bytes; `put` learns each blob, the answer is what failed."""
        left = [each for each in fresh if each.instance.uid not in put]
        logged = [each for each in left if self._is_for_log(each)]
        try:
            put |= await asyncio.to_thread(self._logged, logged)
        except SeraiError as error:
            return {each.instance.uid: Outcome(each, error=error) for each in left}
        failed = {}
        for each in left:
            uid = each.instance.uid
            try:
                put[uid] = put.get(uid) or await self._kept(each)
            except SeraiError as error:
                failed[uid] = Outcome(each, error=error)
        return failed

    def _is_for_log(self, received: Received) -> bool:
        return 0 < received.in_memory <= LOGGED_UP_TO and self._blobs.is_local

    def _logged(self, received: Sequence[Received]) -> dict[str, Kept]:
        """By one write that all share."""
        kept, objects = {}, []
        for each in received:
            if isinstance(each.content, bytes):
                digest = each.digest()
                objects.append((digest, each.content))
                kept[each.instance.uid] = Kept(each, digest)
        if objects:
            self._blobs.keep_logged(*objects)
        return kept

    async def _kept(self, received: Received) -> Kept:
        ahead = await asyncio.to_thread(self.ahead, received)
        return ahead or Kept(received, await self._blobs.put(received.for_blob))

    async def _write(
        self, kept: Sequence[Kept], studies: dict[str, KnownStudy], now: datetime
    ) -> None:
        if not kept:
            return
        resources = {uid: study.resource for uid, study in studies.items()}
        grown = {each.instance.study_uid for each in kept} & studies.keys()
        async with self._db.transaction() as tx:
            await letting_go.hold(tx, (each.blob for each in kept))
            for uid in sorted({each.instance.study_uid for each in kept} - studies.keys()):
                resources[uid] = await self._add_study(tx, _of_study(kept, uid), now)
            await index.hold_studies(tx, sorted(grown))
            await index.add_series(tx, kept)
            if len(await index.add_instances(tx, kept, now)) < len(kept):
                raise _Outrun
            new_to_us = {each.instance.study_uid for each in kept} - self._audited
            for uid in sorted(new_to_us):
                resource = f"ImagingStudy/{resources[uid]}"
                await audit.record(
                    tx, actor=self._actor, act="dicom.store", at=now, resource=resource
                )
        for each in kept:
            if not (self._is_for_log(each.received) and self._blobs.is_wanted(each.blob)):
                await self._make_sure(each)
        self._audited |= new_to_us
        self._grown |= grown
        self._room.grew(sum(e.received.size for e in kept if e.instance.study_uid in grown))
        self._accepted |= {_place(each.instance) for each in kept}

    async def _make_sure(self, kept: Kept) -> None:
        """Write again what was deleted between being written and being referred to."""
        if await self._blobs.has(kept.blob):
            return
        try:
            await self._blobs.put(kept.received.for_blob)
        except FileNotFoundError as error:
            # The file that went was the only one; whoever sends it again finds its row.
            raise Unavailable("imaging.too-busy") from error

    async def _add_study(self, tx: Connection, kept: Sequence[Kept], now: datetime) -> str:
        actor = self._actor
        resource = await settling.create_resource(tx, self._fhir, kept, actor=actor, now=now)
        owner = actor.organisation
        if not await index.add_study(tx, kept, resource=resource, owner=owner, now=now):
            raise _Outrun
        return resource

    async def _forget(self, kept: Iterable[Kept]) -> None:
        """Take back blobs that no row will ever refer to."""
        for each in kept:
            await letting_go.let_go(self._db, self._blobs, each.instance.uid, each.blob)


def _first_of_each_uid(
    waiting: Sequence[tuple[int, Received]],
) -> tuple[dict[int, Received], list[tuple[int, Received]]]:
    seen: set[str] = set()
    first, rest = {}, []
    for place, received in waiting:
        if received.instance.uid in seen:
            rest.append((place, received))
        else:
            seen.add(received.instance.uid)
            first[place] = received
    return first, rest


def _of_study(kept: Sequence[Kept], uid: str) -> list[Kept]:
    return [each for each in kept if each.instance.study_uid == uid]


def _place(instance: Instance) -> tuple[str, str, PatientKey]:
    return instance.study_uid, instance.series_uid, instance.patient


def _uid(outcome: Outcome) -> str:
    return outcome.received.instance.uid


def _for_good(outcome: Outcome) -> bool:
    """Whether the same bytes would be refused from anybody at any time.

    Only then may their blob go: while something merely failed, or belongs to somebody else,
    another sender of the same bytes may be between writing the blob and committing its row.
    """
    error = outcome.error
    return isinstance(error, Malformed | Invalid) or (
        isinstance(error, Conflict) and error.key == "imaging.instance-differs"
    )
