"""Modality Worklist C-FIND (PS3.4 §K): today's work of a station, out of the FHIR record."""

from __future__ import annotations

from typing import Final

from serai.imaging.dimse import matching, scheduled
from serai.imaging.dimse.exchange import Exchange
from serai.imaging.dimse.finding import CANCELLED, PENDING, SUCCESS
from serai.imaging.dimse.scheduled import Step

MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"
STEP_SEQUENCE: Final = "00400100"


def find(exchange: Exchange) -> None:
    """Every scheduled step that matches, soonest first."""
    keys = exchange.identifier
    for step in sorted(_steps(exchange), key=_start):
        if exchange.cancelled:
            exchange.respond(CANCELLED)
            return
        if matching.answers(step.attributes, keys):
            exchange.respond(PENDING, matching.asked_of(step.attributes, keys))
    exchange.respond(SUCCESS)


def _steps(exchange: Exchange) -> list[Step]:
    house = exchange.house

    async def read() -> list[Step]:
        async with house.db.connection() as connection:
            return await scheduled.steps(house.archive.fhir, connection, exchange.peer.actor)

    return house.loop.run(read())


def _start(step: Step) -> tuple[str, str, str]:
    (item,) = step.attributes[STEP_SEQUENCE]["Value"]
    day, time = (item[tag].get("Value", [""])[0] for tag in ("00400002", "00400003"))
    return day, time, step.id
