"""What the process of long work does by itself."""

from __future__ import annotations

import asyncio

from serai.fhir.store import FhirStore
from serai.fhir.terminology import packaged
from serai.platform.db import Database
from serai.serving.jobs import CHORES, bring_terminology


async def test_hl7s_vocabulary_is_there_before_anybody_asks(db: Database) -> None:
    assert bring_terminology in CHORES
    stop = asyncio.Event()
    stop.set()
    await bring_terminology(db, FhirStore(), stop)
    async with db.connection() as connection:
        assert not await packaged.ensure(connection)
