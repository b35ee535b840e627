"""Who may see and change a workitem: its organisation, its patient's, and for reading whoever an
open reason shares it with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tests.imaging.serving import Server
from tests.imaging.ups.asking import PERFORMED, Worklist, element

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.fhir.store.sharing import close_shares, share
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform.db import Connection, Database

NAMED = {"t00100020": element("LO", "42"), "t00100021": element("LO", "COUNTY-MRN")}


def in_record(server: Server, act: Callable[[Connection], Awaitable[object]]) -> None:
    async def run() -> None:
        db = await Database.open(server.database_url, max_size=1)
        try:
            async with db.transaction() as tx:
                await act(tx)
        finally:
            await db.close()

    asyncio.run(run())


def a_patient(server: Server, organisation: str, number: str, issuer: str) -> None:
    patient = {
        "resourceType": "Patient",
        "id": f"of-{organisation}",
        "identifier": [{"value": number, "assigner": {"display": issuer}}],
        "birthDate": "1970-01-01",
    }
    actor = replace(serai_itself, organisation=organisation)
    store = FhirStore()
    in_record(server, lambda tx: store.update(tx, body.of(patient), actor=actor, now=utc_now()))


def visible_to(server: Server, uid: str, *organisations: str) -> list[str]:
    """Those who find it, which must be those who can read it."""
    found = [each for each in organisations if uid in Worklist.of(server, each).uids()]
    read = [
        each
        for each in organisations
        if Worklist.of(server, each).ask("GET", f"/{uid}").status_code == 200
    ]
    assert found == read
    return found


def test_anothers_workitem_is_not_there(shared_server: Server, uid: str) -> None:
    county, township = (Worklist.of(shared_server, each) for each in ("county", "township"))
    county.created(uid)
    assert visible_to(shared_server, uid, "county", "township") == ["county"]
    label = {"00741204": element("LO", "x")}
    answers = [
        township.ask("GET", f"/{uid}"),
        township.update(uid, label, ""),
        township.move(uid, "IN PROGRESS"),
        township.ask("POST", f"/{uid}/cancelrequest"),
        township.ask("POST", f"/{uid}/subscribers/SPY"),
    ]
    missing = township.ask("GET", "/1.9.9.9")
    assert {(each.status_code, each.text) for each in answers} == {(404, missing.text)}
    assert county.state(uid) == "SCHEDULED"


def test_the_custodian_of_the_patient_sees_what_others_plan_for_them(
    server: Server, uid: str
) -> None:
    """The county makes it about its own patient 42, who then moves to the city's care."""
    a_patient(server, "county", "42", "COUNTY-MRN")
    county = Worklist.of(server, "county")
    county.created(uid, **NAMED)
    county.created(f"{uid}.1", **NAMED | {"t00100021": element("LO", "SOMEBODY-ELSE")})
    assert visible_to(server, uid, "county", "city") == ["county"]

    async def moves(tx: Connection) -> None:
        await tx.execute("UPDATE fhir_resource SET owner = 'city' WHERE type = 'Patient'")

    in_record(server, moves)
    assert visible_to(server, uid, "county", "city") == ["county", "city"]
    assert visible_to(server, f"{uid}.1", "county", "city") == ["county"]
    assert Worklist.of(server, "city").move(uid, "IN PROGRESS").status_code == 200


def test_one_number_at_two_hospitals_is_two_patients(server: Server, uid: str) -> None:
    a_patient(server, "city", "42", "COUNTY-MRN")
    Worklist.of(server, "county").created(uid, **NAMED)
    assert visible_to(server, uid, "county", "city") == ["county"]


def test_an_open_reason_shares_a_workitem_for_reading(server: Server, uid: str) -> None:
    county, expert = Worklist.of(server, "county"), Worklist.of(server, "expert")
    county.created(uid)
    in_record(server, lambda tx: share(tx, "expert", [f"Workitem/{uid}"], "Task/7", utc_now()))
    assert visible_to(server, uid, "county", "expert", "city") == ["county", "expert"]
    for refused in (
        expert.move(uid, "IN PROGRESS"),
        expert.update(uid, PERFORMED),
        expert.ask("POST", f"/{uid}/cancelrequest"),
    ):
        assert (refused.status_code, refused.json()["error"]) == (403, "ups.not-yours-to-change")
    locked = expert.ask("POST", f"/{uid}/subscribers/EXPERT?deletionlock=true")
    assert (locked.status_code, locked.headers["Warning"].rpartition(": ")[2]) == (
        201,
        "Deletion Lock not granted.",
    )
    in_record(server, lambda tx: close_shares(tx, "Task/7", utc_now()))
    assert visible_to(server, uid, "county", "expert") == ["county"]


def test_scopes_on_task_decide_what_a_token_may(shared_server: Server, uid: str) -> None:
    Worklist.of(shared_server, "county").created(uid)
    token = shared_server.token(organisation="county", scope="system/Task.rs")
    reader = Worklist(shared_server, {"Authorization": f"Bearer {token}"})
    assert reader.state(uid) == "SCHEDULED"
    assert uid in reader.uids()
    for refused in (reader.move(uid, "IN PROGRESS"), reader.create("1.9.8")):
        assert (refused.status_code, refused.json()["error"]) == (403, "ups.scope")
    nobody = Worklist(shared_server, {})
    assert nobody.ask("GET").status_code == 401
    other = shared_server.token(organisation="county", scope="system/ImagingStudy.cruds")
    assert (
        Worklist(shared_server, {"Authorization": f"Bearer {other}"}).ask("GET").status_code == 403
    )
