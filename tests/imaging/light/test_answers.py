from __future__ import annotations

import html
import json
import re
import struct
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.imaging.light.asking import ask, pictures, version
from tests.imaging.light.stacks import FILM, SERIES, STUDY, House, hounsfield

STACK = f"/light/{STUDY}/series/{SERIES}"


def unpacked(content: bytes) -> tuple[dict[str, Any], NDArray[Any]]:
    """What the browser does, in other words."""
    (length,) = struct.unpack_from("<I", content)
    facts = json.loads(content[4 : 4 + length])
    shape = facts["rows"], facts["columns"]
    low, high = np.frombuffer(content[4 + length :], np.uint8).reshape(2, *shape).astype(np.int32)
    folded = low | (high << 8)
    left = (folded >> 1) ^ -(folded & 1)
    left[:, 0] = np.cumsum(left[:, 0])
    return facts, np.cumsum(left, axis=1) & 0xFFFF


def test_one_small_answer_lists_every_series_in_order(served: House) -> None:
    answer = ask(served, f"/light/{STUDY}/outline")
    found = answer.json()
    listed = [(each["uid"], each["frames"]) for each in found["series"]]
    assert listed[:2] == [(SERIES, 300), (FILM, 12)]
    assert found["series"][0]["windows"] == [[40, 400], [-600, 1500]]
    assert found["others"] == 1
    assert int(answer.headers["Content-Length"]) < 3000
    again = ask(served, f"/light/{STUDY}/outline", **{"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_pictures_come_in_the_order_asked_for_and_no_larger(served: House) -> None:
    address = f"{STACK}/previews?v={version(served)}&frames=150,149,151&size=32&quality=40"
    answer = ask(served, address)
    found = pictures(answer.content)
    assert [number for number, _ in found] == [150, 149, 151]
    assert {Image.open(BytesIO(jpeg)).size for _, jpeg in found} == {(32, 32)}
    assert ask(served, address, **{"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_window_asked_for_is_the_window_drawn(served: House) -> None:
    base = f"{STACK}/previews?v={version(served)}&frames=0&size=64&quality=95"
    ((_, own),), ((_, lung),) = (
        pictures(ask(served, base + window).content) for window in ("", "&window=-600,1500")
    )
    middle = [int(np.asarray(Image.open(BytesIO(each)))[40, 32]) for each in (own, lung)]
    assert middle[0] == pytest.approx(128, abs=15)
    assert middle[1] > 220


def test_values_arrive_exactly_as_they_were_stored(served: House) -> None:
    answer = ask(served, f"{STACK}/values/7?v={version(served)}")
    facts, values = unpacked(answer.content)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert (facts["slope"], facts["intercept"], facts["window"]) == (1, -1024, [40, 400])
    assert (values == hounsfield(64, 7 / 300).clip(-1024, 3071) + 1024).all()


def test_colours_have_no_values_to_window(served: House) -> None:
    film = f"/light/{STUDY}/series/{FILM}"
    assert ask(served, f"{film}/values/0?v={version(served)}").status_code == 415
    assert len(pictures(ask(served, f"{film}/previews?v={version(served)}&frames=3").content)) == 1


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("previews?v={v}&frames=300", 404),
        ("previews?v={v}&frames=-1", 400),
        ("previews?v={v}&frames=", 400),
        ("previews?v={v}&frames=" + ",".join(["1"] * 65), 400),
        ("previews?v={v}&frames=1&size=9999", 400),
        ("previews?v={v}&frames=1&colour=red", 400),
        ("previews?v={v}&frames=1&window=soft", 400),
        ("previews?v=before&frames=1", 409),
        ("values/300?v={v}", 404),
        ("values/1?v={v}&window=1,2", 400),
    ],
)
def test_what_is_not_there_or_not_understood_is_refused(
    served: House, rest: str, status: int
) -> None:
    assert ask(served, f"{STACK}/{rest.format(v=version(served))}").status_code == status


def test_the_hospital_next_door_finds_nothing(served: House) -> None:
    for path in (
        f"/light/{STUDY}",
        f"/light/{STUDY}/outline",
        f"{STACK}/previews?v={version(served)}&frames=1",
        f"{STACK}/values/1?v={version(served)}",
    ):
        assert ask(served, path, "township").status_code == 404
    assert httpx.get(f"{served.address}/light/{STUDY}/outline").status_code in (303, 401)


def test_the_page_carries_the_outline_and_no_name_breaks_out_of_it(served: House) -> None:
    page = ask(served, f"/light/{STUDY}").text
    (inside,) = re.findall(r'data-outline="(.*?)"', page)
    assert "<" not in inside
    found = json.loads(html.unescape(inside))
    assert found["study"]["name"] == ["Li <i>Wei", "李 伟"]
