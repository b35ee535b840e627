"""The pages about apps: registering, opening from a chart, ending under My account; and people who
are no staff."""

from __future__ import annotations

import json
import re
from datetime import date

from httpx import AsyncClient, Response
from tests.fhir.smart.conftest import PASSWORD, REDIRECT, SCOPES, Hospital, Visit, told

from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account
from serai.platform.auth.kinds import make_guardian


async def sent(client: AsyncClient, page: str, path: str, **fields: str) -> Response:
    text = (await client.get(page)).text
    csrf = re.search(r'name="csrf" content="([^"]+)"', text)
    assert csrf
    return await client.post(path, data={"_csrf": csrf[1], **fields})


NEW = {
    "name": "Growth charts",
    "method": "client_secret_basic",
    "redirects": REDIRECT,
    "launch": "https://growth.example/launch",
    "scopes": "launch patient/Observation.read",
    "jwks": "",
    "jwks_uri": "",
}
WRONG = [
    {"redirects": "http://growth.example/back"},
    {"redirects": "https://*.example/back"},
    {"redirects": "javascript:alert(1)"},
    {"redirects": ""},
    {"scopes": "patient/*.everything"},
    {"scopes": "system/*.rs"},
    {"method": "private_key_jwt"},
    {"method": "private_key_jwt", "jwks": "not json"},
    {"method": "private_key_jwt", "jwks": json.dumps({"keys": []})},
    {"jwks_uri": "https://growth.example/keys"},
    {"launch": "http://growth.example/launch"},
    {"name": ""},
]


async def test_an_administrator_registers_and_revokes_an_app(hospital: Hospital) -> None:
    wu = await hospital.browser("wu")
    for changed in WRONG:
        assert (await sent(wu, "/apps", "/apps", **NEW | changed)).status_code == 422, changed
    made = await sent(wu, "/apps", "/apps", **NEW)
    assert made.status_code == 200
    id = re.search(r"/apps/([\w-]+)/revoke", made.text)
    assert id
    assert "Measurements and findings" in made.text
    assert "read, search" in made.text
    revoked = await sent(wu, "/apps", f"/apps/{id[1]}/revoke")
    assert revoked.status_code == 303
    assert await hospital.acts() == ["app.register", "app.end"]
    li = await hospital.browser("li")
    assert (await li.get("/apps")).status_code == 403


async def test_an_app_is_opened_from_a_chart_by_who_sees_the_patient(hospital: Hospital) -> None:
    app, _ = await hospital.register(
        "launch openid patient/*.rs", launch_uri="https://growth.example/launch"
    )
    li = await hospital.browser("li")
    chart = (await li.get("/patients/na")).text
    assert f'href="/apps/{app.id}/open?patient=na"' in chart
    opened = await li.get(f"/apps/{app.id}/open?patient=na")
    launch = dict(re.findall(r"(iss|launch)=([^&]+)", opened.headers["location"]))["launch"]
    forged = {"sec-fetch-site": "cross-site"}
    assert (await li.get(f"/apps/{app.id}/open?patient=na", headers=forged)).status_code == 403
    assert (await li.get(f"/apps/{app.id}/open?patient=nobody")).status_code == 404
    chen = await hospital.browser("chen")
    assert (await chen.get(f"/apps/{app.id}/open?patient=na")).status_code == 404
    visit = Visit(hospital, app, li)
    page = await visit.authorize("launch patient/*.rs", launch=launch)
    # Only who opened it can answer, and the launch is used up.
    assert (await chen.get(page.headers["location"])).status_code == 404
    again = told(await visit.authorize("launch patient/*.rs", launch=launch))
    assert again["error"] == "invalid_request"
    code = told(await visit.answer(page, patient="bo"))["code"]
    assert (await visit.redeem(code)).json()["patient"] == "na"


async def test_people_see_and_end_what_they_allowed(visit: Visit) -> None:
    got = await visit.tokens()
    page = (await visit.person.get("/account")).text
    assert "Growth charts" in page
    assert "The whole record" in page
    grant = re.search(r'name="grant" value="([^"]+)"', page)
    assert grant
    other = await visit.hospital.browser("chen")
    foreign = await sent(other, "/account", "/account/apps/end", grant=grant[1])
    assert foreign.status_code == 404
    ended = await sent(visit.person, "/account", "/account/apps/end", grant=grant[1])
    assert ended.status_code == 303
    assert (await visit.get(got["access_token"], "/fhir/Patient/na")).status_code == 401
    assert (await visit.refresh(got["refresh_token"])).json()["error"] == "invalid_grant"
    assert "app.withdraw" in await visit.hospital.acts()


async def test_a_new_password_takes_the_apps_along(visit: Visit) -> None:
    got = await visit.tokens()
    fields = {"password": PASSWORD, "new": "four brown horses run", "repeated": ""}
    fields["repeated"] = fields["new"]
    answer = await sent(visit.person, "/account", "/account/password", **fields)
    assert answer.status_code == 303
    assert (await visit.get(got["access_token"], "/fhir/Patient/na")).status_code == 401


async def test_a_patient_and_a_guardian_let_an_app_read_their_own(hospital: Hospital) -> None:
    app, _ = await hospital.register(SCOPES, organisation=None)
    async with hospital.db.transaction() as tx:
        await create_account(
            tx, login="na", password=PASSWORD, name="Na", role="patient", organisation="county",
            kind="patient", patient="na",
        )  # fmt: skip
        mother = await create_account(
            tx, login="mother", password=PASSWORD, name="Mother", role="guardian",
            organisation="county", kind="guardian",
        )  # fmt: skip
        for child in ("na", "bo"):
            await make_guardian(
                tx, mother.id, child, basis="court", starts_on=date(2020, 1, 1), ends_on=None,
                birth_date=None,
            )  # fmt: skip
    own = Visit(hospital, app, await hospital.browser("na"))
    got = await own.tokens()
    seen = await own.get(got["access_token"], "/fhir/Observation")
    assert {one["resource"]["id"] for one in seen.json()["entry"]} == {"na-pulse", "na-sodium"}
    both = Visit(hospital, app, await hospital.browser("mother"))
    got = await both.tokens(patient="bo")
    seen = await both.get(got["access_token"], "/fhir/Observation")
    assert {one["resource"]["id"] for one in seen.json()["entry"]} == {"bo-pulse"}
    await hospital.sql("UPDATE guardianship SET revoked_at = %s WHERE patient = 'bo'", utc_now())
    seen = await both.get(got["access_token"], "/fhir/Observation")
    assert "entry" not in seen.json()
