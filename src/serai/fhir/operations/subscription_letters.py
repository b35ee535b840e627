"""`Subscription/[id]/$dead-letters` and `$replay`: what could not be told, and telling it again."""

from __future__ import annotations

from typing import Final

from serai.fhir.body import Data
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import given, parameters
from serai.fhir.operations.operation import Operation
from serai.fhir.subscriptions import queue, replaying
from serai.fhir.subscriptions.notifications import Told
from serai.fhir.subscriptions.telling import what_may_be_told
from serai.kernel.clock import instant
from serai.kernel.errors import Malformed

MOST: Final = 100
LAST: Final = 999_999_999
OURS: Final = "https://serai.health/fhir/OperationDefinition/subscription-"


async def dead_letters(scene: Scene, asked: Asked) -> Reply:
    """The first hundred after the number `after`; none about what the actor may not read."""
    after = given(asked).only("after").integer("after", default=0, most=LAST)
    found = await scene.store.read(
        scene.connection, "Subscription", asked.path[1], actor=scene.actor
    )
    dead = await queue.dead(scene.connection, found.id, after, MOST)
    told, _ = await what_may_be_told(scene.connection, scene.store, dead, scene.actor)
    return parameters(_letter(one, asked.base) for one in told)


def _letter(one: Told, base: str) -> Data:
    part: list[Data] = [
        {"name": "event-number", "valueString": str(one.event.number)},
        {"name": "timestamp", "valueInstant": instant(one.event.at)},
        {"name": "focus", "valueReference": {"reference": f"{base}/{one.reference}"}},
        {"name": "tries", "valueInteger": one.event.tries},
        {"name": "reason", "valueString": one.event.reason or ""},
    ]
    return {"name": "dead-letter", "part": part}


async def replay(scene: Scene, asked: Asked) -> Reply:
    """All dead letters, or those with the numbers in `event`, wait again before anything newer."""
    params = given(asked).only("event")
    numbers = [_number(one) for one in params.all("event")]
    count = await replaying.replay(
        scene.connection,
        scene.store,
        asked.path[1],
        numbers or None,
        actor=scene.actor,
        now=scene.now,
    )
    return parameters([{"name": "count", "valueInteger": count}])


def _number(given: object) -> int:
    text = str(given)
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise Malformed("operation.bad-parameter", parameter="event", expected="a whole number")
    return int(text)


OPERATIONS: Final = (
    Operation(
        name="dead-letters",
        handler=dead_letters,
        levels=frozenset({"instance"}),
        definition=OURS + "dead-letters",
        types=frozenset({"Subscription"}),
    ),
    Operation(
        name="replay",
        handler=replay,
        levels=frozenset({"instance"}),
        definition=OURS + "replay",
        types=frozenset({"Subscription"}),
        writes=True,
    ),
)
