"""`Subscription/$status`: how subscriptions stand (Subscriptions R5 Backport §2.3)."""

from __future__ import annotations

from typing import Final

from serai.fhir.body import encode
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import given
from serai.fhir.operations.operation import Operation
from serai.fhir.operations.subscriptions_named import MOST, named
from serai.fhir.subscriptions import notifications, queue
from serai.fhir.subscriptions.definition import read


async def status(scene: Scene, asked: Asked) -> Reply:
    """Of one subscription, or of those named; what the actor may not see is not there."""
    params = given(asked).only("id", "status")
    wanted = await named(scene, asked, params)
    search = [("_count", str(MOST))]
    search += [("_id", ",".join(wanted))] if wanted else []
    search += [("status", str(one)) for one in params.all("status")]
    page = await scene.store.search(
        scene.connection, "Subscription", search, actor=scene.actor, now=scene.now
    )
    known = await queue.listeners(scene.connection, [one.id for one in page.matches])
    described = [
        notifications.status(
            "query-status",
            known[one.id],
            read(one.data, allowed=None, base=scene.store.base),
            base=asked.base,
        )
        for one in page.matches
        if one.id in known
    ]
    entries = [
        {"fullUrl": f"urn:uuid:{one['id']}", "resource": one, "search": {"mode": "match"}}
        for one in described
    ]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return Reply(200, encode(bundle | ({"entry": entries} if entries else {})))


OPERATION: Final = Operation(
    name="status",
    handler=status,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/"
    "backport-subscription-status",
    types=frozenset({"Subscription"}),
)
