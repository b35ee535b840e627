"""Carrying out what a register says: accounts, and the staff that the directory shows.

A joiner gets an account without a password and a link to choose one; a mover's rights change
with the next request; a leaver's sessions end at once, and the account stays for the audit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from serai.fhir import body
from serai.fhir.body import Data
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.errors import Conflict, Invalid, Issue, NotFound
from serai.network.model import STAFF_LOGINS, STAFF_ROLE_SYSTEM
from serai.network.records import practitioner_id
from serai.network.staff.model import Change, Person, Step, changes
from serai.platform import audit
from serai.platform.auth import accounts, feeds, links, sessions
from serai.platform.auth.accounts import Account
from serai.platform.auth.feeds import Fed
from serai.platform.db import Connection

ACTS = {
    Step.JOIN: "account.open",
    Step.MOVE: "account.change",
    Step.LEAVE: "account.disable",
    Step.RETURN: "account.enable",
}


@dataclass(frozen=True, slots=True)
class Feed:
    """Who feeds, when, and where it goes."""

    tx: Connection
    store: FhirStore
    actor: Actor
    now: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """`links` are secrets for joiners to choose their password with, by login."""

    changes: Sequence[Change]
    links: Mapping[str, str] = field(default_factory=dict)


def as_person(fed: Fed) -> Person:
    account = fed.account
    return Person(
        account.login,
        account.name,
        account.role,
        account.organisation,
        fed.email,
        fed.feed_id,
        active=fed.active,
    )


async def planned(
    c: Connection, store: FhirStore, wanted: Sequence[Person], *, complete: bool
) -> list[Change]:
    """What the register would change. A complete one names everybody of its organisations: whom
    it once told of and tells of no more has left."""
    places = {person.organisation for person in wanted}
    await _require_organisations(c, store, places)
    present = await feeds.fed_by_login(c, [person.login for person in wanted])
    missing: list[Person] = []
    if complete:
        named = {person.login for person in wanted}
        told = [fed for fed in await feeds.fed_of(c, places) if fed.fed]
        missing = [as_person(fed) for fed in told if fed.account.login not in named]
    people = {login: as_person(fed) for login, fed in present.items()}
    return changes(wanted, people, missing)


async def carry_out(feed: Feed, steps: Sequence[Change]) -> Outcome:
    secrets: dict[str, str] = {}
    for step in steps:
        account = await carry_out_one(feed, step)
        if step.step is Step.JOIN:
            secrets[account.login] = await links.issue(feed.tx, account.id, feed.now)
    return Outcome(steps, secrets)


async def carry_out_one(feed: Feed, change: Change) -> Account:
    """The account as it is afterwards."""
    account = await _account(feed, change)
    if change.step is Step.LEAVE:
        await accounts.disable_account(feed.tx, account, feed.now)
        await links.void(feed.tx, account.id, feed.now)
    else:
        await _take_over(feed, account, change)
    await _show(feed, change, account.practitioner or practitioner_id(change.after.login))
    await audit.record(
        feed.tx,
        actor=feed.actor,
        act=ACTS[change.step],
        at=feed.now,
        resource=f"account/{account.id}",
    )
    return await accounts.read_account(feed.tx, account.id)


async def _account(feed: Feed, change: Change) -> Account:
    person = change.after
    if change.step is not Step.JOIN:
        return await accounts.find_account(feed.tx, person.login)
    back = await feeds.removed(feed.tx, person.login, person.organisation)
    if back is not None:
        return back
    return await accounts.create_account(
        feed.tx,
        login=person.login,
        password=None,
        name=person.name,
        role=person.role,
        organisation=person.organisation,
        practitioner=practitioner_id(person.login),
        now=feed.now,
    )


async def _take_over(feed: Feed, account: Account, change: Change) -> None:
    person = change.after
    await accounts.change_account(
        feed.tx,
        account,
        name=person.name,
        role=person.role,
        organisation=person.organisation,
        practitioner=account.practitioner or practitioner_id(person.login),
    )
    account = await accounts.read_account(feed.tx, account.id)
    await feeds.note(feed.tx, account, email=person.email, feed_id=person.feed_id)
    if account.disabled_at is not None:
        await accounts.enable_account(feed.tx, account)
    if {"role", "organisation"} & set(change.facts):
        # Nobody goes on with what was open on the screen in the role they had.
        await sessions.close_all_sessions(feed.tx, account.id, feed.now)


async def _show(feed: Feed, change: Change, id_: str) -> None:
    """The directory's Practitioner and PractitionerRole; nothing is written that is there."""
    writes = [
        Write("PUT", wanted["resourceType"], wanted["id"], body.of(wanted))
        for wanted in [await _practitioner(feed, change, id_), await _role(feed, change, id_)]
        if wanted is not None
    ]
    if writes:
        await feed.store.write(feed.tx, writes, actor=serai_itself, now=feed.now)


async def _practitioner(feed: Feed, change: Change, id_: str) -> Data | None:
    person = change.after
    present = await _present(feed, "Practitioner", id_)
    if present is not None and not {"name", "login"} & set(change.facts):
        return None
    made: Data = present or {"resourceType": "Practitioner", "id": id_, "active": True}
    named = present is None or "name" in change.facts
    names = [{"text": person.name}] if named else made.get("name", [])
    others = [one for one in made.get("identifier", []) if one.get("system") != STAFF_LOGINS]
    login = {"system": STAFF_LOGINS, "value": person.login}
    return made | {"identifier": [login, *others], "name": names}


async def _role(feed: Feed, change: Change, id_: str) -> Data | None:
    person, step = change.after, change.step
    present = await _present(feed, "PractitionerRole", id_)
    if present is None and step is Step.LEAVE:
        return None
    kept: Data = present or {"resourceType": "PractitionerRole", "id": id_}
    code = {"coding": [{"system": STAFF_ROLE_SYSTEM, "code": person.role}]}
    text = {name: value for name, value in _code(kept).items() if name != "coding"}
    wanted = kept | {
        "active": step is not Step.LEAVE,
        "practitioner": {"reference": f"Practitioner/{id_}"},
        "organization": {"reference": f"Organization/{person.organisation}"},
        "code": [code | text],
    }
    return None if wanted == present else wanted


def _code(role: Data) -> Data:
    codes = role.get("code") or [{}]
    first: Data = codes[0]
    return first


async def _present(feed: Feed, resource_type: str, id_: str) -> Data | None:
    try:
        stored = await feed.store.read(feed.tx, resource_type, id_, actor=serai_itself)
    except NotFound:
        return None
    data = stored.data
    return {name: value for name, value in data.items() if name != "meta"}


async def _require_organisations(
    c: Connection, store: FhirStore, organisations: Iterable[str]
) -> None:
    wanted = sorted(set(organisations))
    unknown = set(wanted)
    for start in range(0, len(wanted), 50):
        ids = ",".join(wanted[start : start + 50])
        found = await store.find(c, "Organization", ("_id", ids), actor=serai_itself)
        unknown -= {one["id"] for one in found}
    if unknown:
        issues = tuple(
            Issue("not-found", "staff.organisation-unknown", details={"organisation": name[:80]})
            for name in sorted(unknown)
        )
        raise Invalid("staff.feed-wrong", issues=issues, count=len(issues))


def refuse_mass_leaving(steps: Sequence[Change], present: int, *, most: int) -> None:
    """A register cut off half-way must not close the hospital."""
    leaving = sum(1 for step in steps if step.step is Step.LEAVE)
    if leaving > most:
        raise Conflict("staff.too-many-leave", leaving=leaving, most=most, present=present)
