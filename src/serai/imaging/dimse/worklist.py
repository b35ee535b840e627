"""Modality Worklist C-FIND (PS3.4 §K): today's work of a station, out of the FHIR record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from serai.fhir.search.query import Query
from serai.imaging.dimse import matching, scheduled
from serai.imaging.dimse.exchange import Exchange
from serai.imaging.dimse.finding import CANCELLED, PENDING, SUCCESS
from serai.imaging.dimse.narrowing import STEP_SEQUENCE, Narrowing, of_query
from serai.imaging.dimse.scheduled import Step

MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"


def find(exchange: Exchange) -> None:
    """Every scheduled step that matches, soonest first; a query that names neither day, station,
    patient nor order is answered in portions of orders, each in its own order."""
    keys = exchange.identifier
    for some in _portions(exchange, of_query(keys)):
        for step in sorted(some, key=_start):
            if exchange.cancelled:
                exchange.respond(CANCELLED)
                return
            if matching.answers(step.attributes, keys):
                exchange.respond(PENDING, matching.asked_of(step.attributes, keys))
    exchange.respond(SUCCESS)


def _portions(exchange: Exchange, wanted: Narrowing) -> Iterator[list[Step]]:
    """Read one after the other, for as long as anybody listens."""
    house, actor = exchange.house, exchange.peer.actor
    fhir = house.archive.fhir

    async def found() -> list[Step]:
        async with house.db.connection() as connection:
            return await scheduled.steps(fhir, connection, actor, wanted)

    async def some(after: Query | None) -> tuple[list[Step], Query | None]:
        async with house.db.connection() as connection:
            return await scheduled.some_steps(fhir, connection, actor, after)

    if not wanted.is_everything:
        yield house.loop.run(found())
        return
    steps, after = house.loop.run(some(None))
    yield steps
    while after is not None and exchange.open:
        steps, after = house.loop.run(some(after))
        yield steps


def _start(step: Step) -> tuple[str, str, str]:
    (item,) = step.attributes[STEP_SEQUENCE]["Value"]
    day, time = (item[tag].get("Value", [""])[0] for tag in ("00400002", "00400003"))
    return day, time, step.id
