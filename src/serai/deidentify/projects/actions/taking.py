"""The work behind a run: object after object, each with its checkpoint.

What is taken or refused is written down in the transaction that moves the job on, so that a
killed run goes on with the next object and takes none twice.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from serai.deidentify.objects import Done, deidentified
from serai.deidentify.pixels.reading import Reader
from serai.deidentify.projects.model import MOST_MB, Project, Source, Taken, Writing
from serai.deidentify.projects.records import projects, results, secrets
from serai.deidentify.scrubbing.identity import Collected, Identity
from serai.deidentify.scrubbing.subject import Subject
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive, Intake, receive
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Malformed, NotFound, SeraiError, TooLarge, Unavailable
from serai.platform.blobs import Blobs
from serai.platform.db import Connection
from serai.platform.encryption.keyring import Keyring
from serai.platform.running import Running

# What pydicom raises on values that no device should have written; which one, chance decides.
BROKEN = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError,
    RuntimeError, OverflowError, struct.error,
)  # fmt: skip

log = logging.getLogger(__name__)


@dataclass
class _Taking:
    """One run: its project, who is who in it, and where new objects go."""

    running: Running
    project: Project
    store: FhirStore
    blobs: Blobs
    keys: Keyring
    intake: Intake | None
    reader: Reader
    subjects: dict[str, tuple[Subject, Identity]] = field(default_factory=dict)


async def take(
    running: Running, *, store: FhirStore, blobs: Blobs, keys: Keyring
) -> timedelta | None:
    """Everything the asker still sees of what was chosen; nothing of it expires."""
    id, actor = str(running.job.parameters["project"]), running.job.actor
    async with running.db.connection() as connection:
        project = await projects.find(connection, id, actor=actor)
        total = running.job.done + await secrets.waiting(connection, id, actor=actor)
    intake = Archive(store, blobs).intake(running.db, actor) if project.terms.stored else None
    with Reader() as reader:
        taking = _Taking(running, project, store, blobs, keys, intake, reader)
        while True:
            async with running.db.connection() as connection:
                sources = await secrets.next_sources(connection, id, actor=actor)
            if not sources:
                break
            for source in sources:
                running.go_on()
                await _one(taking, source, total)
    if intake is not None:
        await intake.finish(now=utc_now())
    return None


async def _one(taking: _Taking, source: Source, total: int) -> None:
    try:
        taken = await _taken(taking, source)
    except SeraiError as error:
        if isinstance(error, Unavailable) and error.key != "deidentify.reader-failed":
            raise
        await _written(taking, source, error.key, total)
    else:
        await _written(taking, source, taken, total)


async def _taken(taking: _Taking, source: Source) -> Taken:
    if source.size > MOST_MB << 20:
        raise TooLarge("deidentify.too-large", most=MOST_MB)
    subject, identity = await _shown(taking, source.study)
    content = await taking.blobs.get(source.blob)
    done = await asyncio.to_thread(_without_patient, taking, content, subject, identity)
    received = await asyncio.to_thread(receive, done.content)
    blob: str | None = None
    if taking.intake is None:
        blob = await taking.blobs.put(done.content)
    else:
        (outcome,) = await taking.intake.keep([received], now=utc_now())
        if outcome.error:
            raise outcome.error
    new = received.instance
    found = done.findings
    return Taken(
        new.uid,
        new.study_uid,
        new.series_uid,
        subject.pseudonym,
        blob,
        len(done.content),
        found.regions,
        found.identifying,
    )


def _without_patient(taking: _Taking, content: bytes, subject: Subject, identity: Identity) -> Done:
    terms = taking.project.terms
    try:
        return deidentified(
            content,
            subject,
            terms.options,
            identity,
            taking.reader,
            everything=terms.writing is Writing.ALL,
        )
    except BROKEN as error:
        log.warning("an object could not be de-identified: %s", type(error).__name__)
        raise Malformed("deidentify.not-readable") from error


async def _written(taking: _Taking, source: Source, what: Taken | str, total: int) -> None:
    """The outcome and the checkpoint, together."""
    id, running = taking.project.id, taking.running
    async with running.db.transaction() as tx:
        if isinstance(what, str):
            await results.refuse(tx, id, source, what)
        else:
            await results.add(tx, id, what)
            await secrets.note_origin(tx, id, source.uid, what.uid)
        done = running.job.done + 1
        await running.move(tx, {}, done=done, total=max(total, done))


async def _shown(taking: _Taking, study: str) -> tuple[Subject, Identity]:
    """Who a study shows: the subject, and what would betray them beyond what the object says."""
    if study not in taking.subjects:
        actor = taking.running.job.actor
        async with taking.running.db.transaction() as tx:
            shown = await secrets.shown(tx, study, actor=actor)
            subject = await secrets.subject(tx, taking.project.id, shown, keys=taking.keys)
            known = Collected()
            known.number(shown.number)
            for name in shown.names:
                known.name(name)
            for patient in shown.patients:
                await _collect(tx, taking, patient, known)
        taking.subjects[study] = subject, known.made()
    return taking.subjects[study]


async def _collect(tx: Connection, taking: _Taking, patient: str, known: Collected) -> None:
    """From the patient's record, if whoever asked may read it."""
    try:
        found = await taking.store.read(tx, "Patient", patient, actor=taking.running.job.actor)
    except (NotFound, Forbidden):
        return
    for name in found.data.get("name", []):
        parts = [str(name.get("family", "")), *map(str, name.get("given", []))]
        known.name("^".join(filter(None, parts)))
        known.name(str(name.get("text", "")))
    for one in (*found.data.get("identifier", []), *found.data.get("telecom", [])):
        known.number(str(one.get("value", "")))
    for address in found.data.get("address", []):
        _collect_address(address, known)
    known.date(str(found.data.get("birthDate", "")))


def _collect_address(address: dict[str, Any], known: Collected) -> None:
    for line in (*address.get("line", []), address.get("text", "")):
        known.number(str(line))
