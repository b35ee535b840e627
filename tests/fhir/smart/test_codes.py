"""Authorization code with PKCE, what comes of it, and how long (SMART App Launch §2.0.7)."""

from __future__ import annotations

from joserfc import jwt
from joserfc.jwk import KeySet
from tests.fhir.smart.conftest import HERE, SCOPES, Hospital, Visit, told
from tests.fhir.store.test_granted import VITALS

from serai.kernel.clock import utc_now
from serai.platform.auth.apps import signing


async def test_a_person_lets_an_app_read_one_patient(visit: Visit) -> None:
    got = await visit.tokens()
    assert got["token_type"] == "Bearer"
    assert got["patient"] == "na"
    assert set(got["scope"].split()) == set(SCOPES.split())
    seen = await visit.get(got["access_token"], "/fhir/Observation")
    assert {one["resource"]["id"] for one in seen.json()["entry"]} == {"na-pulse", "na-sodium"}
    assert (await visit.get(got["access_token"], "/fhir/Patient/bo")).status_code == 404
    acts = await visit.hospital.acts()
    assert acts == ["app.allow", "app.token"]


async def test_the_identity_token_says_who_signed_in_and_how(visit: Visit) -> None:
    page = await visit.authorize(SCOPES, nonce="n-1")
    code = told(await visit.answer(page))["code"]
    got = (await visit.redeem(code)).json()
    client = visit.hospital.client()
    facts = (await client.get("/.well-known/openid-configuration")).json()
    keys = KeySet.import_key_set((await client.get("/oauth/keys")).json())
    claims = jwt.decode(got["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"]) == (facts["issuer"], visit.app.id)
    assert (claims["nonce"], claims["amr"]) == ("n-1", ["pwd"])
    assert claims["fhirUser"] == f"{HERE}/fhir/Practitioner/li"
    told_again = await visit.get(got["access_token"], "/oauth/userinfo")
    assert told_again.json() == {
        "sub": claims["sub"],
        "name": "Dr li",
        "fhirUser": claims["fhirUser"],
    }


async def test_what_the_person_unticks_is_not_granted(visit: Visit) -> None:
    app, _ = await visit.hospital.register(
        "launch/patient patient/Condition.rs patient/Observation.rs"
    )
    visit.app = app
    got = await visit.tokens(
        "launch/patient patient/Condition.rs patient/Observation.rs", untick="patient/Condition.rs"
    )
    assert got["scope"] == "launch/patient patient/Observation.rs"
    assert "refresh_token" not in got
    assert (await visit.get(got["access_token"], "/fhir/Condition/na-asthma")).status_code == 403


async def test_a_granular_scope_is_explained_and_holds(visit: Visit) -> None:
    page = await visit.authorize(f"launch/patient {VITALS}")
    asked = await visit.person.get(page.headers["location"], params={"patient": "na"})
    assert "category: vital-signs" in asked.text
    got = (await visit.redeem(told(await visit.answer(page))["code"])).json()
    seen = (await visit.get(got["access_token"], "/fhir/Observation?_total=accurate")).json()
    assert [one["resource"]["id"] for one in seen["entry"]] == ["na-pulse"]
    assert seen["total"] == 1


async def test_scopes_of_version_1_are_understood(visit: Visit) -> None:
    got = await visit.tokens("launch/patient patient/Observation.read")
    assert got["scope"] == "launch/patient patient/Observation.rs"


async def test_nothing_is_granted_that_the_person_may_not(visit: Visit) -> None:
    """A doctor deletes nothing and keeps no subscriptions, whatever the app is registered for."""
    visit.app, _ = await visit.hospital.register("user/*.cruds launch/patient")
    got = await visit.tokens("user/*.cruds", patient="")
    access = got["access_token"]
    assert (await visit.get(access, "/fhir/Observation/bo-pulse")).status_code == 200
    assert (await visit.get(access, "/fhir/AuditEvent")).status_code == 403
    client = visit.hospital.client()
    headers = {"Authorization": f"Bearer {access}"}
    assert (await client.delete("/fhir/Observation/bo-pulse", headers=headers)).status_code == 403


async def test_a_token_opens_the_record_and_no_page(visit: Visit) -> None:
    got = await visit.tokens()
    for page in ("/accounts", "/patients", "/account", "/api/organisations", "/scim/v2/Users"):
        assert (await visit.get(got["access_token"], page)).status_code == 403, page


async def test_a_refusal_goes_to_the_app_and_is_noted(visit: Visit) -> None:
    answer = told(await visit.answer(await visit.authorize(SCOPES), say="deny"))
    assert answer["error"] == "access_denied"
    assert (answer["state"], answer["iss"]) == ("xyz", HERE)
    assert await visit.hospital.acts() == ["app.deny"]


async def test_a_refresh_token_is_changed_with_every_use(visit: Visit) -> None:
    first = await visit.tokens()
    second = (await visit.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await visit.get(second["access_token"], "/fhir/Patient/na")).status_code == 200
    alone = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
    second = (await visit.hospital.client().post("/oauth/token", data=alone)).json()
    assert (await visit.get(second["access_token"], "/fhir/Patient/na")).status_code == 200
    fewer = (await visit.refresh(second["refresh_token"], scope="patient/Patient.rs")).json()
    assert fewer["error"] == "invalid_scope"


async def test_online_access_ends_with_the_session(visit: Visit) -> None:
    visit.app, _ = await visit.hospital.register("launch/patient online_access patient/*.rs")
    got = await visit.tokens("launch/patient online_access patient/*.rs")
    again = (await visit.refresh(got["refresh_token"])).json()
    await visit.hospital.sql("UPDATE account_session SET closed_at = now()")
    assert (await visit.refresh(again["refresh_token"])).json()["error"] == "invalid_grant"


async def test_who_leaves_takes_the_apps_along(visit: Visit) -> None:
    got = await visit.tokens()
    await visit.hospital.sql("UPDATE account SET organisation = 'city' WHERE login = 'li'")
    assert (await visit.get(got["access_token"], "/fhir/Patient/na")).status_code == 401
    assert (await visit.refresh(got["refresh_token"])).json()["error"] == "invalid_grant"


async def test_discovery_tells_where_everything_is(hospital: Hospital) -> None:
    client = hospital.client()
    smart = (await client.get("/fhir/.well-known/smart-configuration")).json()
    openid = (await client.get("/.well-known/openid-configuration")).json()
    statement = (await client.get("/fhir/metadata")).json()
    security = statement["rest"][0]["security"]
    uris = {one["url"]: one["valueUri"] for one in security["extension"][0]["extension"]}
    for facts in (smart, openid):
        assert facts["authorization_endpoint"] == uris["authorize"]
        assert facts["token_endpoint"] == uris["token"]
        assert facts["code_challenge_methods_supported"] == ["S256"]
    for name, value in {**smart, **openid}.items():
        if name.endswith(("_endpoint", "_uri")):
            path = value.removeprefix(HERE)
            answer = await client.request("POST" if "token" in name else "GET", path)
            assert answer.status_code not in (404, 500), name


async def test_two_factors_are_told_as_such(visit: Visit) -> None:
    await visit.hospital.sql("UPDATE account_session SET proved_by = 'totp'")
    got = await visit.tokens()
    keys = KeySet.import_key_set((await visit.hospital.client().get("/oauth/keys")).json())
    claims = jwt.decode(got["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["acr"], claims["amr"][-1]) == ("https://refeds.org/profile/mfa", "mfa")


async def test_a_new_signing_key_leaves_the_old_one_on_show_for_a_while(visit: Visit) -> None:
    first = (await visit.tokens())["id_token"]
    async with visit.hospital.db.transaction() as tx:
        await signing.rotate(tx, keys=visit.hospital.app.state.keys, now=utc_now())
    second = (await visit.tokens())["id_token"]
    client = visit.hospital.client()
    shown = KeySet.import_key_set((await client.get("/oauth/keys")).json())
    kids = {jwt.decode(one, shown, algorithms=["RS256"]).header["kid"] for one in (first, second)}
    assert len(kids) == 2
    await visit.hospital.sql(
        "UPDATE identity_signing_key SET retired_at = retired_at - interval '3 days'"
    )
    left = (await client.get("/oauth/keys")).json()["keys"]
    assert len(left) == 1
    assert {"d", "p", "q"}.isdisjoint(left[0])


async def test_an_app_acts_at_the_place_where_it_was_allowed(visit: Visit) -> None:
    """A doctor who also works in the city lets an app in there: it sees the city's patients, and
    nothing more when the doctor has left."""
    hospital = visit.hospital
    await hospital.sql("UPDATE fhir_resource SET owner = 'city' WHERE id IN ('bo', 'bo-pulse')")
    await hospital.sql(
        "INSERT INTO account_place SELECT id, 'city', 'expert', NULL FROM account"
        " WHERE login = 'li'"
    )
    await hospital.sql("UPDATE account_session SET organisation = 'city', role = 'expert'")
    visit.app, _ = await hospital.register(SCOPES, organisation="city")
    got = await visit.tokens(patient="bo")
    assert (await visit.get(got["access_token"], "/fhir/Observation/bo-pulse")).status_code == 200
    assert (await visit.get(got["access_token"], "/fhir/Observation/na-pulse")).status_code == 404
    await hospital.sql("DELETE FROM account_place")
    assert (await visit.get(got["access_token"], "/fhir/Observation/bo-pulse")).status_code == 401


async def test_pictures_are_read_by_scope_and_never_sent(visit: Visit) -> None:
    got = await visit.tokens()
    headers = {"Authorization": f"Bearer {got['access_token']}", "Accept": "application/dicom+json"}
    client = visit.hospital.client()
    assert (await client.get("/dicomweb/studies", headers=headers)).is_success
    assert (await client.post("/dicomweb/studies", headers=headers)).status_code in (401, 403)
    assert (await client.get("/dicomweb/workitems", headers=headers)).status_code in (401, 403)
    visit.app, _ = await visit.hospital.register("launch/patient patient/Observation.rs")
    got = await visit.tokens("launch/patient patient/Observation.rs")
    headers["Authorization"] = f"Bearer {got['access_token']}"
    assert (await client.get("/dicomweb/studies", headers=headers)).status_code == 403
