"""`Subscription/$get-ws-binding-token`: a token that binds a websocket (Subscriptions R5 Backport,
OperationDefinition-backport-subscription-get-ws-binding-token)."""

from __future__ import annotations

from typing import Final

from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import given, parameters
from serai.fhir.operations.operation import Operation
from serai.fhir.operations.subscriptions_named import MOST, named
from serai.fhir.subscriptions import bindings, queue
from serai.kernel.clock import instant
from serai.kernel.errors import Invalid
from serai.platform import audit


async def binding_token(scene: Scene, asked: Asked) -> Reply:
    """For the instance, for those named in `id`, or for all websocket subscriptions the actor
    sees; one that cannot be bound refuses the whole."""
    wanted = await named(scene, asked, given(asked).only("id"))
    search = [("type", "websocket"), ("_count", str(MOST))]
    search += [("_id", ",".join(wanted))] if wanted else [("status:not", "off")]
    page = await scene.store.search(
        scene.connection, "Subscription", search, actor=scene.actor, now=scene.now
    )
    known = await queue.listeners(scene.connection, [one.id for one in page.matches])
    ids = sorted(id for id, one in known.items() if one.status != "off")
    if not ids or set(wanted) - set(ids):
        raise Invalid("subscription.no-websocket")
    secret, until = await bindings.issue(scene.connection, ids, actor=scene.actor, now=scene.now)
    for id in ids:
        await audit.record(
            scene.connection,
            actor=scene.actor,
            act="fhir.binding-token",
            at=scene.now,
            resource=f"Subscription/{id}",
        )
    return parameters(
        [
            {"name": "token", "valueString": secret},
            {"name": "expiration", "valueDateTime": instant(until)},
            *({"name": "subscription", "valueString": id} for id in ids),
            {"name": "websocket-url", "valueUrl": websocket_url(asked.base)},
        ]
    )


def websocket_url(base: str) -> str:
    """Where clients connect: the same address, for the other protocol."""
    return "ws" + base.removeprefix("http") + "/websocket"


OPERATION: Final = Operation(
    name="get-ws-binding-token",
    handler=binding_token,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/"
    "backport-subscription-get-ws-binding-token",
    types=frozenset({"Subscription"}),
    writes=True,
)
