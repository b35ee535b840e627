"""Somebody without an account opens a link, and looks at that one study."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import datetime

from serai.care.sharing import store
from serai.care.sharing.model import MOST_TRIES, Link, State
from serai.care.sharing.store import Study
from serai.imaging.dataset.hiding import Hiding
from serai.imaging.dataset.model_json import first_text
from serai.kernel.actor import Actor, Kind
from serai.kernel.errors import Forbidden, NotFound, RateLimited
from serai.platform import audit
from serai.platform.auth import passwords
from serai.platform.db import Connection, Database

READS = frozenset({"user/ImagingStudy.rs"})


@dataclass(frozen=True, slots=True)
class Sharing:
    """What every action of sharing works with."""

    db: Database


def visitor(link: Link, address: str) -> Actor:
    """Whoever holds the link: sees what its organisation sees of that study, changes nothing."""
    return Actor(
        id=f"link-{link.id}",
        kind=Kind.MACHINE,
        name=address,
        role="visitor",
        organisation=link.organisation,
        scopes=READS,
        only=("ImagingStudy", link.resource),
    )


async def look(sharing: Sharing, secret: str, *, now: datetime) -> Link:
    """The link of a secret. One that never was, has ended or is used up is not there."""
    async with sharing.db.connection() as c:
        link = await store.by_secret(c, secret)
    if link is None or link.state(now) not in (State.OPEN, State.LOCKED):
        raise NotFound("sharing.no-such-link")
    return link


async def enter(
    sharing: Sharing, secret: str, passcode: str, *, address: str, before: str, now: datetime
) -> tuple[Link, str]:
    """Open the link; the browser's new secret. `before` is the secret it brought along.

    Forbidden for a wrong passcode, RateLimited too early after one.
    """
    link = await look(sharing, secret, now=now)
    if link.passcode_hash is not None:
        await _require_passcode(sharing, link, passcode, address, now)
    async with sharing.db.transaction() as tx:
        opened = await store.count_view(tx, link.id, now)
        if opened is None:
            raise NotFound("sharing.no-such-link")
        # Whoever gave the link may have lost sight of the study.
        await store.study(tx, link.study, actor=visitor(link, address))
        browser = await store.add_visit(tx, link.id, before, now)
        await _note(tx, opened, "open", address, now)
    return opened, browser


async def visits(sharing: Sharing, browser: str, *, now: datetime) -> tuple[Link, ...]:
    """What this browser may look at, last opened first; NotFound for nothing."""
    async with sharing.db.connection() as c:
        links = await store.visited(c, browser, now) if browser else ()
    if not links:
        raise NotFound("sharing.no-such-link")
    return links


async def opened_before(
    sharing: Sharing, secret: str, browser: str, *, now: datetime
) -> Link | None:
    """The link of a secret, if this browser may look at it without opening it again."""
    if not browser:
        return None
    async with sharing.db.connection() as c:
        link = await store.by_secret(c, secret)
        open_here = {one.id for one in await store.visited(c, browser, now)}
    return link if link and link.id in open_here else None


async def opened(sharing: Sharing, link: Link, *, address: str) -> Study:
    """The study behind an opened link; its description names nobody where that is hidden."""
    async with sharing.db.connection() as c:
        study = await store.study(c, link.study, actor=visitor(link, address))
    if not link.hides_name:
        return study
    hidden = Hiding(link.pseudonym, study.attributes).attributes(study.attributes)
    return replace(study, description=first_text(hidden, "00081030"), attributes=hidden)


async def downloaded(sharing: Sharing, link: Link, *, address: str, now: datetime) -> None:
    """Note that the study is taken along; Forbidden when the link does not allow it."""
    if not link.download:
        raise Forbidden("sharing.no-download")
    async with sharing.db.transaction() as tx:
        await _note(tx, link, "download", address, now)


async def hiding_of(sharing: Sharing, link: Link) -> Hiding:
    """What takes this link's patient out of what is shown."""
    async with sharing.db.connection() as c:
        return Hiding(link.pseudonym, await store.shown_patient(c, link.study))


async def _require_passcode(
    sharing: Sharing, link: Link, passcode: str, address: str, now: datetime
) -> None:
    async with sharing.db.transaction() as tx:
        counted = await store.count_try(tx, link.id, now)
        again, wrong = await store.next_try(tx, link.id)
    if not counted:
        if wrong >= MOST_TRIES or again is None:
            raise Forbidden("sharing.locked")
        raise RateLimited("sharing.wait", seconds=max(math.ceil((again - now).total_seconds()), 1))
    if await passwords.matches(re.sub(r"\D", "", passcode), link.passcode_hash):
        return
    async with sharing.db.transaction() as tx:
        await _note(tx, link, "refuse", address, now)
    raise Forbidden("sharing.locked" if wrong >= MOST_TRIES else "sharing.wrong-passcode")


async def _note(tx: Connection, link: Link, act: str, address: str, now: datetime) -> None:
    await store.note(tx, link.id, act, address, now)
    await audit.record(
        tx,
        actor=visitor(link, address),
        act=f"link.{act}",
        at=now,
        resource=f"ImagingStudy/{link.resource}",
        outcome="refused" if act == "refuse" else "success",
    )
