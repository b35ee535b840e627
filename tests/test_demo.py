"""The demonstration is there after one load, and only once."""

from __future__ import annotations

import asyncio
import io
import os
from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread
from rich.console import Console

from serai import demo
from serai.care.consultation import register_guards
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.kernel.actor import serai_itself
from serai.kernel.errors import Conflict
from serai.platform.auth.accounts import find_account
from serai.platform.blobs import Blobs
from serai.platform.db import Database

TIER = "https://serai.health/fhir/CodeSystem/tier"
COUNTS = """SELECT (SELECT count(*) FROM fhir_resource), (SELECT count(*) FROM fhir_version),
                   (SELECT count(*) FROM imaging_instance), (SELECT count(*) FROM account)"""


def fhir_store() -> FhirStore:
    store = FhirStore()
    register_guards(store)
    return store


async def load(db: Database, home: Path) -> bool:
    fhir = fhir_store()
    archive = Archive(fhir, Blobs(home))
    return await demo.load(db=db, fhir=fhir, archive=archive, console=Console(file=io.StringIO()))


async def counts(db: Database) -> tuple[int, ...]:
    async with db.connection() as connection:
        row = await (await connection.execute(COUNTS)).fetchone()
    assert row is not None
    return tuple(row)


async def found(db: Database, kind: str) -> list[dict[str, object]]:
    async with db.connection() as connection:
        return await fhir_store().find(connection, kind, actor=serai_itself)


async def test_the_demonstration_is_loaded_once_and_shown_to_those_it_concerns(
    db: Database, tmp_path: Path
) -> None:
    assert await load(db, tmp_path)
    first = await counts(db)
    started = asyncio.get_running_loop().time()
    assert not await load(db, tmp_path)
    assert asyncio.get_running_loop().time() - started < 0.5
    assert await counts(db) == first

    tiers = Counter(
        coding["code"]
        for one in await found(db, "Organization")
        for concept in one.get("type", [])  # type: ignore[attr-defined]
        for coding in concept["coding"]
        if coding["system"] == TIER
    )
    partners = tiers.pop("partner")
    assert tiers == {"lead": 1, "county": 1, "township": 13, "village": 187}
    assert sum(tiers.values()) == 202
    assert partners == 2

    patients = await found(db, "Patient")
    assert len(patients) == 6
    assert {str(one["managingOrganization"]) for one in patients} == {
        "{'reference': 'Organization/county'}"
    }

    studies = await found(db, "ImagingStudy")
    assert sorted(one["numberOfInstances"] for one in studies) == [1, 24, 48]  # type: ignore[type-var]
    shown = {one["subject"]["reference"] for one in studies}  # type: ignore[index]
    assert len(shown) == 3

    tasks = Counter(one["status"] for one in await found(db, "Task"))
    assert tasks == {"requested": 1, "on-hold": 1, "in-progress": 1}
    assert [one["status"] for one in await found(db, "DiagnosticReport") if one.get("basedOn")] == [
        "final"
    ]

    fhir = fhir_store()
    async with db.connection() as connection:
        seen = {
            login: len(
                await fhir.find(
                    connection, "Patient", actor=(await find_account(connection, login)).actor
                )
            )
            for login in ("county.doctor", "lead.desk", "partner.doctor")
        }
    assert seen == {"county.doctor": 6, "lead.desk": 3, "partner.doctor": 0}


async def test_an_interrupted_load_is_taken_up_where_it_stopped(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    for place in ("set_peers", "import_into", "find_account"):
        with monkeypatch.context() as patched:
            patched.setattr(demo, place, cut)
            with pytest.raises(asyncio.CancelledError):
                await load(db, tmp_path)
    assert await load(db, tmp_path)
    assert len(await found(db, "Patient")) == 6
    assert len(await found(db, "Task")) == 3


async def test_fictional_patients_are_not_mixed_with_real_ones(
    db: Database, tmp_path: Path
) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            """INSERT INTO fhir_resource (type, id, version, last_updated, method, content)
               VALUES ('Patient', 'real', 1, now(), 'PUT', '{}')"""
        )
    with pytest.raises(Conflict, match="database-in-use"):
        await load(db, tmp_path)


def test_the_demonstration_is_small_and_its_pictures_can_be_shown() -> None:
    files = [path for path in demo.FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8_000_000
    shown = 0
    for path in files:
        if path.suffix == ".dcm":
            picture = dcmread(os.fspath(path))
            if "PixelData" in picture:
                shown += picture.pixel_array.ndim == 2
    assert shown == 72
