"""What a thief, a foreign app or a made-up request gets: nothing (RFC 9700, RFC 7636, RFC 9207)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tests.fhir.smart.conftest import (
    CHALLENGE,
    HERE,
    REDIRECT,
    SCOPES,
    VERIFIER,
    Hospital,
    Visit,
    told,
)


async def test_a_code_is_taken_once_and_a_second_try_ends_what_it_gave(visit: Visit) -> None:
    code = await visit.code()
    got = (await visit.redeem(code)).json()
    assert (await visit.get(got["access_token"], "/fhir/Patient/na")).status_code == 200
    assert (await visit.redeem(code)).json()["error"] == "invalid_grant"
    assert (await visit.get(got["access_token"], "/fhir/Patient/na")).status_code == 401
    assert (await visit.refresh(got["refresh_token"])).json()["error"] == "invalid_grant"
    assert "app.replay" in await visit.hospital.acts()


async def test_a_used_refresh_token_ends_the_whole_family(visit: Visit) -> None:
    first = await visit.tokens()
    second = (await visit.refresh(first["refresh_token"])).json()
    third = (await visit.refresh(second["refresh_token"])).json()
    assert (await visit.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    for got in (first, second, third):
        assert (await visit.get(got["access_token"], "/fhir/Patient/na")).status_code == 401
    assert (await visit.refresh(third["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_code_is_over_after_a_minute(visit: Visit) -> None:
    code = await visit.code()
    await visit.hospital.sql("UPDATE app_code SET expires_at = expires_at - interval '1 minute'")
    assert (await visit.redeem(code)).json()["error"] == "invalid_grant"


WRONG_CODES: list[dict[str, str | None]] = [
    {"code_verifier": VERIFIER + "x"},
    {"code_verifier": ""},
    {"redirect_uri": REDIRECT + "/"},
    {"redirect_uri": "https://growth.example/other"},
    {"code": "s" + "A" * 43},
]


async def test_a_code_is_bound_to_verifier_and_address(visit: Visit) -> None:
    for changed in WRONG_CODES:
        form = {"code": await visit.code()} | changed
        answer = await visit.redeem(**form)  # type: ignore[arg-type]
        assert answer.status_code == 400, changed
        assert answer.json()["error"] in ("invalid_grant", "invalid_request")


async def test_a_foreign_app_can_use_neither_code_nor_refresh_token(visit: Visit) -> None:
    foreign, _ = await visit.hospital.register()
    own, got = visit.app, await visit.tokens()
    code = await visit.code()
    visit.app = foreign
    assert (await visit.redeem(code)).json()["error"] == "invalid_grant"
    assert (await visit.refresh(got["refresh_token"])).json()["error"] == "invalid_grant"
    revoked = await visit.token(token=got["refresh_token"], grant_type="refresh_token")
    assert revoked.status_code == 400
    visit.app = own
    assert (await visit.refresh(got["refresh_token"])).status_code == 200


UNSOUND: list[dict[str, str | None]] = [
    {"code_challenge": None},
    {"code_challenge_method": "plain"},
    {"code_challenge_method": None},
    {"code_challenge": "short"},
    {"aud": "https://other.example/fhir"},
    {"aud": None},
    {"response_type": "token"},
    {"response_type": "code token"},
    {"scope": "patient/*.nonsense"},
    {"scope": "system/*.cruds"},
    {"scope": None},
    {"scope": "x " * 300},
    {"unheard-of": "1"},
    {"prompt": "none"},
    {"max_age": "-1"},
    {"request": "eyJhbGciOiJub25lIn0."},
    {"launch": "made-up"},
    {"scope": "patient/Observation.rs?date=gt2020"},
]


async def test_a_request_that_is_not_sound_goes_back_with_an_error(visit: Visit) -> None:
    for changed in UNSOUND:
        asked = {"scope": SCOPES, **changed}
        answer = told(await visit.authorize(**asked))  # type: ignore[arg-type]
        assert "code" not in answer
        assert answer["error"], changed
        assert (answer["state"], answer["iss"]) == ("xyz", HERE)


NOT_REGISTERED: list[dict[str, str | None]] = [
    {"redirect_uri": REDIRECT + "/"},
    {"redirect_uri": REDIRECT + "?x=1"},
    {"redirect_uri": REDIRECT.replace("https", "http")},
    {"redirect_uri": "https://growth.example.evil.test/back"},
    {"redirect_uri": "https://growth.example@evil.test/back"},
    {"redirect_uri": "https://GROWTH.example/back"},
    {"redirect_uri": "https://growth.example/x/../back"},
    {"redirect_uri": None},
    {"client_id": "nobody"},
    {"client_id": "\0"},
    {"client_id": None},
]


async def test_nobody_is_sent_to_an_address_that_is_not_registered(visit: Visit) -> None:
    for changed in NOT_REGISTERED:
        answer = await visit.authorize(SCOPES, **changed)
        assert answer.status_code == 400, changed
        assert "location" not in answer.headers


async def test_a_parameter_that_comes_twice_is_refused(visit: Visit) -> None:
    answer = await visit.person.get(
        f"/oauth/authorize?client_id={visit.app.id}&redirect_uri={REDIRECT}&redirect_uri=https://evil.test/"
    )
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_more_than_was_registered_is_not_asked_for(visit: Visit) -> None:
    visit.app, _ = await visit.hospital.register("patient/Observation.rs launch/patient")
    got = await visit.tokens("patient/*.cruds user/*.rs offline_access launch/patient")
    assert set(got["scope"].split()) == {"launch/patient", "patient/Observation.rs"}
    assert "refresh_token" not in got


async def test_a_box_that_was_not_on_the_page_grants_nothing(visit: Visit) -> None:
    page = await visit.authorize("launch/patient patient/Observation.rs")
    path = page.headers["location"]
    asked = await visit.person.get(path, params={"patient": "na"})
    csrf = asked.text.split('name="_csrf" value="')[1].split('"')[0]
    data = {"_csrf": csrf, "answer": "allow", "patient": "na", "scope": ["patient/*.cruds"]}
    code = told(await visit.person.post(path, data=data))["code"]
    assert (await visit.redeem(code)).json()["scope"] == "launch/patient"


async def test_nobody_chooses_a_patient_they_do_not_see(visit: Visit) -> None:
    await visit.hospital.sql("UPDATE fhir_resource SET owner = 'city' WHERE id = 'bo'")
    page = await visit.authorize(SCOPES)
    path = page.headers["location"]
    assert (await visit.person.get(path, params={"patient": "bo"})).status_code == 404
    asked = await visit.person.get(path, params={"patient": "na"})
    csrf = asked.text.split('name="_csrf" value="')[1].split('"')[0]
    data = {"_csrf": csrf, "answer": "allow", "patient": "bo", "scope": ["patient/*.rs"]}
    assert (await visit.person.post(path, data=data)).status_code == 404


async def test_another_site_cannot_press_the_button(visit: Visit) -> None:
    page = await visit.authorize(SCOPES)
    path = page.headers["location"]
    data = {"answer": "allow", "patient": "na", "scope": ["patient/*.rs"]}
    for headers in ({}, {"sec-fetch-site": "cross-site"}):
        answer = await visit.person.post(path, data=data, headers=headers)
        assert answer.status_code == 403


async def test_a_question_is_answered_once_and_soon(visit: Visit) -> None:
    page = await visit.authorize(SCOPES)
    await visit.answer(page)
    path = page.headers["location"]
    assert (await visit.person.get(path, params={"patient": "na"})).status_code == 404
    late = await visit.authorize(SCOPES)
    await visit.hospital.sql("UPDATE app_request SET expires_at = now() - interval '1 s'")
    assert (await visit.person.get(late.headers["location"])).status_code == 404


async def test_an_app_of_another_hospital_is_not_let_in(visit: Visit) -> None:
    visit.person = await visit.hospital.browser("chen")
    page = await visit.authorize(SCOPES)
    answer = await visit.person.get(page.headers["location"], params={"patient": "na"})
    assert answer.status_code == 403


async def test_max_age_asks_for_a_fresh_proof(visit: Visit) -> None:
    await visit.hospital.sql("UPDATE account_session SET proved_at = now() - interval '1 hour'")
    page = await visit.authorize(SCOPES, max_age="600")
    answer = await visit.person.get(page.headers["location"])
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/signin/again")


async def test_a_wrong_secret_and_a_wrong_way_are_refused(hospital: Hospital) -> None:
    app, secret = await hospital.register(method="client_secret_basic")
    assert secret
    client = hospital.client()
    form = {"grant_type": "authorization_code", "code": "x", "client_id": app.id}
    wrong = await client.post("/oauth/token", data=form, auth=(app.id, secret + "x"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    for data in (form, form | {"client_secret": secret}):
        answer = await client.post("/oauth/token", data=data)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    right = await client.post("/oauth/token", data=form, auth=(app.id, secret))
    assert right.json()["error"] == "invalid_request"


async def test_guessing_is_braked(hospital: Hospital) -> None:
    app, _ = await hospital.register(method="client_secret_basic")
    client = hospital.client()
    answers = [
        (
            await client.post("/oauth/token", data={"token": "x"}, auth=(app.id, f"guess {n}"))
        ).status_code
        for n in range(12)
    ]
    assert answers[:10] == [401] * 10
    assert answers[11] == 429


async def test_no_secret_is_kept_in_clear(visit: Visit) -> None:
    code = await visit.code()
    got = (await visit.redeem(code)).json()
    async with visit.hospital.db.connection() as c:
        for table in ("app_code", "app_refresh", "access_token", "app_grant", "audit_event"):
            rows = await (await c.execute(f"SELECT t::text FROM {table} t")).fetchall()  # noqa: S608
            text = "".join(row[0] for row in rows)
            for secret in (code, got["access_token"], got["refresh_token"]):
                assert secret not in text, table


async def test_a_form_without_end_is_cut_off(hospital: Hospital) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"a" * 1000

    headers = {"content-type": "application/x-www-form-urlencoded"}
    for path in ("/oauth/token", "/oauth/authorize", "/oauth/revoke"):
        answer = await hospital.client().post(path, content=endless(), headers=headers)
        assert answer.status_code == 400


async def test_an_app_may_ask_by_post(visit: Visit) -> None:
    asked = {
        "response_type": "code", "client_id": visit.app.id, "redirect_uri": REDIRECT,
        "scope": SCOPES, "aud": f"{HERE}/fhir", "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }  # fmt: skip
    headers = {"origin": "https://growth.example", "sec-fetch-site": "cross-site"}
    page = await visit.person.post("/oauth/authorize", data=asked, headers=headers)
    assert "state" not in (answer := told(await visit.answer(page)))
    assert (await visit.redeem(answer["code"])).status_code == 200
