"""Links, visits and what happened with them: our own tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from serai.care.sharing.model import MOST_TRIES, VISIT, Event, Link, Purpose, Wanted
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.search.rows import visible
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound
from serai.kernel.ids import new_id
from serai.platform.auth.secrets import fingerprint, new_secret
from serai.platform.db import Connection

SHOWN_EVENTS = 20
COLUMNS = """l.id, l.study, l.resource, l.organisation, l.made_by_name, l.purpose, l.made_at,
    l.expires_at, l.revoked_at, l.hides_name, l.download, l.passcode_hash, l.most_views, l.views,
    l.wrong_tries"""
# Secondary captures and ultrasound often have the name written into the picture.
STUDY = """SELECT s.uid, s.resource, s.study_date, s.modalities, s.attributes::text,
        (SELECT count(*) FROM imaging_series e WHERE e.study_uid = s.uid),
        (SELECT count(*) FROM imaging_instance i WHERE i.study_uid = s.uid),
        s.modalities && ARRAY['US', 'SC', 'OT', 'IVUS', 'ES', 'XC'] OR EXISTS (
            SELECT 1 FROM imaging_instance i WHERE i.study_uid = s.uid
            AND (i.sop_class LIKE '1.2.840.10008.5.1.4.1.1.7%%'
                 OR position(%(burned)s IN i.metadata) > 0))
    FROM imaging_study s WHERE s.uid = %(study)s AND {visible}"""
BURNED = b'"00280301":{"Value":["YES"]'
ADD = """INSERT INTO study_link
    (id, secret_sha256, study, resource, organisation, made_by, made_by_name, purpose, made_at,
     expires_at, hides_name, download, passcode_hash, most_views)
    VALUES (%(id)s, %(secret)s, %(study)s, %(resource)s, %(organisation)s, %(by)s, %(name)s,
            %(purpose)s, %(now)s, %(expires)s, %(hides)s, %(download)s, %(passcode)s, %(most)s)"""
OF_STUDY = f"""SELECT {COLUMNS}, ARRAY(
        SELECT jsonb_build_array(e.at, e.act, e.address) FROM study_link_event e
        WHERE e.link = l.id ORDER BY e.at DESC LIMIT {SHOWN_EVENTS})
    FROM study_link l WHERE l.study = %s AND l.organisation = %s
    ORDER BY l.made_at DESC LIMIT 100"""  # noqa: S608
BY_SECRET = f"SELECT {COLUMNS} FROM study_link l WHERE l.secret_sha256 = %s"  # noqa: S608
REVOKE = """UPDATE study_link SET revoked_at = %(now)s
    WHERE id = %(id)s AND study = %(study)s AND organisation = %(organisation)s
      AND revoked_at IS NULL RETURNING resource"""
END_VISITS = "DELETE FROM study_link_visit WHERE link = %s"
# Counted before the passcode is looked at, so that many guesses at once cannot slip through.
TRY = """UPDATE study_link SET wrong_tries = wrong_tries + 1,
        next_try_at = %(now)s + least(power(2, wrong_tries) * interval '1 second',
                                      interval '5 minutes')
    WHERE id = %(id)s AND wrong_tries < %(most)s
      AND (next_try_at IS NULL OR next_try_at <= %(now)s) RETURNING true"""
WAIT = "SELECT next_try_at, wrong_tries FROM study_link WHERE id = %s"
OPEN = f"""UPDATE study_link l SET views = views + 1,
        wrong_tries = CASE WHEN passcode_hash IS NULL THEN wrong_tries ELSE 0 END,
        next_try_at = NULL
    WHERE id = %(id)s AND revoked_at IS NULL AND expires_at > %(now)s
      AND (most_views IS NULL OR views < most_views) RETURNING {COLUMNS}"""  # noqa: S608
NOTE = "INSERT INTO study_link_event (link, at, act, address) VALUES (%s, %s, %s, %s)"
# A browser's links move to a new secret each time, so that nobody can plant one beforehand.
MOVE_VISITS = """UPDATE study_link_visit SET secret_sha256 = %(new)s
    WHERE secret_sha256 = %(old)s AND link <> %(link)s"""
ADD_VISIT = "INSERT INTO study_link_visit (secret_sha256, link, opened_at) VALUES (%s, %s, %s)"
FORGET_OLD = "DELETE FROM study_link_visit WHERE opened_at <= %s"
VISITED = f"""SELECT {COLUMNS} FROM study_link_visit v JOIN study_link l ON l.id = v.link
    WHERE v.secret_sha256 = %s AND v.opened_at > %s AND l.revoked_at IS NULL AND l.expires_at > %s
    ORDER BY v.opened_at DESC"""  # noqa: S608
ABOUT = "SELECT attributes::text FROM imaging_study WHERE uid = %s"
SOP_CLASSES = """SELECT uid, sop_class FROM imaging_instance
    WHERE study_uid = %(study)s AND (%(one)s::text IS NULL OR uid = %(one)s)"""


@dataclass(frozen=True, slots=True)
class Study:
    """A study as the page of its links shows it."""

    uid: str
    resource: str
    date: str
    modalities: tuple[str, ...]
    description: str
    series: int
    instances: int
    may_show_name: bool
    attributes: Attributes


async def study(c: Connection, uid: str, *, actor: Actor) -> Study:
    """NotFound unless the actor may see it."""
    seen, values = visible(actor)
    statement = STUDY.format(visible=seen).encode()
    row = await (await c.execute(statement, {"study": uid, "burned": BURNED, **values})).fetchone()
    if row is None:
        raise NotFound("sharing.no-such-study")
    uid, resource, day, modalities, text, series, instances, burned = row
    attributes: Attributes = orjson.loads(text)
    return Study(
        uid=uid,
        resource=resource,
        date=day.isoformat() if day else "",
        modalities=tuple(modalities),
        description=first_text(attributes, "00081030"),
        series=series,
        instances=instances,
        may_show_name=bool(burned),
        attributes=attributes,
    )


async def add(
    tx: Connection,
    of: Study,
    wanted: Wanted,
    passcode_hash: str | None,
    *,
    actor: Actor,
    now: datetime,
) -> tuple[str, str]:
    """The new link's id and its secret, which nobody can be told a second time."""
    id, secret = new_id(), new_secret()
    row = {
        "id": id, "secret": fingerprint(secret), "study": of.uid, "resource": of.resource,
        "organisation": actor.organisation, "by": actor.id, "name": actor.name,
        "purpose": wanted.purpose.value, "now": now, "expires": now + wanted.lasts,
        "hides": wanted.hides_name, "download": wanted.download, "passcode": passcode_hash,
        "most": wanted.most_views,
    }  # fmt: skip
    await tx.execute(ADD, row)
    return id, secret


async def of_study(
    c: Connection, uid: str, *, actor: Actor
) -> tuple[tuple[Link, tuple[Event, ...]], ...]:
    """The links that the actor's organisation has made, newest first, and what became of them."""
    rows = await (await c.execute(OF_STUDY, (uid, actor.organisation))).fetchall()
    return tuple((_link(row[:-1]), tuple(_event(*event) for event in row[-1])) for row in rows)


async def by_secret(c: Connection, secret: str) -> Link | None:
    row = await (await c.execute(BY_SECRET, (fingerprint(secret),))).fetchone()
    return _link(row) if row else None


async def revoke(tx: Connection, study: str, id: str, *, actor: Actor, now: datetime) -> str | None:
    """The resource whose link it was; None when there was nothing to revoke."""
    named = {"id": id, "study": study, "organisation": actor.organisation, "now": now}
    row = await (await tx.execute(REVOKE, named)).fetchone()
    if row is None:
        return None
    await tx.execute(END_VISITS, (id,))
    return str(row[0])


async def count_try(tx: Connection, id: str, now: datetime) -> bool:
    """Whether a passcode may be tried now; if so the try is counted as wrong beforehand."""
    named = {"id": id, "now": now, "most": MOST_TRIES}
    return await (await tx.execute(TRY, named)).fetchone() is not None


async def next_try(c: Connection, id: str) -> tuple[datetime | None, int]:
    """When a passcode may be tried again, and how many were wrong."""
    row = await (await c.execute(WAIT, (id,))).fetchone()
    return (row[0], row[1]) if row else (None, 0)


async def count_view(tx: Connection, id: str, now: datetime) -> Link | None:
    """The link, opened once more; None when it has ended meanwhile."""
    row = await (await tx.execute(OPEN, {"id": id, "now": now})).fetchone()
    return _link(row) if row else None


async def note(tx: Connection, id: str, act: str, address: str, now: datetime) -> None:
    await tx.execute(NOTE, (id, now, act, address))


async def add_visit(tx: Connection, link: str, before: str, now: datetime) -> str:
    """The secret of a browser that may look at this link too, beside those it has opened."""
    secret = new_secret()
    await tx.execute(FORGET_OLD, (now - VISIT,))
    if before:
        named = {"new": fingerprint(secret), "old": fingerprint(before), "link": link}
        await tx.execute(MOVE_VISITS, named)
    await tx.execute(ADD_VISIT, (fingerprint(secret), link, now))
    return secret


async def visited(c: Connection, secret: str, now: datetime) -> tuple[Link, ...]:
    """The links this browser has opened and may still look at, last opened first."""
    rows = await (await c.execute(VISITED, (fingerprint(secret), now - VISIT, now))).fetchall()
    return tuple(_link(row) for row in rows)


async def shown_patient(c: Connection, uid: str) -> Attributes:
    """Whom the study shows."""
    row = await (await c.execute(ABOUT, (uid,))).fetchone()
    return orjson.loads(row[0]) if row else {}


async def sop_classes(c: Connection, study: str, instance: str | None = None) -> dict[str, str]:
    """What kind of object each of the study's is, or one of them."""
    rows = await c.execute(SOP_CLASSES, {"study": study, "one": instance})
    return dict(await rows.fetchall())


def _link(row: tuple[Any, ...]) -> Link:
    values = list(row)
    values[5] = Purpose(values[5])
    return Link(*values)


def _event(at: str, act: str, address: str) -> Event:
    return Event(datetime.fromisoformat(at), act, address)
