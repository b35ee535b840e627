"""Signing in and out, and where it leads."""

from __future__ import annotations

import pytest
from httpx import AsyncClient
from tests.web.conftest import PASSWORD, form_secret

from serai.platform.db import Database
from serai.web.signin import safe_path


async def test_a_stranger_is_led_to_the_sign_in_page_and_back(doctor: AsyncClient) -> None:
    doctor.cookies.delete("serai_session")
    answer = await doctor.get("/ward?bed=4")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/signin?next=%2Fward%3Fbed%3D4"
    page = await doctor.get(answer.headers["location"])
    assert 'name="next" value="/ward?bed=4"' in page.text
    signed_in = await doctor.post(
        "/signin", data={"login": "county.doctor", "password": PASSWORD, "next": "/ward?bed=4"}
    )
    assert signed_in.headers["location"] == "/ward?bed=4"


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(
    doctor: AsyncClient,
) -> None:
    doctor.cookies.clear()
    answer = await doctor.post("/signin", data={"login": "county.doctor", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


async def test_over_https_the_session_cookie_never_travels_in_the_clear(
    doctor: AsyncClient,
) -> None:
    doctor.cookies.clear()
    answer = await doctor.post(
        "https://serai.test/signin", data={"login": "county.doctor", "password": PASSWORD}
    )
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


async def test_who_signed_in_and_out_stands_in_the_audit_trail(
    doctor: AsyncClient, db: Database
) -> None:
    secret = await form_secret(doctor)
    await doctor.post("/signout", data={"_csrf": secret})
    async with db.connection() as c:
        lines = await c.execute(
            "SELECT act, organisation FROM audit_event WHERE act LIKE 'session.%' ORDER BY sequence"
        )
        assert await lines.fetchall() == [("session.open", "county"), ("session.close", "county")]


@pytest.mark.parametrize(
    ("login", "password"), [("county.doctor", "wrong-password"), ("nobody", PASSWORD)]
)
async def test_a_wrong_login_and_a_wrong_password_look_the_same(
    doctor: AsyncClient, login: str, password: str
) -> None:
    doctor.cookies.clear()
    answer = await doctor.post("/signin", data={"login": login, "password": password})
    assert answer.status_code == 401
    assert "Login or password is not right." in answer.text
    assert "set-cookie" not in answer.headers
    assert password not in answer.text


async def test_too_many_tries_are_slowed_down_and_told_how_long(doctor: AsyncClient) -> None:
    doctor.cookies.clear()
    for _ in range(10):
        wrong = {"login": "county.doctor", "password": "wrong-password"}
        assert (await doctor.post("/signin", data=wrong)).status_code == 401
    answer = await doctor.post("/signin", data={"login": "county.doctor", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) <= 900
    assert "Wait 15 min" in answer.text


async def test_an_empty_form_is_shown_again_with_its_errors(stranger: AsyncClient) -> None:
    answer = await stranger.post("/signin", data={})
    assert answer.status_code == 422
    assert answer.text.count("Please fill this in.") == 2
    assert 'aria-describedby="f-login-error"' in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\tevil",
        "javascript:alert(1)",
        "evil",
        "",
        "/signout",
        "/signin?next=/signin",
        "/" + "a" * 3000,
        "/ｗ",
    ],
)
def test_sign_in_never_leads_away_from_this_site(path: str) -> None:
    assert safe_path(path) == "/"


def test_sign_in_leads_to_pages_of_this_site() -> None:
    assert safe_path("/patients/1?tab=images#top") == "/patients/1?tab=images#top"


async def test_an_open_redirect_is_refused_end_to_end(doctor: AsyncClient) -> None:
    answer = await doctor.get("/signin", params={"next": "//evil.example"})
    assert answer.headers["location"] == "/"


async def test_the_start_page_is_the_one_of_the_role(doctor: AsyncClient) -> None:
    assert (await doctor.get("/")).headers["location"] == "/ward"


async def test_signing_out_ends_the_session_everywhere(doctor: AsyncClient) -> None:
    cookie = doctor.cookies["serai_session"]
    answer = await doctor.post("/signout", data={"_csrf": await form_secret(doctor)})
    assert answer.headers["location"] == "/signin"
    assert "You are signed out." in (await doctor.get("/signin")).text
    doctor.cookies.set("serai_session", cookie, domain="serai.test")
    assert (await doctor.get("/ward")).status_code == 303


async def test_the_language_of_the_browser_is_spoken(stranger: AsyncClient) -> None:
    answer = await stranger.get("/signin", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert '<html lang="zh-Hans">' in answer.text
    assert "登录" in answer.text


async def test_a_chosen_language_stays_and_belongs_to_the_account(doctor: AsyncClient) -> None:
    data = {"_csrf": await form_secret(doctor), "language": "zh", "next": "/ward"}
    answer = await doctor.post("/language", data=data)
    assert answer.headers["location"] == "/ward"
    doctor.cookies.delete("serai_language")
    assert '<html lang="zh-Hans">' in (await doctor.get("/ward")).text


async def test_a_handler_speaks_the_language_of_its_reader(doctor: AsyncClient) -> None:
    assert (await doctor.get("/word")).text == "Sign in"
    answer = await doctor.get("/word", headers={"Accept-Language": "zh"})
    assert answer.text == "登录"


async def test_an_unknown_language_changes_nothing(stranger: AsyncClient) -> None:
    answer = await stranger.post("/language", data={"language": "xx", "next": "//evil.example"})
    assert answer.headers["location"] == "/"
    assert "set-cookie" not in answer.headers
