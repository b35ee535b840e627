"""How pages reach a village connection: small, cached, closed to injected code."""

from __future__ import annotations

import re

import pytest
from httpx import AsyncClient

from serai.web.assets import static

LARGEST_PAGE = 170 * 1024
REFERENCES = re.compile(r'(?:src|href)="(/static/[^"#]+)')


async def _compressed_size(client: AsyncClient, address: str) -> int:
    async with client.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status_code == 200, address
        return sum([len(part) async for part in answer.aiter_raw()])


async def test_a_page_with_everything_it_loads_stays_light(doctor: AsyncClient) -> None:
    page = (await doctor.get("/ward")).text
    addresses = {"/ward", *REFERENCES.findall(page)}
    assert len(addresses) >= 6
    total = sum([await _compressed_size(doctor, one) for one in addresses])
    assert total < LARGEST_PAGE


async def test_pages_and_files_are_compressed(doctor: AsyncClient) -> None:
    for address in ("/ward", static("serai.css")):
        answer = await doctor.get(address)
        assert answer.headers["content-encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"]
        plain = await doctor.get(address, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers


async def test_a_named_version_of_a_file_is_kept_for_ever(stranger: AsyncClient) -> None:
    answer = await stranger.get(static("serai.css"))
    assert "immutable" in answer.headers["cache-control"]
    plain = await stranger.get("/static/serai.css")
    assert "no-cache" in plain.headers["cache-control"]
    again = await stranger.get(
        "/static/serai.css", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_htmx_comes_from_npm(stranger: AsyncClient) -> None:
    answer = await stranger.get(static("htmx.js"))
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "htmx" in answer.text


@pytest.mark.parametrize(
    "name",
    ["../web/wording.py", "..%2f..%2fapp.py", "/etc/passwd", "web/../../../pyproject.toml",
     "nothing.js", "templates/layout.html", ""],
)  # fmt: skip
async def test_only_static_files_are_served(stranger: AsyncClient, name: str) -> None:
    assert (await stranger.get(f"/static/{name}")).status_code in (303, 404)


async def test_pages_allow_no_code_but_our_own_files(doctor: AsyncClient) -> None:
    answer = await doctor.get("/ward")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_refusal_carries_the_headers_too(stranger: AsyncClient) -> None:
    assert "content-security-policy" in (await stranger.get("/ward")).headers
