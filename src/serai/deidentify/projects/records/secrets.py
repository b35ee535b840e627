"""What leads back to the patient: keys, pseudonyms, origins. No other module reads these tables.

Nothing here is part of an export or an answer, save `numbers_of`, which only a project's keeper
may ask and which the audit trail remembers (`actions.who_is`).
"""

from __future__ import annotations

import secrets
from typing import Any

import orjson

from serai.deidentify.projects.model import Shown, Source
from serai.deidentify.scrubbing.subject import KEY_BYTES, Subject, new_pseudonym
from serai.fhir import visibility
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound
from serai.platform.db import Connection
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.sealing import Place, opened, sealed

ADD_KEY = "INSERT INTO deidentify_secret_key (project, key) VALUES (%s, %s)"
# Two runs of a project name a new patient one after the other.
KEY = "SELECT key FROM deidentify_secret_key WHERE project = %s FOR UPDATE"
KNOWN = """SELECT known_as, pseudonym FROM deidentify_secret_subject
    WHERE project = %s AND known_as = ANY(%s)"""
NAME = """INSERT INTO deidentify_secret_subject (project, known_as, pseudonym)
    SELECT %s, known_as, %s FROM unnest(%s::text[]) AS new(known_as) ON CONFLICT DO NOTHING"""
ORIGIN = """INSERT INTO deidentify_secret_origin (project, source_uid, uid) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING"""
BACK = """SELECT known_as FROM deidentify_secret_subject
    WHERE project = %s AND pseudonym = %s ORDER BY known_as"""
SHOWN = """SELECT s.uid, coalesce(s.owner, ''), s.issuer, s.patient_id, r.patients,
        s.attributes::text
    FROM imaging_study s JOIN fhir_resource r
        ON r.type = 'ImagingStudy' AND r.id = s.resource AND NOT r.deleted
    WHERE s.uid = %(study)s AND {visible}"""

NOT_TAKEN = """FROM deidentify_study d
    JOIN imaging_study s ON s.uid = d.study_uid
    JOIN fhir_resource r ON r.type = 'ImagingStudy' AND r.id = s.resource AND NOT r.deleted
    JOIN imaging_instance i ON i.study_uid = s.uid
    WHERE d.project = %(project)s AND {visible}
      AND NOT EXISTS (SELECT 1 FROM deidentify_secret_origin o
                      WHERE o.project = d.project AND o.source_uid = i.uid)
      AND NOT EXISTS (SELECT 1 FROM deidentify_refusal f
                      WHERE f.project = d.project AND f.source_uid = i.uid)"""
WAITING = "SELECT count(*) " + NOT_TAKEN
NEXT = (
    "SELECT i.uid, i.study_uid, i.blob, i.size "
    + NOT_TAKEN
    + " ORDER BY i.study_uid, i.series_uid, i.number NULLS LAST, i.uid LIMIT 100"
)


async def open_book(tx: Connection, id: str, *, keys: Keyring) -> None:
    """A key that exists in one place only, sealed."""
    await tx.execute(
        ADD_KEY, (id, await sealed(keys, secrets.token_bytes(KEY_BYTES), place_of(id)))
    )


async def shown(connection: Connection, study: str, *, actor: Actor) -> Shown:
    rows = await _rows(connection, SHOWN, {"study": study}, actor)
    if not rows:
        raise NotFound("deidentify.no-such-study")
    uid, owner, issuer, number, patients, attributes = rows[0]
    names = orjson.loads(attributes).get("00100010", {}).get("Value") or []
    spelt = [part for name in names if isinstance(name, dict) for part in name.values()]
    return Shown(uid, owner, issuer, number, tuple(patients), tuple(map(str, spelt)))


async def subject(tx: Connection, id: str, of: Shown, *, keys: Keyring) -> Subject:
    """Who a patient is in this project, now and ever after."""
    row = await (await tx.execute(KEY, (id,))).fetchone()
    if row is None:
        raise NotFound("deidentify.no-such-project")
    key, names = await opened(keys, row[0], place_of(id)), of.known_as
    known: dict[str, str] = dict(await (await tx.execute(KNOWN, (id, names))).fetchall())
    pseudonym = next((known[name] for name in names if name in known), "")
    pseudonym = pseudonym or new_pseudonym(key, names[0])
    await tx.execute(NAME, (id, pseudonym, [name for name in names if name not in known]))
    return Subject(key, pseudonym)


def place_of(id: str) -> Place:
    return Place("deidentification", "deidentify_secret_key", "key", id)


async def waiting(connection: Connection, id: str, *, actor: Actor) -> int:
    """Objects that are still to be taken."""
    ((count,),) = await _rows(connection, WAITING, {"project": id}, actor)
    return int(count)


async def next_sources(connection: Connection, id: str, *, actor: Actor) -> list[Source]:
    """What the actor still sees of what was chosen, study by study."""
    return [Source(*row) for row in await _rows(connection, NEXT, {"project": id}, actor)]


async def note_origin(tx: Connection, id: str, source_uid: str, uid: str) -> None:
    await tx.execute(ORIGIN, (id, source_uid, uid))


async def numbers_of(tx: Connection, id: str, pseudonym: str) -> list[str]:
    """What a subject is known as; NotFound when the project has no such subject."""
    rows = await (await tx.execute(BACK, (id, pseudonym))).fetchall()
    if not rows:
        raise NotFound("deidentify.no-such-subject")
    return [known_as for (known_as,) in rows]


async def _rows(
    connection: Connection, statement: str, values: dict[str, Any], actor: Actor
) -> list[tuple[Any, ...]]:
    visible, bound = visibility.clause(actor, "r")
    filled = statement.format(visible=visible).encode()
    return await (await connection.execute(filled, values | bound)).fetchall()
