"""$validate: would this resource be accepted, and does it fit its profiles (R4 §3.2, resource-
validate)? Nothing is stored."""

from __future__ import annotations

from functools import partial
from typing import Final

from serai.fhir import profiles
from serai.fhir.body import Data
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import given
from serai.fhir.operations.operation import Operation
from serai.fhir.outcome import of_issues
from serai.fhir.terminology.membership import members
from serai.fhir.visibility import require
from serai.kernel.errors import Issue, Malformed

MODES: Final = ("create", "update", "delete", "profile")
GOOD: Final = Issue("informational", "validate.good", severity="information")


async def answer(scene: Scene, asked: Asked) -> Reply:
    """Always 200 with an OperationOutcome once there was something to validate."""
    want = given(asked).only("resource", "mode", "profile")
    mode, profile = want.text("mode"), want.text("profile")
    if mode is not None and mode not in MODES:
        raise Malformed("operation.bad-parameter", parameter="mode", expected=" or ".join(MODES))
    require(scene.actor, "r", asked.path[0])
    resource = want.resource("resource")
    id = asked.path[1] if len(asked.path) == 3 else None
    if mode in ("update", "delete") and id is None:
        raise Malformed("validate.instance", mode=mode)
    stored = None
    if id is not None:
        if mode == "create":
            raise Malformed("validate.type", mode=mode)
        stored = await scene.store.read(scene.connection, asked.path[0], id, actor=scene.actor)
    if resource is None:
        resource = stored.data if stored is not None else None
    if resource is None:
        raise Malformed("operation.parameter-missing", parameter="resource")
    if mode == "delete":
        return Reply(200, of_issues((GOOD,)))
    urls = [profile] if profile is not None else []
    issues = [
        *_identity(resource, asked.path[0], id if mode == "update" else None),
        *await profiles.validate(
            scene.connection, resource, urls, members=partial(members, scene.connection)
        ),
    ]
    return Reply(200, of_issues(tuple(issues) or (GOOD,)))


def _identity(resource: Data, kind: str, id: str | None) -> list[Issue]:
    """What an update or create at this address would refuse."""
    found = []
    if resource.get("resourceType") != kind:
        details = {"wanted": kind}
        found.append(Issue("invalid", "fhir.other-type", "Resource", "error", details))
    if id is not None and resource.get("id") != id:
        found.append(Issue("invalid", "fhir.other-id", f"{kind}.id"))
    return found


VALIDATE = Operation(
    name="validate",
    handler=answer,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/OperationDefinition/Resource-validate",
)
