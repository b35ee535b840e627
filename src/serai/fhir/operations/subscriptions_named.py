"""Which subscriptions an operation is about: the one it is asked of, or those named in `id`."""

from __future__ import annotations

from typing import Final

from serai.fhir.interaction.asked import Asked, Scene
from serai.fhir.operations.given import Given
from serai.kernel.errors import Malformed

MOST: Final = 100


async def named(scene: Scene, asked: Asked, params: Given) -> list[str]:
    """Their ids, none when it is about all; NotFound for one that the actor does not see."""
    if len(asked.path) > 2:
        found = await scene.store.read(
            scene.connection, "Subscription", asked.path[1], actor=scene.actor
        )
        return [found.id]
    wanted = [str(one) for one in params.all("id")]
    if len(wanted) > MOST:
        raise Malformed("operation.bad-parameter", parameter="id", expected=f"at most {MOST} ids")
    return wanted
