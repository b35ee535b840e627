"""batch: each entry for itself, in the order sent; one failing leaves the others alone."""

from __future__ import annotations

from typing import Any

from serai.fhir.bundle import replies
from serai.fhir.bundle.entries import Entry, Requests
from serai.fhir.interaction.asked import Reply, Scene
from serai.fhir.interaction.retrying import again_on_collision
from serai.fhir.interaction.table import find
from serai.kernel.errors import SeraiError


async def run(scene: Scene, requests: Requests) -> bytes:
    """`scene.connection` must be outside a transaction: every write commits on its own."""
    answers = [await _one(scene, entry) for entry in requests.entries]
    return replies.bundle("batch", answers)


async def _one(scene: Scene, entry: Entry) -> dict[str, Any]:
    try:
        reply = await _perform(scene, entry)
    except SeraiError as error:
        return replies.failed(error)
    return replies.succeeded(entry, reply)


async def _perform(scene: Scene, entry: Entry) -> Reply:
    interaction = find(entry.asked.method, entry.asked.path)
    if not interaction.writes:
        return await interaction.handler(scene, entry.asked)

    async def attempt() -> Reply:
        async with scene.connection.transaction():
            return await interaction.handler(scene, entry.asked)

    return await again_on_collision(attempt)
