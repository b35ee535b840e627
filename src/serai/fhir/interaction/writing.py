"""create, update and delete, with and without a condition."""

from __future__ import annotations

from serai.fhir import outcome
from serai.fhir.body import Body, parse
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.interaction.reading import refuse_parameters
from serai.fhir.store import Write
from serai.fhir.stored import Stored
from serai.kernel.errors import Malformed, Stale
from serai.kernel.ids import new_id

MOST_DELETED = 1000


async def create(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.8; with If-None-Exist only when nothing matches"""
    refuse_parameters(asked)
    body = _body(asked)
    condition = asked.conditions.if_none_exist
    if condition is not None:
        found = await scene.store.existing(
            scene.connection, asked.path[0], condition, actor=scene.actor
        )
        if found is not None:
            return answer(asked, found, 200)
    made = await write_one(scene, Write("POST", body.type, new_id(), body, fresh=True))
    return answer(asked, made, 201)


async def update(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.4; creates what is not there under the client's id"""
    refuse_parameters(asked)
    kind, id = asked.path
    body = _body(asked)
    if body.id is None:
        raise Malformed("fhir.no-id")
    if body.id != id:
        raise Malformed("fhir.other-id")
    made = await write_one(scene, Write("PUT", kind, id, body, asked.conditions.version))
    return answer(asked, made, 201 if made.version == 1 else 200)


async def update_by_condition(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.4.3: no match creates, one is updated, several are refused"""
    body = _body(asked)
    write = await conditional_write(scene, asked, body)
    made = await write_one(scene, write)
    return answer(asked, made, 201 if made.version == 1 else 200)


async def conditional_write(scene: Scene, asked: Asked, body: Body) -> Write:
    """The write that a conditional update comes down to."""
    kind, version = asked.path[0], asked.conditions.version
    found = await scene.store.existing(scene.connection, kind, asked.params, actor=scene.actor)
    if found is None:
        if body.id is not None:
            return Write("PUT", kind, body.id, body, version)
        return Write("PUT", kind, new_id(), body, version, fresh=version is None)
    if body.id not in (None, found.id):
        raise Malformed("fhir.other-id")
    return Write("PUT", kind, found.id, body, version)


async def delete(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.7; deleting what is not there is fine"""
    refuse_parameters(asked)
    kind, id = asked.path
    await write_one(scene, Write("DELETE", kind, id, if_match=asked.conditions.version))
    return Reply(204)


async def delete_by_condition(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.7.1: every match, all or none of them"""
    kind, version = asked.path[0], asked.conditions.version
    found = await scene.store.matches(
        scene.connection, kind, asked.params, actor=scene.actor, most=MOST_DELETED + 1
    )
    if version is not None and len(found) > 1:
        raise Stale("search.if-match-several", type=kind)
    if len(found) > MOST_DELETED:
        raise Stale("search.too-many-matches", type=kind, most=MOST_DELETED)
    writes = [Write("DELETE", kind, one.id, if_match=version) for one in found]
    if writes:
        await scene.store.write(scene.connection, writes, **scene.who)
    return Reply(204)


def answer(asked: Asked, made: Stored, status: int) -> Reply:
    """What `Prefer: return=…` wants to see of a written resource."""
    content = made.content
    if asked.prefer.returns == "minimal":
        content = None
    elif asked.prefer.returns == "OperationOutcome":
        content = outcome.done("stored", f"{made.reference} is stored as version {made.version}.")
    location = f"{asked.base}/{made.reference}/_history/{made.version}"
    return Reply(status, content, made, location)


async def write_one(scene: Scene, write: Write) -> Stored:
    return (await scene.store.write(scene.connection, [write], **scene.who))[0]


def _body(asked: Asked) -> Body:
    body = parse(asked.raw)
    if body.type != asked.path[0]:
        raise Malformed("fhir.other-type", wanted=asked.path[0])
    return body
