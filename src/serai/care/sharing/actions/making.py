"""Staff who may see a study make links to it, look at what became of them, and revoke them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from serai.care.sharing import store
from serai.care.sharing.actions.visiting import Sharing
from serai.care.sharing.model import CLINICIANS, Event, Link, Wanted
from serai.care.sharing.store import Study
from serai.fhir.visibility import require
from serai.kernel.actor import Actor, Kind
from serai.kernel.errors import Forbidden, NotFound
from serai.platform import audit
from serai.platform.auth import passwords

PASSCODES = 10**6


@dataclass(frozen=True, slots=True)
class Made:
    """A new link; `secret` and `passcode` are told once and never again."""

    id: str
    secret: str
    passcode: str


@dataclass(frozen=True, slots=True)
class Overview:
    """A study and the links of the actor's organisation to it."""

    study: Study
    links: tuple[tuple[Link, tuple[Event, ...]], ...]


async def make(
    sharing: Sharing, study: str, wanted: Wanted, *, actor: Actor, now: datetime
) -> Made:
    """A link to a study that the actor may see."""
    _require_clinician(actor)
    wanted.check()
    passcode = f"{secrets.randbelow(PASSCODES):06}" if wanted.passcode else ""
    passcode_hash = await passwords.hashed(passcode) if passcode else None
    async with sharing.db.transaction() as tx:
        found = await store.study(tx, study, actor=actor)
        id, secret = await store.add(tx, found, wanted, passcode_hash, actor=actor, now=now)
        about = f"ImagingStudy/{found.resource}"
        await audit.record(tx, actor=actor, act="link.make", at=now, resource=about)
    return Made(id, secret, passcode)


async def overview(sharing: Sharing, study: str, *, actor: Actor) -> Overview:
    _require_clinician(actor)
    async with sharing.db.connection() as c:
        found = await store.study(c, study, actor=actor)
        return Overview(found, await store.of_study(c, study, actor=actor))


async def revoke(sharing: Sharing, study: str, link: str, *, actor: Actor, now: datetime) -> None:
    """End a link at once, for those who are looking as well."""
    _require_clinician(actor)
    async with sharing.db.transaction() as tx:
        resource = await store.revoke(tx, study, link, actor=actor, now=now)
        if resource is None:
            raise NotFound("sharing.nothing-to-revoke")
        about = f"ImagingStudy/{resource}"
        await audit.record(tx, actor=actor, act="link.revoke", at=now, resource=about)


def _require_clinician(actor: Actor) -> None:
    if actor.kind is not Kind.STAFF or actor.role not in CLINICIANS:
        raise Forbidden("auth.role", role=actor.role)
    require(actor, "r", "ImagingStudy")
