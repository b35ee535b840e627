"""$reindex: make the search values of a resource, a type or everything anew, as a job."""

from __future__ import annotations

from typing import Any

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import given
from serai.fhir.operations.operation import Operation
from serai.fhir.visibility import require
from serai.kernel.errors import Forbidden
from serai.platform import audit, jobs


async def reindex(scene: Scene, asked: Asked) -> Reply:
    """Asking again for what is under way joins it."""
    given(asked).only()
    if not scene.actor.system_wide:
        raise Forbidden("bulk.system-only")
    *where, _ = asked.path
    parameters: dict[str, Any] = {"types": where[:1] or sorted(RESOURCE_TYPES)}
    for type in parameters["types"]:
        require(scene.actor, "u", type)
    if len(where) > 1:
        parameters["id"] = where[1]
        await scene.store.read(scene.connection, *where, actor=scene.actor)
    job = await jobs.join(scene.connection, "reindex", parameters, **scene.who)
    await audit.record(
        scene.connection, actor=scene.actor, act="fhir.reindex", at=scene.now, resource=f"job/{job}"
    )
    return accepted(asked.base, job)


def accepted(base: str, job: str) -> Reply:
    """202 with the address where the job tells how far it is (R4 §3.1.6)."""
    return Reply(202, headers=(("content-location", f"{base}/jobs/{job}"),))


OPERATION = Operation(
    name="reindex",
    handler=reindex,
    levels=frozenset({"system", "type", "instance"}),
    definition="https://serai.health/fhir/OperationDefinition/reindex",
    writes=True,
)
