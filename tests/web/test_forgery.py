"""Another site must not be able to act with the cookie of somebody who is signed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from httpx import AsyncClient
from tests.web.conftest import PASSWORD, form_secret

from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token
from serai.platform.db import Database


async def test_a_form_with_the_secret_of_its_page_is_taken(doctor: AsyncClient) -> None:
    answer = await doctor.post("/ward", data={"_csrf": await form_secret(doctor)})
    assert answer.status_code == 303


async def test_a_form_without_the_secret_is_refused(doctor: AsyncClient) -> None:
    for data in ({}, {"_csrf": "guess"}, {"_csrf": ""}, {"_csrf": "é"}):
        answer = await doctor.post("/ward", data=data)
        assert answer.status_code == 403
        assert "This form has expired." in answer.text


async def test_the_secret_of_another_session_is_refused(doctor: AsyncClient) -> None:
    old = await form_secret(doctor)
    await doctor.post("/signin", data={"_csrf": old, "login": "x", "password": "y"})
    doctor.cookies.delete("serai_session")
    await doctor.post("/signin", data={"login": "county.doctor", "password": PASSWORD})
    assert (await doctor.post("/ward", data={"_csrf": old})).status_code == 403


async def test_a_script_of_our_pages_sends_the_secret_as_a_header(doctor: AsyncClient) -> None:
    secret = await form_secret(doctor)
    headers = {"X-CSRF-Token": secret, "Sec-Fetch-Site": "same-origin"}
    assert (await doctor.post("/ward", headers=headers)).status_code == 303
    assert (await doctor.post("/api/thing", headers=headers)).text == "Li Wei 李伟"


async def test_a_request_that_another_site_started_is_refused_even_with_the_secret(
    doctor: AsyncClient,
) -> None:
    secret = await form_secret(doctor)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = await doctor.post("/ward", data={"_csrf": secret}, headers=headers)
        assert answer.status_code == 403


async def test_the_engines_take_no_cookie_without_the_header(doctor: AsyncClient) -> None:
    secret = await form_secret(doctor)
    for path in ("/fhir/Patient", "/api/thing"):
        assert (await doctor.post(path, data={"_csrf": secret})).status_code == 403
        assert (await doctor.post(path, json={})).status_code == 403
        assert (await doctor.post(path)).status_code == 403
    assert (await doctor.get("/fhir/Patient")).text == "Li Wei 李伟"


async def test_another_site_cannot_sign_somebody_in(stranger: AsyncClient) -> None:
    answer = await stranger.post(
        "/signin",
        data={"login": "county.doctor", "password": PASSWORD},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403


async def test_a_machine_with_a_token_needs_no_form_secret(
    stranger: AsyncClient, db: Database
) -> None:
    now = datetime.now(UTC)
    async with db.transaction() as tx:
        scopes = parse_scopes("system/*.cruds")
        token = await issue_token(tx, scopes, timedelta(hours=1), name="scanner", now=now)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await stranger.post("/fhir/Patient", headers=headers)).text == "scanner"
    assert (await stranger.get("/ward", headers=headers)).status_code == 403


async def test_a_wrong_token_is_nobody(stranger: AsyncClient) -> None:
    headers = {"Authorization": "Bearer guess"}
    answer = await stranger.get("/api/thing", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
