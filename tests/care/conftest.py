from __future__ import annotations

import pytest_asyncio
from tests.care.hospitals import COUNTY_DOCTOR, PATIENT, Loop, an_observation, build, put

from serai.care.consultation import register_guards
from serai.care.consultation.records import Consultations
from serai.fhir.store import FhirStore
from serai.platform.db import Database


@pytest_asyncio.fixture
async def kept(db: Database) -> Consultations:
    store = FhirStore()
    register_guards(store)
    made = Consultations(db, store)
    await build(made)
    await put(made, PATIENT, an_observation("bp"), by=COUNTY_DOCTOR)
    return made


@pytest_asyncio.fixture
async def loop(kept: Consultations) -> Loop:
    return Loop(kept)
