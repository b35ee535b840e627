"""A patient sees the own record, a guardian that of a minor until they come of age; nobody more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serai.fhir import body
from serai.fhir.body import Data
from serai.fhir.http import FhirDoor
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid
from serai.platform.auth import kinds, sessions
from serai.platform.auth.accounts import Account, create_account
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web.application import page_app
from serai.web.authentication import require_actor

PASSWORD = "caravanserai-demo"
TODAY = utc_now().date()
CHILD_BORN = f"{TODAY.year - 10}-05-23"


def observation(id_: str, *patients: str) -> Data:
    made: Data = {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"text": "Weight"},
        "subject": {"reference": f"Patient/{patients[0]}"},
    }
    others = [{"reference": f"Patient/{other}"} for other in patients[1:]]
    return made | ({"performer": others} if others else {})


RECORD: list[Data] = [
    {"resourceType": "Organization", "id": "county", "name": "County"},
    *(
        {
            "resourceType": "Patient",
            "id": id_,
            "birthDate": CHILD_BORN,
            "managingOrganization": {"reference": "Organization/county"},
        }
        for id_ in ("child", "mother", "stranger")
    ),
    observation("of-child", "child"),
    observation("of-mother", "mother"),
    observation("of-stranger", "stranger"),
    observation("of-both", "child", "stranger"),
]
ALL = {f"{one['resourceType']}/{one['id']}" for one in RECORD}


async def studies(request: Request) -> Response:
    return PlainTextResponse(require_actor(request).name)


@pytest_asyncio.fixture
async def client(db: Database) -> AsyncIterator[AsyncClient]:
    store = FhirStore()
    app: Starlette = page_app(
        [Route("/dicomweb/studies", studies)], db=db, fhir=store, settings=Settings()
    )
    app.add_middleware(FhirDoor)
    writes = [Write("PUT", one["resourceType"], one["id"], body.of(one)) for one in RECORD]
    async with db.transaction() as tx:
        await store.write(tx, writes, actor=serai_itself, now=utc_now())
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://serai.test") as client:
        yield client


async def sign_in(
    client: AsyncClient, db: Database, kind: str, patient: str | None = None
) -> Account:
    async with db.transaction() as tx:
        account = await create_account(
            tx,
            login=f"a.{kind}",
            password=PASSWORD,
            name="Zhang Min",
            role=kind,
            organisation="county",
            kind=kind,
            patient=patient,
        )
    answer = await client.post("/signin", data={"login": account.login, "password": PASSWORD})
    assert answer.status_code == 303
    return account


async def seen(client: AsyncClient) -> set[str]:
    """What single reads answer with; what searches find and count must be the same."""
    read = {one for one in ALL if (await client.get(f"/fhir/{one}")).status_code == 200}
    for kind in ("Patient", "Observation"):
        bundle = (await client.get(f"/fhir/{kind}", params={"_total": "accurate"})).json()
        found = {f"{kind}/{one['resource']['id']}" for one in bundle.get("entry", ())}
        assert found == {one for one in read if one.startswith(f"{kind}/")}
        assert bundle["total"] == len(found)
    return read - {"Organization/county"}


async def guard(db: Database, account: Account, starts: date, ends: date | None = None) -> None:
    async with db.transaction() as tx:
        await kinds.make_guardian(
            tx,
            account.id,
            "child",
            basis="minor",
            starts_on=starts,
            ends_on=ends,
            birth_date=CHILD_BORN,
        )


async def test_a_patient_sees_the_own_record_and_nothing_that_is_about_others_too(
    client: AsyncClient, db: Database
) -> None:
    await sign_in(client, db, "patient", "child")
    assert await seen(client) == {"Patient/child", "Observation/of-child"}


async def test_a_guardian_sees_the_childs_record_from_the_first_to_the_last_day(
    client: AsyncClient, db: Database
) -> None:
    account = await sign_in(client, db, "guardian")
    assert await seen(client) == set()
    day = timedelta(days=1)
    await guard(db, account, TODAY + day)
    assert await seen(client) == set()
    await guard(db, account, TODAY - day)
    assert await seen(client) == {"Patient/child", "Observation/of-child"}
    async with db.transaction() as tx:
        await kinds.end_guardianship(tx, account.id, "child", utc_now())
    assert await seen(client) == set()


async def test_the_eighteenth_birthday_ends_it_wherever_it_dawns_first(db: Database) -> None:
    async with db.transaction() as tx:
        account = await create_account(
            tx, login="a.guardian", password=None, name="Z", role="guardian",
            organisation="county", kind="guardian",
        )  # fmt: skip
        ends = await kinds.make_guardian(
            tx,
            account.id,
            "child",
            basis="minor",
            starts_on=date(2026, 1, 1),
            ends_on=date(2050, 1, 1),
            birth_date="2008-12-24",
        )
        secret, _ = await sessions.open_session(tx, account.id, datetime(2026, 12, 23, tzinfo=UTC))
    assert ends == date(2026, 12, 24)
    for moment, expected in (
        (datetime(2026, 12, 23, 9, 59, tzinfo=UTC), ("child",)),
        (datetime(2026, 12, 23, 10, 0, tzinfo=UTC), ()),
    ):
        async with db.connection() as c:
            assert await kinds.guarded_by(c, account.id, moment) == expected
    session = await sessions.session_actor(db, secret, datetime(2026, 12, 23, 0, 5, tzinfo=UTC))
    assert session
    assert session.actor.patients == ("child",)


@pytest.mark.parametrize(
    ("born", "of_age"),
    [
        ("2008-12-24", date(2026, 12, 24)),
        ("2008-02-29", date(2026, 3, 1)),
        ("2008-12", date(2026, 12, 1)),
        ("2008", date(2026, 1, 1)),
    ],
)
def test_of_a_partial_birth_date_the_earliest_day_counts(born: str, of_age: date) -> None:
    assert kinds.comes_of_age(born) == of_age


async def test_nobody_becomes_the_guardian_of_a_grown_up_for_being_a_minor(db: Database) -> None:
    async with db.transaction() as tx:
        for born in (None, "1990-01-01"):
            with pytest.raises(Invalid):
                await kinds.make_guardian(
                    tx, "x", "child", basis="minor", starts_on=TODAY, ends_on=None, birth_date=born
                )


@pytest.mark.parametrize("kind", ["patient", "partner"])
async def test_an_outsider_changes_nothing_and_meets_no_page_of_the_staff(
    client: AsyncClient, db: Database, kind: str
) -> None:
    await sign_in(client, db, kind, "child" if kind == "patient" else None)
    page = await client.get("/account")
    csrf = {"X-CSRF-Token": page.text.split('name="_csrf" value="')[1].split('"')[0]}
    assert (await client.get("/")).headers["location"] == "/account"
    assert (await client.get("/dicomweb/studies")).text != "Zhang Min"
    for path in ("/organisations", "/patients", "/accounts", "/api/chart"):
        assert (await client.get(path)).status_code == 403, path
    for path in ("/fhir/$export", "/fhir/Patient/child/$everything", "/fhir/_history"):
        assert (await client.get(path)).status_code == 403, path
    changed = {**RECORD[1], "gender": "male"}
    assert (await client.put("/fhir/Patient/child", json=changed, headers=csrf)).status_code == 403
    posted = await client.post("/fhir/Observation", json=observation("x", "child"), headers=csrf)
    assert posted.status_code == 403
    assert (await client.delete("/fhir/Patient/child", headers=csrf)).status_code == 403


async def test_a_partner_company_sees_no_record_that_is_not_shared_with_it(
    client: AsyncClient, db: Database
) -> None:
    async with db.transaction() as tx:
        await create_account(
            tx, login="a.partner", password=PASSWORD, name="L", role="partner",
            organisation="laboratory", kind="partner",
        )  # fmt: skip
    await client.post("/signin", data={"login": "a.partner", "password": PASSWORD})
    assert (await client.get("/fhir/Patient")).status_code == 403
    assert (await client.get("/fhir/Observation?_total=accurate")).json()["total"] == 0
    assert (await client.get("/fhir/Observation/of-child")).status_code == 404
