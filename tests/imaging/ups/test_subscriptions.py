"""Subscribe, unsubscribe, suspend (PS3.18 §11.10 to §11.12) and event reports (§11.13)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from tests.imaging.serving import Server
from tests.imaging.ups.asking import LOCK, PERFORMED, Worklist, element, rows
from tests.imaging.ups.test_visibility import in_record
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from serai.fhir.store.sharing import close_shares, share
from serai.imaging.ups import forgetting
from serai.kernel.clock import utc_now
from serai.platform.db import Database

ALL = "/1.2.840.10008.5.1.4.34.5/subscribers"
FILTERED = "/1.2.840.10008.5.1.4.34.5.1/subscribers"
STATE, CANCEL, PROGRESS, STATUS, ASSIGNED = 1, 2, 3, 4, 5


@contextmanager
def listening(worklist: Worklist, subscriber: str = "READER") -> Iterator[ClientConnection]:
    address = f"ws{worklist.server.dicomweb.removeprefix('http')}/subscribers/{subscriber}"
    with connect(address, additional_headers=worklist.headers, close_timeout=1) as socket:
        yield socket


def told(socket: ClientConnection, most: int = 100, wait: float = 0.4) -> list[Any]:
    """What comes until it is quiet: of each report its workitem, type and state."""
    found: list[Any] = []
    while len(found) < most:
        try:
            report = json.loads(socket.recv(timeout=3.0 if not found and most < 100 else wait))
        except TimeoutError:
            break
        assert report["00000002"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
        assert report["00000110"]["vr"] == "US"
        state = report.get("00741000", {}).get("Value", [""])[0]
        uid = report.get("00001000", {}).get("Value", [""])[0]
        found.append((uid, report["00001002"]["Value"][0], state))
    return found


def waiting(server: Server) -> list[tuple[str, str, int]]:
    """Reports that nobody has come for."""
    return rows(
        server,
        "SELECT subscriber, workitem, (content -> '00001002' -> 'Value' ->> 0)::int "
        "FROM imaging_workitem_event ORDER BY number",
    )


def subscriptions(server: Server) -> list[tuple[str, str, bool]]:
    return rows(
        server,
        "SELECT workitem, subscriber, deletion_lock FROM imaging_workitem_subscription "
        "ORDER BY 1, 2",
    )


def post(worklist: Worklist, path: str) -> None:
    answer = worklist.ask("POST", path)
    assert answer.status_code in (200, 201), answer.text


def test_a_subscriber_hears_of_every_change(server: Server) -> None:
    worklist = Worklist.of(server, "county")
    worklist.created("1.1")
    answer = worklist.ask("POST", "/1.1/subscribers/READER")
    assert answer.status_code == 201
    assert answer.headers["Content-Location"].startswith("ws://127.0.0.1:")
    assert answer.headers["Content-Location"].endswith("/dicomweb/subscribers/READER")
    with listening(worklist) as socket:
        assert told(socket, 1) == [("1.1", STATE, "SCHEDULED")]
        worklist.update("1.1", {"00404041": element("CS", "INCOMPLETE")}, "")
        station = {"00404025": element("SQ", {"00080100": element("SH", "WS1"),
                   "00080102": element("SH", "X"), "00080104": element("LO", "W")})}  # fmt: skip
        worklist.update("1.1", station, "")
        worklist.move("1.1", "IN PROGRESS")
        worklist.update("1.1", {"00741002": element("SQ", {"00741004": element("DS", 40)})})
        worklist.update("1.1", {"00741204": element("LO", "not worth a report")})
        worklist.ask("POST", "/1.1/cancelrequest", {"00741238": element("LT", "Enough")})
        worklist.update("1.1", PERFORMED)
        worklist.move("1.1", "COMPLETED")
        assert told(socket, 6) == [
            ("1.1", STATE, "SCHEDULED"),
            ("1.1", ASSIGNED, ""),
            ("1.1", STATE, "IN PROGRESS"),
            ("1.1", PROGRESS, ""),
            ("1.1", CANCEL, ""),
            ("1.1", STATE, "COMPLETED"),
        ]
        assert told(socket) == []
    assert waiting(server) == []
    assert worklist.ask("DELETE", "/1.1/subscribers/READER").status_code == 200
    assert worklist.ask("DELETE", "/1.1/subscribers/READER").status_code == 404


def test_a_cancel_request_tells_who_asks_and_why(server: Server) -> None:
    worklist = Worklist.of(server, "county")
    worklist.created("1.1")
    worklist.move("1.1", "IN PROGRESS")
    post(worklist, "/1.1/subscribers/READER")
    worklist.ask("POST", "/1.1/cancelrequest", {"00741238": element("LT", "Wrong side")})
    content = rows(server, "SELECT content FROM imaging_workitem_event ORDER BY number")[-1][0]
    assert content["00741236"]["Value"] == ["SERAI"]
    assert content["00741238"]["Value"] == ["Wrong side"]


def test_what_happens_while_nobody_is_connected_waits(server: Server) -> None:
    worklist = Worklist.of(server, "county")
    worklist.created("1.1")
    post(worklist, "/1.1/subscribers/READER")
    worklist.move("1.1", "IN PROGRESS")
    worklist.move("1.1", "CANCELED")
    with listening(worklist) as socket:
        assert [state for _, _, state in told(socket, 3)] == [
            "SCHEDULED",
            "IN PROGRESS",
            "CANCELED",
        ]


# Table CC.2.3-2: what is asked, and the subscriptions to 1.1 (there before, and subscribed to
# with a lock) and to 1.2 (there before) and 1.3 (made afterwards), then the initial reports.
LOCKED = ("1.1", True)
GLOBALLY = [
    ("with lock", f"{ALL}/READER?deletionlock=true", [LOCKED, ("1.2", True), ("1.3", True)], 2),
    ("without", f"{ALL}/READER", [LOCKED, ("1.2", False), ("1.3", False)], 1),
    ("filtered", f"{FILTERED}/READER?filter=WorklistLabel=Printing", [LOCKED, ("1.2", False)], 0),
    (
        "by two keys",
        f"{FILTERED}/READER?filter=WorklistLabel=Read*,PatientID=P1",
        [LOCKED, ("1.3", False)],
        1,
    ),
]


@pytest.mark.parametrize(
    ("path", "expected", "reports"), [row[1:] for row in GLOBALLY], ids=[r[0] for r in GLOBALLY]
)
def test_a_global_subscription_is_to_what_is_there_and_what_comes(
    server: Server, path: str, expected: list[tuple[str, bool]], reports: int
) -> None:
    worklist = Worklist.of(server, "county")
    worklist.created("1.1")
    worklist.created("1.2", t00741202=element("LO", "Printing"))
    post(worklist, "/1.1/subscribers/READER?deletionlock=true")
    post(worklist, path)
    Worklist.of(server, "township").created("1.4")
    worklist.created("1.3")
    found = [(uid, lock) for uid, _, lock in subscriptions(server)]
    assert found == expected
    # The first is of the subscription to 1.1 itself.
    assert len(waiting(server)) == 1 + reports


def test_nothing_falls_between_making_work_and_following_all(server: Server) -> None:
    worklist = Worklist.of(server, "county")
    with ThreadPoolExecutor(6) as pool:
        made = [pool.submit(worklist.created, f"1.{number}") for number in range(1, 9)]
        following = pool.submit(post, worklist, f"{ALL}/READER?deletionlock=true")
        made += [pool.submit(worklist.created, f"1.{number}") for number in range(9, 17)]
        uids = {each.result() for each in made}
        following.result()
    assert {uid for uid, *_ in subscriptions(server)} == uids
    assert {uid for _, uid, _ in waiting(server)} == uids


def test_suspending_keeps_and_unsubscribing_ends_what_is_followed(server: Server) -> None:
    worklist = Worklist.of(server, "county")
    worklist.created("1.1")
    post(worklist, f"{ALL}/READER")
    post(worklist, f"{ALL}/READER/suspend")
    worklist.created("1.2")
    assert [uid for uid, *_ in subscriptions(server)] == ["1.1"]
    again = worklist.ask("POST", f"{ALL}/READER/suspend")
    assert (again.status_code, again.json()["error"]) == (404, "ups.no-such-subscription")
    post(worklist, "/1.2/subscribers/READER")
    assert worklist.ask("DELETE", f"{ALL}/READER").status_code == 200
    assert subscriptions(server) == []
    assert worklist.ask("DELETE", f"{ALL}/READER").status_code == 404
    assert worklist.ask("DELETE", f"{FILTERED}/READER").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{FILTERED}/READER", 400),
        (f"{ALL}/READER?filter=PatientID=1", 400),
        (f"{FILTERED}/READER?filter=Nonsense=1", 400),
        (f"{FILTERED}/READER?filter=PatientID", 400),
        (f"{ALL}/READER?deletionlock=perhaps", 400),
        (f"{ALL}/A_TITLE_TOO_LONG_", 400),
        ("/1.2.9/subscribers/READER", 404),
        ("/1.2.9/subscribers/READER/suspend", 400),
    ],
)
def test_a_wrong_subscription_is_refused(shared_server: Server, path: str, status: int) -> None:
    assert Worklist.of(shared_server, "county").ask("POST", path).status_code == status


def test_a_report_is_told_with_the_rights_of_that_moment(server: Server) -> None:
    county, expert = Worklist.of(server, "county"), Worklist.of(server, "expert")
    county.created("1.1")
    in_record(server, lambda tx: share(tx, "expert", ["Workitem/1.1"], "Task/7", utc_now()))
    post(expert, "/1.1/subscribers/READER")
    county.move("1.1", "IN PROGRESS")
    # Somebody else's READER hears nothing of it.
    with listening(county) as socket:
        assert told(socket) == []
    with listening(expert) as socket:
        assert len(told(socket, 2)) == 2
        in_record(server, lambda tx: close_shares(tx, "Task/7", utc_now()))
        county.move("1.1", "CANCELED")
        assert told(socket) == []
    assert waiting(server) == []


def test_only_a_good_token_opens_a_connection(server: Server) -> None:
    worklist = Worklist.of(server, "county")
    for scope in ("system/Task.s", "system/Patient.r"):
        token = server.token(organisation="county", scope=scope)
        headers = {"Authorization": f"Bearer {token}"}
        with pytest.raises(InvalidStatus), listening(Worklist(server, headers)):
            pass
    with pytest.raises(InvalidStatus), listening(Worklist(server, {})):
        pass
    with pytest.raises(InvalidStatus), listening(worklist, "A_TITLE_TOO_LONG_"):
        pass


def test_a_lock_keeps_what_has_ended_until_it_is_released(server: Server) -> None:
    worklist = Worklist.of(server, "county")
    for uid in ("1.1", "1.2", "1.3"):
        worklist.created(uid)
    post(worklist, "/1.1/subscribers/READER?deletionlock=true")
    post(worklist, "/1.2/subscribers/READER")
    worklist.bring_to("1.1", "COMPLETED")
    worklist.bring_to("1.2", "CANCELED")
    later = utc_now() + timedelta(days=91)

    async def forget() -> int:
        db = await Database.open(server.database_url, max_size=1)
        try:
            return await forgetting.forget(db, timedelta(days=90), later)
        finally:
            await db.close()

    assert asyncio.run(forget()) == 1
    assert worklist.uids() == ["1.1", "1.3"]
    assert worklist.move("1.1", "COMPLETED", LOCK).status_code == 200
    assert waiting(server) == []
    # Subscribing again without it releases the lock.
    post(worklist, "/1.1/subscribers/READER")
    assert asyncio.run(forget()) == 1
    assert worklist.uids() == ["1.3"]
    audited = rows(server, "SELECT resource FROM audit_event WHERE act = 'ups.forget' ORDER BY 1")
    assert audited == [("Workitem/1.1",), ("Workitem/1.2",)]


def test_subscribers_learn_that_the_server_began_anew(server: Server) -> None:
    worklist = Worklist.of(server, "county")
    post(worklist, f"{ALL}/READER")

    async def begin() -> None:
        db = await Database.open(server.database_url, max_size=1)
        try:
            await forgetting.tell_restarted(db, utc_now())
        finally:
            await db.close()

    with listening(worklist) as socket:
        asyncio.run(begin())
        report = json.loads(socket.recv(timeout=3))
        assert report["00001002"]["Value"] == [STATUS]
        assert report["00741242"]["Value"] == ["RESTARTED"]
        assert report["00741246"]["Value"] == ["WARM START"]
        assert "00001000" not in report


def test_a_revoked_token_hears_no_more(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from serai.platform.auth import tokens

    monkeypatch.setattr(tokens, "REMEMBERED_FOR", timedelta(0))
    worklist = Worklist.of(server, "county")
    worklist.created("1.1")
    post(worklist, "/1.1/subscribers/READER")
    with listening(worklist) as socket:
        assert len(told(socket, 1)) == 1

        async def revoke(tx: Any) -> None:
            await tx.execute("UPDATE access_token SET revoked_at = now()")

        in_record(server, revoke)
        Worklist.of(server, "county").move("1.1", "IN PROGRESS")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=3)
