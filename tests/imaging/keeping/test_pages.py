"""What an administrator sees and sets, and what a reader sees while a study is fetched."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient
from tests.imaging.archive.test_intake import NOON, keep
from tests.imaging.objects import a_picture

from serai.fhir import upkeep
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive, receive
from serai.imaging.keeping import findings, pages, rules, scheduling
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web.application import page_app

PASSWORD = "caravanserai-demo"
STORAGE = "/upkeep/storage"
CONTENT = a_picture(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1")
NOW = utc_now()


@pytest_asyncio.fixture
async def archive(db: Database, tmp_path: Path) -> Archive:
    """One study of the county hospital's."""
    archive = Archive(FhirStore(), Blobs(tmp_path), Blobs(tmp_path / "cold"))
    await keep(archive, db, CONTENT)
    return archive


@pytest_asyncio.fixture
async def client(db: Database, archive: Archive, tmp_path: Path) -> AsyncIterator[AsyncClient]:
    app = page_app(
        [*pages.routes(), *upkeep.routes()],
        navigation=upkeep.NAVIGATION,
        db=db,
        fhir=archive.fhir,
        archive=archive,
        blobs=archive.blobs,
        settings=Settings(home=tmp_path),
    )
    async with AsyncClient(transport=ASGITransport(app), base_url="http://serai.test") as made:
        yield made


async def sign_in(
    client: AsyncClient, db: Database, organisation: str, role: str = "admin"
) -> None:
    login = f"{organisation}.{role}"
    async with db.transaction() as tx:
        await create_account(
            tx, login=login, password=PASSWORD, name=login, role=role, organisation=organisation
        )
    client.cookies.clear()
    answer = await client.post("/signin", data={"login": login, "password": PASSWORD})
    assert answer.status_code == 303


async def post(client: AsyncClient, path: str, **fields: str) -> int:
    secret = re.search(r'name="csrf" content="([^"]+)"', (await client.get(STORAGE)).text)
    assert secret
    return (await client.post(STORAGE + path, data={"_csrf": secret[1], **fields})).status_code


async def test_an_administrator_sets_rules_and_holds_and_sees_what_the_scrub_found(
    client: AsyncClient, db: Database
) -> None:
    async with db.transaction() as tx:
        await rules.limit(tx, 5_000_000, owner="county", actor=serai_itself, now=NOW)
    await findings.note(
        db, receive(CONTENT).instance.uid, receive(CONTENT).digest(), place="hot", kind="damaged"
    )
    await sign_in(client, db, "county")
    assert await post(client, "/retention", days_kept="5479") == 303
    assert await post(client, "/retention", days_kept="10") == 409
    assert await post(client, "/retention", days_kept="ten") == 422
    assert await post(client, "/tier", days_hot="365") == 303
    assert await post(client, "/holds", study="1.2.3", reason="Court case") == 303
    page = (await client.get(STORAGE)).text
    for said in ("0 of 5 MB used", "5479 days old", "365 days", "Court case", "Damaged"):
        assert said in page
    hold = re.search(r"/holds/([^/]+)/release", page)
    assert hold
    await sign_in(client, db, "township")
    page = (await client.get(STORAGE)).text
    assert "Court case" not in page
    assert "Damaged" not in page
    assert await post(client, f"/holds/{hold[1]}/release") == 404
    assert await post(client, "/holds", study="1.2.3", reason="Ours now") == 404
    await sign_in(client, db, "city", "doctor")
    assert (await client.get(STORAGE)).status_code == 403
    async with db.connection() as connection:
        acts = await connection.execute(
            "SELECT act FROM audit_event WHERE actor <> 'serai' AND act LIKE 'imaging.%'"
        )
        assert sorted(await acts.fetchall()) == [
            ("imaging.hold",), ("imaging.retain",), ("imaging.tier-rule",),
        ]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_who_opens_a_cold_study_sees_it_coming_and_then_gets_it(
    client: AsyncClient, db: Database, language: str
) -> None:
    await sign_in(client, db, "county", "doctor")
    client.cookies.set("language", language)
    async with db.connection() as connection:
        await connection.execute(
            "INSERT INTO imaging_cold (study_uid, token, state, since, done, total)"
            " VALUES ('1.2.3', 'x', 'recalling', now(), 40, 100)"
        )
    answer = await client.get("/recall/1.2.3")
    assert answer.status_code == 200
    assert answer.headers["Refresh"] == "5"
    assert re.search(r"40\D{1,12}100", answer.text)
    async with db.connection() as connection:
        await connection.execute("DELETE FROM imaging_cold")
    answer = await client.get("/recall/1.2.3")
    assert answer.headers["Location"] == "/viewer/viewer?StudyInstanceUIDs=1.2.3"
    await sign_in(client, db, "township", "doctor")
    assert (await client.get("/recall/1.2.3")).status_code == 404


async def test_tiers_are_due_daily_and_a_scrub_weekly(archive: Archive, db: Database) -> None:
    assert archive.cold
    soon, later = NOON + timedelta(days=1), NOON + timedelta(days=60)
    async with db.transaction() as tx:
        assert await scheduling.ask_for_what_is_due(tx, has_cold=True, now=soon) == []
        await tx.execute("INSERT INTO imaging_tier_rule VALUES ('', 30, 'x', now())")
        assert await scheduling.ask_for_what_is_due(tx, has_cold=False, now=soon) == []
        assert await scheduling.ask_for_what_is_due(tx, has_cold=True, now=later) == [
            "tier",
            "scrub",
        ]
        assert await scheduling.ask_for_what_is_due(tx, has_cold=True, now=later) == []
