from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.imaging.light.asking import ask, pictures, version
from tests.imaging.light.stacks import FILM, SERIES, STUDY, House, a_ct, a_film, house
from tests.imaging.uploads.conftest import token

from serai.imaging.light import ready
from serai.kernel.clock import utc_now
from serai.platform.blobs import Blobs
from serai.platform.db import Database

STACK, CLIP = f"/light/{STUDY}/series/{SERIES}", f"/light/{STUDY}/series/{FILM}"


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[House]:
    with house(database_url, tmp_path, [*a_ct(14, 32), a_film()]) as started:
        yield started


def deleted(served: House, path: str, secret: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx.delete(served.address + path, headers=headers)


async def made(served: House, *, minutes: int = 2) -> int:
    """How many studies were drawn for, so many minutes from now."""
    db = await Database.open(served.database_url, max_size=2)
    try:
        now = utc_now() + timedelta(minutes=minutes)
        return await ready.make(db, Blobs(served.home), now=now, rest=0)
    finally:
        await db.close()


async def test_small_pictures_are_ready_before_anybody_asks(served: House) -> None:
    known = version(served)
    small = f"{STACK}/previews?v={known}&frames=7,8,6&size=128&quality=40&window=40,400"
    film = f"{CLIP}/previews?v={known}&frames=3&size=256&quality=50"
    drawn, film_drawn = ask(served, small).content, ask(served, film).content
    assert [await made(served), await made(served)] == [1, 0]
    for kept in ("blobs", "blobs.log"):
        (served.home / kept).rename(served.home / f"{kept}.hidden")
    assert ask(served, small).content == drawn
    assert ask(served, film).content == film_drawn
    other = ask(served, f"{STACK}/previews?v={known}&frames=1&size=64&window=40,400")
    assert pictures(other.content) == [(1, b"")]
    assert ask(served, small, "township").status_code == 404


async def test_a_study_that_still_arrives_is_left_alone(served: House) -> None:
    assert await made(served, minutes=0) == 0


async def test_what_is_deleted_leaves_no_small_picture(served: House, doctor: str) -> None:
    assert await made(served) == 1
    answer = deleted(served, f"/dicomweb/studies/{STUDY}/series/{FILM}", doctor)
    assert answer.status_code in (200, 204), answer.text
    with psycopg.connect(served.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM imaging_preview").fetchone() == (0,)


@pytest.fixture
def doctor(served: House) -> str:
    return token(served.database_url, "county", "system/*.cruds")
