"""`Subscription/[id]/$events`: past notifications once more (Subscriptions R5 Backport §2.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import given
from serai.fhir.operations.operation import Operation
from serai.fhir.subscriptions import queue
from serai.fhir.subscriptions.definition import CONTENTS, read
from serai.fhir.subscriptions.notifications import bundle
from serai.fhir.subscriptions.telling import what_may_be_told
from serai.kernel.errors import Malformed, NotFound

MOST: Final = 100
LAST: Final = 999_999_999


async def events(scene: Scene, asked: Asked) -> Reply:
    """At most a hundred, from the number asked for; each only as far as the actor may read it."""
    params = given(asked).only("eventsSinceNumber", "eventsUntilNumber", "content")
    first = params.integer("eventsSinceNumber", default=1, most=LAST)
    last = params.integer("eventsUntilNumber", default=LAST, most=LAST)
    found = await scene.store.read(
        scene.connection, "Subscription", asked.path[1], actor=scene.actor
    )
    wanted = read(found.data, allowed=None, base=scene.store.base)
    content = params.text("content") or wanted.content or "id-only"
    if content not in CONTENTS:
        expected = ", ".join(CONTENTS)
        raise Malformed("operation.bad-parameter", parameter="content", expected=expected)
    one = await queue.listener(scene.connection, found.id)
    if one is None:
        raise NotFound("fhir.not-found", resource=found.reference)
    past = await queue.between(scene.connection, found.id, first, last, MOST)
    told, _ = await what_may_be_told(scene.connection, scene.store, past, scene.actor)
    wanted = replace(wanted, content=content)
    return Reply(200, bundle("query-event", one, wanted, told, base=asked.base))


OPERATION: Final = Operation(
    name="events",
    handler=events,
    levels=frozenset({"instance"}),
    definition="http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/"
    "backport-subscription-events",
    types=frozenset({"Subscription"}),
)
