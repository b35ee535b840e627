"""Joiners, movers and leavers from a register of staff in a CSV file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from serai.fhir import body
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Invalid, Malformed
from serai.network.staff.changing import Feed, Outcome, carry_out, planned, refuse_mass_leaving
from serai.network.staff.feed import read_feed
from serai.network.staff.model import Step
from serai.platform.auth import links, sessions
from serai.platform.auth.accounts import find_account
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEADER = "login,name,role,organisation,email,number,status\n"
LI = "li.na,李娜,doctor,county,li.na@county.example,1001,active\n"
WANG = "wang.fang,Wang Fang,desk,county,,1002,\n"


@pytest_asyncio.fixture
async def store(db: Database) -> FhirStore:
    store = FhirStore()
    places = [
        Write(
            "PUT",
            "Organization",
            id_,
            body.of({"resourceType": "Organization", "id": id_, "name": id_}),
        )
        for id_ in ("county", "lead")
    ]
    async with db.transaction() as tx:
        await store.write(tx, places, actor=serai_itself, now=NOON)
    return store


async def feed(
    db: Database, store: FhirStore, folder: Path, text: str, *, complete: bool = False
) -> Outcome:
    file = folder / "staff.csv"
    file.write_text(text)
    async with db.transaction() as tx:
        steps = await planned(tx, store, read_feed(file), complete=complete)
        return await carry_out(Feed(tx, store, serai_itself, utc_now()), steps)


async def one(db: Database, store: FhirStore, resource_type: str, login: str) -> dict[str, Any]:
    async with db.connection() as c:
        stored = await store.read(c, resource_type, f"staff-{login}", actor=serai_itself)
    return stored.data


async def test_a_joiner_gets_an_account_an_entry_in_the_directory_and_a_link(
    db: Database, store: FhirStore, tmp_path: Path
) -> None:
    done = await feed(db, store, tmp_path, HEADER + LI)
    assert [change.step for change in done.changes] == [Step.JOIN]
    async with db.connection() as c:
        account = await find_account(c, "li.na")
        holder = await links.holder(c, done.links["li.na"], utc_now())
    assert holder == account
    assert (account.name, account.role, account.practitioner) == ("李娜", "doctor", "staff-li.na")
    role = await one(db, store, "PractitionerRole", "li.na")
    assert role["organization"] == {"reference": "Organization/county"}
    assert (await one(db, store, "Practitioner", "li.na"))["name"] == [{"text": "李娜"}]


async def test_the_same_register_twice_changes_nothing(
    db: Database, store: FhirStore, tmp_path: Path
) -> None:
    await feed(db, store, tmp_path, HEADER + LI + WANG)
    again = await feed(db, store, tmp_path, HEADER + LI + WANG)
    assert again.changes == []
    assert (await one(db, store, "PractitionerRole", "li.na"))["meta"]["versionId"] == "1"


async def test_a_movers_rights_change_and_the_open_screen_closes(
    db: Database, store: FhirStore, tmp_path: Path
) -> None:
    await feed(db, store, tmp_path, HEADER + LI)
    async with db.transaction() as tx:
        account = await find_account(tx, "li.na")
        secret, _ = await sessions.open_session(tx, account.id, utc_now())
    moved = LI.replace("doctor,county", "expert,lead")
    done = await feed(db, store, tmp_path, HEADER + moved)
    assert done.changes[0].facts == ("role", "organisation")
    async with db.connection() as c:
        account = await find_account(c, "li.na")
    assert (account.role, account.organisation) == ("expert", "lead")
    assert await sessions.session_actor(db, secret, utc_now()) is None
    role = await one(db, store, "PractitionerRole", "li.na")
    assert role["organization"] == {"reference": "Organization/lead"}
    assert role["code"][0]["coding"][0]["code"] == "expert"


@pytest.mark.parametrize(
    ("text", "complete"), [(HEADER + LI.replace("active", "left"), False), (HEADER + WANG, True)]
)
async def test_a_leaver_is_out_at_once_and_may_come_back(
    db: Database, store: FhirStore, tmp_path: Path, text: str, *, complete: bool
) -> None:
    joined = await feed(db, store, tmp_path, HEADER + LI + WANG)
    async with db.transaction() as tx:
        account = await find_account(tx, "li.na")
        secret, _ = await sessions.open_session(tx, account.id, utc_now())
    done = await feed(db, store, tmp_path, text, complete=complete)
    assert [(change.step, change.after.login) for change in done.changes] == [(Step.LEAVE, "li.na")]
    assert await sessions.session_actor(db, secret, utc_now()) is None
    assert (await one(db, store, "PractitionerRole", "li.na"))["active"] is False
    async with db.connection() as c:
        rows = await c.execute("SELECT act FROM audit_event WHERE resource = %s ORDER BY sequence",
                               (f"account/{account.id}",))  # fmt: skip
        assert await rows.fetchall() == [("account.open",), ("account.disable",)]
        with pytest.raises(Exception, match="link-over"):
            await links.holder(c, joined.links["li.na"], utc_now())
    back = await feed(db, store, tmp_path, HEADER + LI)
    assert back.changes[0].step is Step.RETURN
    async with db.connection() as c:
        assert (await find_account(c, "li.na")).disabled_at is None


async def test_whom_no_register_ever_named_does_not_leave_with_it(
    db: Database, store: FhirStore, tmp_path: Path
) -> None:
    await feed(db, store, tmp_path, HEADER + LI)
    async with db.transaction() as tx:
        await tx.execute("UPDATE account SET fed = false")
    assert [
        c.step for c in (await feed(db, store, tmp_path, HEADER + WANG, complete=True)).changes
    ] == [Step.JOIN]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (LI.replace("doctor", "emperor"), "account.unknown-role"),
        (LI.replace("county,", "atlantis,"), "staff.organisation-unknown"),
        (LI.replace("active", "asleep"), "staff.status-unknown"),
        (LI.replace("李娜", ""), "staff.name-missing"),
        (LI.replace("li.na,李", "l n,李"), "account.login-malformed"),
        (LI + LI, "staff.named-twice"),
        ("li.na,李娜,doctor\n", "staff.row-torn"),
        (LI.replace("active", "active,more"), "staff.row-torn"),
    ],
)
async def test_one_mistake_and_nothing_of_the_register_is_taken(
    db: Database, store: FhirStore, tmp_path: Path, line: str, key: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await feed(db, store, tmp_path, HEADER + WANG + line)
    assert key in {issue.key for issue in refused.value.issues}
    async with db.connection() as c:
        assert await (await c.execute("SELECT count(*) FROM account")).fetchone() == (0,)


@pytest.mark.parametrize("header", ["login,name,role\n", HEADER.replace("email", "salary"), ""])
def test_a_register_with_other_columns_is_refused(tmp_path: Path, header: str) -> None:
    file = tmp_path / "staff.csv"
    file.write_text(header)
    with pytest.raises(Malformed):
        read_feed(file)


def test_a_spreadsheets_own_csv_is_read(tmp_path: Path) -> None:
    file = tmp_path / "staff.csv"
    file.write_bytes(b"\xef\xbb\xbf" + (HEADER + LI).replace(",", ";").encode())
    assert read_feed(file)[0].login == "li.na"


async def test_a_register_cut_off_half_way_does_not_close_the_hospital(
    db: Database, store: FhirStore, tmp_path: Path
) -> None:
    await feed(db, store, tmp_path, HEADER + LI + WANG)
    file = tmp_path / "staff.csv"
    file.write_text(HEADER + LI.replace("li.na", "new.one"))
    async with db.connection() as c:
        steps = await planned(c, store, read_feed(file), complete=True)
    with pytest.raises(Conflict):
        refuse_mass_leaving(steps, 1, most=1)
