"""Token introspection (RFC 7662), revocation (RFC 7009) and calls from apps' pages (CORS)."""

from __future__ import annotations

from tests.fhir.smart.conftest import HERE, REDIRECT, SCOPES, Hospital, Visit

ORIGIN = "https://growth.example"


async def a_confidential(hospital: Hospital) -> Visit:
    app, secret = await hospital.register(method="client_secret_basic")
    return Visit(hospital, app, await hospital.browser(), secret)


async def introspected(visit: Visit, token: str) -> dict[str, object]:
    assert visit.secret
    answer = await visit.hospital.client().post(
        "/oauth/introspect", data={"token": token}, auth=(visit.app.id, visit.secret)
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_an_app_asks_about_its_own_tokens(hospital: Hospital) -> None:
    visit = await a_confidential(hospital)
    got = await visit.tokens()
    found = await introspected(visit, got["access_token"])
    assert found["active"] is True
    assert (found["client_id"], found["patient"]) == (visit.app.id, "na")
    assert found["fhirUser"] == f"{HERE}/fhir/Practitioner/li"
    assert (await introspected(visit, got["refresh_token"]))["active"] is True
    other = await a_confidential(hospital)
    assert await introspected(other, got["access_token"]) == {"active": False}
    assert await introspected(visit, "made-up") == {"active": False}


async def test_an_app_without_a_secret_may_not_ask(visit: Visit) -> None:
    data = {"token": "x", "client_id": visit.app.id}
    answer = await visit.hospital.client().post("/oauth/introspect", data=data)
    assert answer.json()["error"] == "invalid_client"


async def test_revoking_a_refresh_token_ends_everything(hospital: Hospital) -> None:
    visit = await a_confidential(hospital)
    assert visit.secret
    got = await visit.tokens()
    other = await a_confidential(hospital)
    for who in (other, visit):
        assert who.secret
        answer = await hospital.client().post(
            "/oauth/revoke",
            data={"token": got["refresh_token"], "token_type_hint": "access_token"},
            auth=(who.app.id, who.secret),
        )
        assert answer.status_code == 200
        active = (await introspected(visit, got["access_token"]))["active"]
        assert active is (who is other)
    assert (await visit.get(got["access_token"], "/fhir/Patient/na")).status_code == 401


async def test_an_access_token_is_revoked_alone(hospital: Hospital) -> None:
    visit = await a_confidential(hospital)
    assert visit.secret
    got = await visit.tokens()
    auth = (visit.app.id, visit.secret)
    data = {"token": got["access_token"]}
    assert (await hospital.client().post("/oauth/revoke", data=data, auth=auth)).is_success
    assert (await visit.get(got["access_token"], "/fhir/Patient/na")).status_code == 401
    assert (await visit.refresh(got["refresh_token"])).status_code == 200


async def test_pages_of_registered_apps_may_call_and_no_others(visit: Visit) -> None:
    got = await visit.tokens(SCOPES)
    client = visit.hospital.client()
    headers = {"Authorization": f"Bearer {got['access_token']}", "Origin": ORIGIN}
    answer = await client.get("/fhir/Patient/na", headers=headers)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in answer.headers
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    for path in ("/fhir/Patient/na", "/oauth/token", "/fhir/.well-known/smart-configuration"):
        assert (await client.options(path, headers=asked)).status_code == 204
    for origin in ("https://evil.test", "null", REDIRECT):
        foreign = await client.get("/fhir/Patient/na", headers=headers | {"Origin": origin})
        assert "access-control-allow-origin" not in foreign.headers
    for path in ("/patients", "/signin", "/oauth/introspect", "/api/organisations"):
        closed = await visit.person.get(path, headers={"Origin": ORIGIN})
        assert "access-control-allow-origin" not in closed.headers
