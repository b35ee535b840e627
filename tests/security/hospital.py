"""A county hospital full of records that only it may see, and people who should not get at them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from tests.care.hospitals import COUNTY_DOCTOR, NOON, STAFF, Loop, an_observation, build, put
from tests.imaging.objects import a_picture, uid

from serai.app import create_app
from serai.care.consultation.records import Consultations
from serai.care.sharing.actions.making import make
from serai.care.sharing.actions.visiting import Sharing
from serai.care.sharing.model import Purpose, Wanted
from serai.deidentify.projects import actions as projects
from serai.deidentify.projects.actions import Desk
from serai.deidentify.projects.model import Terms, Writing
from serai.imaging.archive import receive
from serai.kernel.clock import utc_now
from serai.platform import jobs
from serai.platform.auth.accounts import create_account
from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token
from serai.platform.db import Database
from serai.platform.settings import Settings

PASSWORD = "caravanserai-demo"
# In every record of the county and in no page of anybody else.
CANARY = "Xqzkanarie"
SITE = "http://serai.test"
# What a stranger may ask for: it says nothing about anybody.
STRANGERS = {"dr-township", "desk-partner", "admin-lead", "prof-other"}


@dataclass(frozen=True)
class Route:
    """One way in: how, where, and what its parameters are called."""

    method: str
    path: str

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)(?::\w+)?}", self.path)

    def filled(self, values: Mapping[str, str]) -> str:
        return re.sub(r"{(\w+)(?::\w+)?}", lambda found: values[found[1]], self.path)


@dataclass
class Planted:
    """The application with the county's records in it."""

    app: Starlette
    db: Database
    kept: Consultations
    values: dict[str, str]

    def routes(self) -> list[Route]:
        found = [*_walked(self.app.routes)]
        api = next(one for one in self.app.routes if getattr(one, "path", "") == "/api")
        assert isinstance(api, Mount)
        paths = api.app.openapi()["paths"]  # type: ignore[attr-defined]
        found += [
            Route(method.upper(), f"/api{path}") for path, acts in paths.items() for method in acts
        ]
        return sorted(set(found), key=lambda one: (one.path, one.method))

    def value_of(self, route: Route, name: str) -> str:
        """`id` is said by where it stands, other names are the same everywhere."""
        place = route.path.split("{")[0]
        return self.values.get(f"{place}{name}") or self.values[name]

    def address(self, route: Route) -> str:
        return route.filled({name: self.value_of(route, name) for name in route.parameters})

    async def state(self) -> list[tuple[object, ...]]:
        """What the county has, so that a change shows."""
        async with self.db.connection() as connection:
            rows = await (await connection.execute(EVERYTHING)).fetchall()
        return list(rows)


EVERYTHING = """
    SELECT 'resource', type || '/' || id, version::text FROM fhir_resource WHERE owner = 'county'
    UNION ALL SELECT 'study', uid, instances::text FROM imaging_study WHERE owner = 'county'
    UNION ALL SELECT 'link', id, coalesce(revoked_at::text, '') FROM study_link
    UNION ALL SELECT 'project', id, (SELECT count(*)::text FROM deidentify_study s
        WHERE s.project = p.id) FROM deidentify_project p
    UNION ALL SELECT 'job', id, status FROM fhir_job WHERE organisation = 'county'
    UNION ALL SELECT 'account', id, coalesce(disabled_at::text, '') FROM account
        WHERE organisation = 'county'
    ORDER BY 1, 2"""


def _walked(routes: list[BaseRoute], before: str = "") -> list[Route]:
    found: list[Route] = []
    for one in routes:
        path = before + getattr(one, "path", "")
        if isinstance(one, Mount) and path != "/api":
            found += _walked(list(one.routes), path)
        else:
            found += [Route(method, path) for method in getattr(one, "methods", None) or ()]
    return found


@asynccontextmanager
async def planted(database_url: str, home: Path) -> AsyncIterator[Planted]:
    app = create_app(Settings(home=home, base_url=SITE), database_url)
    async with app.router.lifespan_context(app):
        db = app.state.db
        kept = Consultations(db, app.state.fhir)
        await build(kept)
        county = Planted(app, db, kept, {})
        await _plant(county, home)
        yield county


async def _plant(county: Planted, home: Path) -> None:
    kept, app, now = county.kept, county.app, utc_now()
    patient = {
        "resourceType": "Patient",
        "id": "zhang",
        "name": [{"family": CANARY, "text": CANARY}],
    }
    note = an_observation("bp") | {"valueString": CANARY}
    letter = {
        "resourceType": "DocumentReference",
        "id": "letter",
        "status": "current",
        "subject": {"reference": "Patient/zhang"},
        "description": CANARY,
        "content": [{"attachment": {"contentType": "text/plain", "data": "WHF6a2FuYXJpZQ=="}}],
    }
    await put(kept, patient, note, letter, by=COUNTY_DOCTOR, at=now)
    study, thrown_away = (
        a_picture(PatientID=CANARY, PatientName=CANARY, StudyDescription=CANARY) for _ in range(2)
    )
    intake = app.state.archive.intake(kept.db, COUNTY_DOCTOR)
    outcomes = await intake.keep([receive(study), receive(thrown_away)], now=now)
    assert [one.error for one in outcomes] == [None, None]
    await intake.finish(now=now)
    loop = Loop(kept, at=now)
    await loop.draft()
    wanted = Wanted(Purpose.SECOND_OPINION, timedelta(days=1), passcode=False)
    link = await make(
        Sharing(kept.db), uid(study, "StudyInstanceUID"), wanted, actor=COUNTY_DOCTOR, now=now
    )
    desk = Desk(kept.db, app.state.blobs, app.state.keys)
    terms = Terms(CANARY, CANARY, frozenset(), Writing.ALL, stored=False)
    project = await projects.create(desk, terms, actor=COUNTY_DOCTOR, now=now)
    async with kept.db.transaction() as tx:
        job = await jobs.ask(tx, "export", {"name": CANARY}, actor=COUNTY_DOCTOR, now=NOON)
        people = [
            await create_account(
                tx, login=name, password=PASSWORD, name=display, role=role,
                organisation=organisation, practitioner=name,
            )
            for name, organisation, role, display in STAFF
        ]  # fmt: skip
    county.values |= {
        "study": uid(study, "StudyInstanceUID"),
        "series": uid(study, "SeriesInstanceUID"),
        "instance": uid(study),
        "workitem": uid(thrown_away),
        "patient": "zhang",
        "document": "letter",
        "consultation": loop.id,
        "link": link.id,
        "secret": "guessed",
        "/deidentification/id": project,
        "/api/deidentification/projects/id": project,
        "/upkeep/jobs/id": job,
        "/accounts/id": people[0].id,
        "/scim/v2/Users/id": people[0].id,
        "trash": "1",
        "frames": "1",
        "number": "1",
        "place": "0-4",
        "path": "7FE00010",
        "name": "missing.css",
        "aetitle": "GUESS",
        "act": "cancel",
        "provider": "guess",
        "app": "guess",
        "id": "guess",
        "upload": "guess",
        "uid": uid(study, "StudyInstanceUID"),
        "form": "zip",
    }


@asynccontextmanager
async def browsers(county: Planted) -> AsyncIterator[dict[str, Browser]]:
    """Somebody without an account, and signed-in people of other hospitals."""
    async with AsyncExitStack() as stack:
        found: dict[str, Browser] = {}
        for name in ("nobody", *sorted(STRANGERS), "machine"):
            client = AsyncClient(
                transport=ASGITransport(county.app, raise_app_exceptions=False), base_url=SITE
            )
            await stack.enter_async_context(client)
            found[name] = Browser(client)
        for name in STRANGERS:
            await found[name].sign_in(name)
        async with county.db.transaction() as tx:
            secret = await issue_token(
                tx, parse_scopes("system/*.cruds"), timedelta(hours=1), organisation="township"
            )
        found["machine"].client.headers["authorization"] = f"Bearer {secret}"
        yield found


@dataclass
class Browser:
    """One person's browser, which sends the secret of its forms with every request."""

    client: AsyncClient

    async def sign_in(self, login: str) -> None:
        answer = await self.client.post("/signin", data={"login": login, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        page = await self.client.get("/account")
        secret = re.search(r'name="csrf" content="([^"]+)"', page.text)
        assert secret
        self.client.headers["x-csrf-token"] = secret.group(1)

    async def ask(self, method: str, address: str) -> Response:
        if method in ("GET", "HEAD", "DELETE"):
            return await self.client.request(method, address, headers={"accept": "*/*"})
        if address.startswith(("/api", "/scim", "/fhir", "/dicomweb")):
            return await self.client.request(method, address, json={"reason": "guess"})
        return await self.client.request(method, address, data={"reason": "guess"})
