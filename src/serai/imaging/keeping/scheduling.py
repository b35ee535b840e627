"""When the pictures' bytes are looked after: tiers once a day, everything read once a week."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from serai.fhir.store import FhirStore
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform import jobs
from serai.platform.db import Connection, Database
from serai.platform.running import stopped_within

LOOK_EVERY_S = 600.0
# Due when there is something to do, and it was not asked for since.
TIER_DUE = """SELECT EXISTS (SELECT FROM imaging_tier_rule) AND NOT EXISTS (
    SELECT FROM fhir_job WHERE kind = 'tier' AND asked_at > %(since)s)"""
SCRUB_DUE = """SELECT EXISTS (SELECT FROM imaging_study WHERE received_at < %(since)s)
    AND NOT EXISTS (SELECT FROM fhir_job WHERE kind = 'scrub' AND asked_at > %(since)s)"""


async def ask_for_what_is_due(tx: Connection, *, has_cold: bool, now: datetime) -> list[str]:
    """The kinds of the jobs asked for."""
    asked = []
    for kind, statement, every in (
        ("tier", TIER_DUE, timedelta(days=1)),
        ("scrub", SCRUB_DUE, timedelta(days=7)),
    ):
        row = await (await tx.execute(statement, {"since": now - every})).fetchone()
        if row and row[0] and (has_cold or kind == "scrub"):
            await jobs.join(tx, kind, {}, actor=serai_itself, now=now)
            asked.append(kind)
    return asked


async def ask_until(
    db: Database, _store: FhirStore, stop: asyncio.Event, *, has_cold: bool
) -> None:
    """Now and then, as long as the server runs."""
    while not await stopped_within(stop, LOOK_EVERY_S):
        async with db.transaction() as tx:
            await ask_for_what_is_due(tx, has_cold=has_cold, now=utc_now())
