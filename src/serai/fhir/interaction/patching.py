"""patch (R4 §3.1.0.5): the current version changed in place, then validated like any update."""

from __future__ import annotations

import base64
import binascii

from serai.fhir.body import Body, of, parse
from serai.fhir.interaction import fhirpath_patch, json_patch
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.interaction.reading import refuse_parameters
from serai.fhir.interaction.writing import answer, write_one
from serai.fhir.store import Write
from serai.fhir.stored import Stored
from serai.kernel.errors import Malformed, NotFound, Stale, Unsupported

JSON_PATCH = "application/json-patch+json"


async def patch(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.5; the row is locked from reading to writing, so no change is lost"""
    refuse_parameters(asked)
    return await _patch(scene, asked, asked.path[1])


async def patch_by_condition(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.5.1: none is 404, several are 412"""
    kind = asked.path[0]
    found = await scene.store.existing(scene.connection, kind, asked.params, actor=scene.actor)
    if found is None:
        raise NotFound("patch.nothing-matches", type=kind)
    return await _patch(scene, asked, found.id)


async def _patch(scene: Scene, asked: Asked, id: str) -> Reply:
    body = await patched(scene, asked, id)
    write = Write("PUT", body.type, id, body, asked.conditions.version)
    return answer(asked, await write_one(scene, write), 200)


async def patched(scene: Scene, asked: Asked, id: str) -> Body:
    """What the patch makes of the current version, which stays locked."""
    kind = asked.path[0]
    found = await scene.store.read_to_change(scene.connection, kind, id, actor=scene.actor)
    version = asked.conditions.version
    if version is not None and version != found.version:
        raise Stale("fhir.stale", resource=found.reference)
    return _applied(found, asked)


def _applied(found: Stored, asked: Asked) -> Body:
    if asked.content_type == JSON_PATCH:
        made = json_patch.apply(found.data, asked.raw)
    else:
        made = _by_resource(found, asked)
    if not isinstance(made, dict) or made.get("resourceType") != found.type:
        raise Malformed("fhir.other-type", wanted=found.type)
    if made.get("id") != found.id:
        raise Malformed("patch.id")
    return of(made)


def _by_resource(found: Stored, asked: Asked) -> object:
    """Parameters, or inside a Bundle a JSON Patch packed into a Binary (R4 §3.1.0.11.2)."""
    sent = parse(asked.raw)
    if sent.type == "Parameters":
        return fhirpath_patch.apply(found.data, sent.data)
    if sent.type == "Binary" and asked.in_bundle and sent.data.get("contentType") == JSON_PATCH:
        try:
            return json_patch.apply(found.data, base64.b64decode(str(sent.data.get("data"))))
        except binascii.Error as error:
            raise Malformed("patch.base64") from error
    raise Unsupported("patch.format")
