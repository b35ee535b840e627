"""Projects, their members and the studies chosen for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from serai.deidentify.profile.options import chosen
from serai.deidentify.projects.model import (
    PER_PAGE,
    Chosen,
    Project,
    Terms,
    Writing,
)
from serai.fhir import visibility
from serai.imaging.archive.imaging_study import shown_name
from serai.imaging.dataset.model_json import first_text
from serai.imaging.dataset.names import fold_group
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound
from serai.platform.db import Connection

COLUMNS = """p.id, p.organisation, p.name, p.purpose, p.options, p.writing, p.stored, p.keeper,
    p.keeper_name, p.created_at, p.job"""
# Whoever is not a member does not learn that a project is there.
MINE = """p.organisation = %(organisation)s AND EXISTS (
    SELECT 1 FROM deidentify_member m WHERE m.project = p.id AND m.actor = %(actor)s)"""
ADD = """INSERT INTO deidentify_project
        (id, organisation, name, purpose, options, writing, stored, keeper, keeper_name, created_at)
    VALUES (%(id)s, %(organisation)s, %(name)s, %(purpose)s, %(options)s, %(writing)s, %(stored)s,
            %(keeper)s, %(keeper_name)s, %(now)s)"""
ADD_MEMBER = """INSERT INTO deidentify_member (project, actor, name) VALUES (%s, %s, %s)
    ON CONFLICT DO NOTHING"""
ONE = f"SELECT {COLUMNS} FROM deidentify_project p WHERE p.id = %(id)s AND {MINE}"  # noqa: S608
LISTED = f"""SELECT {COLUMNS} FROM deidentify_project p WHERE {MINE}
    ORDER BY p.created_at DESC, p.id OFFSET %(start)s LIMIT %(most)s"""  # noqa: S608
MEMBERS = "SELECT name FROM deidentify_member WHERE project = %s ORDER BY name, actor"
SET_JOB = "UPDATE deidentify_project SET job = %s WHERE id = %s"
DROP = "DELETE FROM deidentify_project WHERE id = %s"

VISIBLE = """FROM imaging_study s JOIN fhir_resource r
        ON r.type = 'ImagingStudy' AND r.id = s.resource AND NOT r.deleted
    WHERE {visible}"""
FOUND = "SELECT s.uid, s.resource, r.patients " + VISIBLE + " AND s.uid = ANY(%(uids)s)"
ADD_STUDIES = """INSERT INTO deidentify_study (project, study_uid, added_at)
    SELECT %s, uid, %s FROM unnest(%s::text[]) AS wanted(uid) ON CONFLICT DO NOTHING"""
REMOVE_STUDY = "DELETE FROM deidentify_study WHERE project = %s AND study_uid = %s"
DESCRIBED = """SELECT s.uid, s.study_date::text, s.modalities, s.attributes::text, s.patient_id,
    s.instances, EXISTS (SELECT 1 FROM deidentify_study d
                         WHERE d.project = %(project)s AND d.study_uid = s.uid) """
CHOSEN = """ AND s.uid IN (SELECT study_uid FROM deidentify_study WHERE project = %(project)s)"""
NEWEST = """ ORDER BY s.study_date DESC NULLS LAST, s.uid LIMIT %(most)s"""
IN_PROJECT = DESCRIBED + VISIBLE + CHOSEN + NEWEST
NAMED = """ AND (s.patient_id = %(words)s OR s.accession = %(words)s
            OR s.uid = %(words)s OR starts_with(left(s.name_alphabetic, 200), %(folded)s)
            OR starts_with(left(s.name_ideographic, 200), %(folded)s))"""
CANDIDATES = DESCRIBED + VISIBLE + NEWEST
CANDIDATES_NAMED = DESCRIBED + VISIBLE + NAMED + NEWEST


def _who(actor: Actor) -> dict[str, Any]:
    return {"organisation": actor.organisation, "actor": actor.id}


async def add(tx: Connection, id: str, terms: Terms, *, actor: Actor, now: datetime) -> None:
    values = {
        "id": id,
        "name": terms.name,
        "purpose": terms.purpose,
        "options": sorted(terms.options),
        "writing": terms.writing,
        "stored": terms.stored,
        "organisation": actor.organisation,
        "keeper": actor.id,
        "keeper_name": actor.name,
        "now": now,
    }
    await tx.execute(ADD, values)
    await add_member(tx, id, actor.id, actor.name)


async def add_member(tx: Connection, id: str, member: str, name: str) -> None:
    await tx.execute(ADD_MEMBER, (id, member, name))


async def find(connection: Connection, id: str, *, actor: Actor, hold: bool = False) -> Project:
    """NotFound for whoever is not a member; `hold` keeps others from changing it."""
    statement = ONE + (" FOR UPDATE OF p" if hold else "")
    row = await (await connection.execute(statement.encode(), {"id": id, **_who(actor)})).fetchone()
    if row is None:
        raise NotFound("deidentify.no-such-project")
    return _project(row)


async def listed(connection: Connection, start: int, *, actor: Actor) -> list[Project]:
    """One more than a page shows, so that the next is known to be there."""
    values = {"start": start, "most": PER_PAGE + 1, **_who(actor)}
    return [_project(row) for row in await (await connection.execute(LISTED, values)).fetchall()]


async def members(connection: Connection, id: str) -> tuple[str, ...]:
    rows = await (await connection.execute(MEMBERS, (id,))).fetchall()
    return tuple(name for (name,) in rows)


async def set_job(tx: Connection, id: str, job: str) -> None:
    await tx.execute(SET_JOB, (job, id))


async def drop(tx: Connection, id: str) -> None:
    await tx.execute(DROP, (id,))


async def visible_studies(
    connection: Connection, uids: Sequence[str], *, actor: Actor
) -> dict[str, tuple[str, list[str]]]:
    """Of these studies those the actor sees: the id of the ImagingStudy, and its patients."""
    rows = await _rows(connection, FOUND, {"uids": list(uids)}, actor)
    return {uid: (resource, patients) for uid, resource, patients in rows}


async def add_studies(tx: Connection, id: str, uids: Sequence[str], *, now: datetime) -> None:
    await tx.execute(ADD_STUDIES, (id, now, sorted(set(uids))))


async def remove_study(tx: Connection, id: str, uid: str) -> bool:
    return (await tx.execute(REMOVE_STUDY, (id, uid))).rowcount == 1


async def studies(
    connection: Connection, id: str, most: int, *, actor: Actor
) -> tuple[Chosen, ...]:
    rows = await _rows(connection, IN_PROJECT, {"project": id, "most": most}, actor)
    return tuple(_chosen(row) for row in rows)


async def candidates(
    connection: Connection, id: str, words: str, *, actor: Actor
) -> tuple[Chosen, ...]:
    """The newest studies the actor sees, or those of a number or a beginning of a name."""
    values = {
        "project": id,
        "words": words,
        "folded": fold_group(words),
        "most": PER_PAGE,
    }
    statement = CANDIDATES_NAMED if words else CANDIDATES
    return tuple(_chosen(row) for row in await _rows(connection, statement, values, actor))


async def _rows(
    connection: Connection, statement: str, values: dict[str, Any], actor: Actor
) -> list[tuple[Any, ...]]:
    visible, bound = visibility.clause(actor, "r")
    filled = statement.format(visible=visible).encode()
    return await (await connection.execute(filled, values | bound)).fetchall()


def _project(row: tuple[Any, ...]) -> Project:
    id, organisation, name, purpose, options, writing, stored, *rest = row
    terms = Terms(name, purpose, chosen(options), Writing(writing), stored)
    return Project(id, organisation, terms, *rest)


def _chosen(row: tuple[Any, ...]) -> Chosen:
    uid, day, modalities, attributes, number, instances, added = row
    told = orjson.loads(attributes)
    return Chosen(
        uid,
        day or "",
        tuple(modalities),
        first_text(told, "00081030"),
        shown_name(told),
        number,
        instances,
        added,
    )
