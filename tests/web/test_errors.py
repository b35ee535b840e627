"""Every refusal becomes one understandable answer, and a crash tells nothing."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest
from httpx import AsyncClient
from starlette.applications import Starlette

from serai.kernel import errors as kernel_errors
from serai.kernel.errors import SeraiError
from serai.web import wording
from serai.web.errors import BY_ERROR, words_for

ALL_ERRORS = [
    one
    for one in vars(kernel_errors).values()
    if isinstance(one, type) and issubclass(one, SeraiError) and one is not SeraiError
]


@pytest.mark.parametrize("kind", ALL_ERRORS)
def test_every_error_of_the_tree_has_a_status_and_words(kind: type[SeraiError]) -> None:
    assert kind in BY_ERROR
    assert kind in wording.BY_CLASS
    assert words_for(kind("any.key")).status == BY_ERROR[kind].status


async def test_a_refusal_without_words_of_its_own_says_what_kind_it_is(
    doctor: AsyncClient,
) -> None:
    answer = await doctor.get("/conflict")
    assert answer.status_code == 409
    assert "The record has changed in the meantime." in answer.text
    assert "ward.full" not in answer.text


async def test_for_htmx_a_refusal_is_a_toast(doctor: AsyncClient) -> None:
    answer = await doctor.get("/conflict", headers={"HX-Request": "true"})
    assert answer.headers["hx-retarget"] == "#toasts"
    assert "<html" not in answer.text
    assert 'class="toast danger"' in answer.text


async def test_an_ended_session_sends_htmx_to_the_sign_in_page(stranger: AsyncClient) -> None:
    answer = await stranger.get("/ward", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/signin")


async def test_a_crash_shows_a_reference_and_no_detail(doctor: AsyncClient) -> None:
    answer = await doctor.get("/crash")
    assert answer.status_code == 500
    assert "Li Na" not in answer.text
    assert "RuntimeError" not in answer.text
    assert 'class="mono"' in answer.text
    assert answer.headers["content-security-policy"]


async def test_a_page_that_does_not_exist_is_not_found(doctor: AsyncClient) -> None:
    answer = await doctor.get("/nowhere")
    assert answer.status_code == 404
    assert "is not shared with you" in answer.text


async def test_a_wrong_method_is_not_supported(doctor: AsyncClient) -> None:
    answer = await doctor.put(
        "/ward", headers={"X-CSRF-Token": (await _secret(doctor)), "Content-Type": "text/plain"}
    )
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


async def test_health_and_the_capability_statement_need_no_sign_in(stranger: AsyncClient) -> None:
    assert (await stranger.get("/fhir/metadata")).text == "the truth"
    assert (await stranger.get("/healthz")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/ward", "/nowhere", "/signout", "/metrics"])
async def test_everything_else_is_closed_to_strangers(stranger: AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).headers["location"].startswith("/signin")


async def test_web_sockets_are_closed_to_everybody(site: Starlette) -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    await site({"type": "websocket", "path": "/ward", "headers": [], "app": site}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_flash_cookie_cannot_put_words_in_our_mouth(doctor: AsyncClient) -> None:
    doctor.cookies.set("serai_flash", "danger.Your account is locked", domain="serai.test")
    assert "locked" not in (await doctor.get("/ward")).text


async def _secret(client: AsyncClient) -> str:
    page = (await client.get("/ward")).text
    return page.split('name="csrf" content="')[1].split('"')[0]
