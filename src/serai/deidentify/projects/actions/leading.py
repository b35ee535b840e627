"""A project from its beginning to its end; each act audited in its own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from serai.deidentify.projects.model import (
    MAY_LEAD,
    MOST_AT_ONCE,
    PER_PAGE,
    SHORTEST_REASON,
    Chosen,
    Listed,
    Progress,
    Project,
    Result,
    Seen,
    Terms,
)
from serai.deidentify.projects.records import projects, results, secrets
from serai.fhir.visibility import require
from serai.kernel.actor import Actor, Kind
from serai.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from serai.kernel.ids import new_id
from serai.platform import audit, jobs
from serai.platform.auth.accounts import Account, find_account
from serai.platform.blobs import Blobs
from serai.platform.db import Connection, Database
from serai.platform.encryption.keyring import Keyring

KIND = "deidentify"
MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Desk:
    """Where projects are kept."""

    db: Database
    blobs: Blobs
    keys: Keyring


def require_lead(actor: Actor) -> None:
    """Doctors and experts, and programs of an organisation, who may read its studies."""
    require(actor, "r", "ImagingStudy")
    if actor.organisation is None or (actor.kind is Kind.STAFF and actor.role not in MAY_LEAD):
        raise Forbidden("auth.role", role=actor.role)


async def create(desk: Desk, terms: Terms, *, actor: Actor, now: datetime) -> str:
    """Whoever makes a project keeps it; the id."""
    require_lead(actor)
    if terms.stored:
        require(actor, "c", "ImagingStudy")
    id = new_id()
    async with desk.db.transaction() as tx:
        await projects.add(tx, id, terms, actor=actor, now=now)
        await secrets.open_book(tx, id, keys=desk.keys)
        await _audit(tx, "create", id, actor, now)
    return id


async def see_all(desk: Desk, start: int, *, actor: Actor) -> tuple[list[Listed], bool]:
    """One page of the actor's projects, and whether another follows."""
    require_lead(actor)
    async with desk.db.connection() as connection:
        found = await projects.listed(connection, start, actor=actor)
        numbers = await results.counted(connection, [one.id for one in found])
    rows = [Listed(one, numbers.get(one.id, Result())) for one in found[:PER_PAGE]]
    return rows, len(found) > PER_PAGE


async def see(desk: Desk, id: str, *, actor: Actor) -> Seen:
    require_lead(actor)
    async with desk.db.connection() as connection:
        project = await projects.find(connection, id, actor=actor)
        studies = await projects.studies(connection, id, MOST_SHOWN + 1, actor=actor)
        return Seen(
            project,
            await projects.members(connection, id),
            studies[:MOST_SHOWN],
            len(studies) > MOST_SHOWN,
            (await results.counted(connection, [id])).get(id, Result()),
            await results.refusals(connection, id),
            await _progress(connection, project),
        )


async def candidates(desk: Desk, id: str, words: str, *, actor: Actor) -> tuple[Chosen, ...]:
    """Studies to choose from."""
    require_lead(actor)
    require(actor, "s", "ImagingStudy")
    async with desk.db.connection() as connection:
        await projects.find(connection, id, actor=actor)
        return await projects.candidates(connection, id, words.strip(), actor=actor)


async def add_studies(
    desk: Desk, id: str, uids: Sequence[str], *, actor: Actor, now: datetime
) -> None:
    """All of them or none: each must be visible to whoever adds it."""
    require_lead(actor)
    if not uids or len(uids) > MOST_AT_ONCE:
        raise Invalid("deidentify.how-many-studies", most=MOST_AT_ONCE)
    async with desk.db.transaction() as tx:
        await projects.find(tx, id, actor=actor, hold=True)
        found = await projects.visible_studies(tx, uids, actor=actor)
        if set(uids) - found.keys():
            raise NotFound("deidentify.no-such-study")
        await projects.add_studies(tx, id, uids, now=now)
        for resource, patients in found.values():
            await audit.record(
                tx,
                actor=actor,
                act="deidentify.add-study",
                at=now,
                resource=f"ImagingStudy/{resource}",
                patients=patients,
            )


async def remove_study(desk: Desk, id: str, uid: str, *, actor: Actor, now: datetime) -> None:
    """It is not taken any more; what was taken of it stays until the project ends."""
    require_lead(actor)
    async with desk.db.transaction() as tx:
        await projects.find(tx, id, actor=actor, hold=True)
        if not await projects.remove_study(tx, id, uid):
            raise NotFound("deidentify.no-such-study")
        await _audit(tx, "remove-study", id, actor, now)


async def invite(desk: Desk, id: str, login: str, *, actor: Actor, now: datetime) -> None:
    """A colleague of the same organisation may work on the project too."""
    require_lead(actor)
    async with desk.db.transaction() as tx:
        project = await projects.find(tx, id, actor=actor, hold=True)
        _require_keeper(project, actor)
        account = await _colleague(tx, login)
        usable = account.disabled_at is None and account.role in MAY_LEAD
        if account.organisation != project.organisation or not usable:
            raise NotFound("deidentify.no-such-colleague")
        await projects.add_member(tx, id, account.id, account.name)
        await _audit(tx, "invite", id, actor, now)


async def run(desk: Desk, id: str, *, actor: Actor, now: datetime) -> str:
    """Take what has not been taken yet, as a job; the job's id."""
    require_lead(actor)
    async with desk.db.transaction() as tx:
        project = await projects.find(tx, id, actor=actor, hold=True)
        if project.job and (running := await jobs.find(tx, project.job)) and running.open:
            raise Conflict("deidentify.runs-already")
        await results.forgive(tx, id)
        if not await secrets.waiting(tx, id, actor=actor):
            raise Conflict("deidentify.nothing-to-take")
        asked = {"project": id, "request": f"deidentification/{id}"}
        job = await jobs.ask(tx, KIND, asked, actor=actor, now=now)
        await projects.set_job(tx, id, job)
        await _audit(tx, "run", id, actor, now)
    return job


async def who_is(
    desk: Desk, id: str, pseudonym: str, reason: str, *, actor: Actor, now: datetime
) -> list[str]:
    """Whom a subject is known as, told to the keeper alone, for a reason that is remembered."""
    require_lead(actor)
    if len(reason.strip()) < SHORTEST_REASON:
        raise Invalid("deidentify.reason-missing", least=SHORTEST_REASON)
    async with desk.db.transaction() as tx:
        project = await projects.find(tx, id, actor=actor)
        _require_keeper(project, actor)
        found = await secrets.numbers_of(tx, id, pseudonym.strip())
        patients = [one.removeprefix("patient:") for one in found if one.startswith("patient:")]
        await audit.record(
            tx,
            actor=actor,
            act="deidentify.who-is",
            at=now,
            resource=f"deidentification/{id}",
            patients=patients,
        )
    return found


async def discard(desk: Desk, id: str, *, actor: Actor, now: datetime) -> None:
    """End the project: its objects go, and with its key everything that leads back."""
    require_lead(actor)
    async with desk.db.transaction() as tx:
        project = await projects.find(tx, id, actor=actor, hold=True)
        _require_keeper(project, actor)
        if project.job:
            await jobs.cancel(tx, project.job, now=now)
        blobs = await results.own_blobs(tx, id)
        await projects.drop(tx, id)
        await _audit(tx, "discard", id, actor, now)
    async with desk.db.connection() as connection:
        gone = await results.unused(connection, blobs)
    for blob in gone:
        await desk.blobs.delete(blob)


async def _colleague(tx: Connection, login: str) -> Account:
    try:
        return await find_account(tx, login)
    except NotFound as error:
        raise NotFound("deidentify.no-such-colleague") from error


def _require_keeper(project: Project, actor: Actor) -> None:
    if project.keeper != actor.id:
        raise Forbidden("deidentify.keeper-only")


async def _progress(connection: Connection, project: Project) -> Progress | None:
    job = await jobs.find(connection, project.job) if project.job else None
    return Progress(job.status, job.done, job.total, job.error) if job else None


async def _audit(tx: Connection, act: str, id: str, actor: Actor, now: datetime) -> None:
    resource = f"deidentification/{id}"
    await audit.record(tx, actor=actor, act=f"deidentify.{act}", at=now, resource=resource)
