from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.chromium import PHONE, launched
from tests.imaging.light.stacks import STUDY, House
from tests.imaging.light.thin_line import SHOWN, measure

import serai
from serai.web import wording

# What only a measurement is drawn in.
YELLOW = """() => {
  const canvas = document.getElementById("picture");
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) found += data[at] - data[at + 2] > 60;
  return found;
}"""
# How much of the screen the patient fills.
LIT = """() => {
  const canvas = document.getElementById("picture");
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) found += data[at] > 60;
  return found;
}"""
RAISED = re.compile(r'"(light\.[a-z-]+)"')
ROOM = Path(serai.__file__).parent / "imaging" / "light"
BUDGET = 300 * 1024
# How bright the middle of the picture is.
BRIGHTNESS = """() => {
  const canvas = document.getElementById("picture");
  const [left, top] = [canvas.width / 2 - 9, canvas.height / 2 - 9];
  const {data} = canvas.getContext("2d").getImageData(left, top, 18, 18);
  const greys = data.filter((_, at) => at % 4 === 0);
  return greys.reduce((sum, grey) => sum + grey, 0) / greys.length;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


def opened(browser: Browser, served: House, language: str = "en-GB") -> Page:
    context = browser.new_context(locale=language, viewport={"width": 900, "height": 700})
    served.sign_in(context)
    page = context.new_page()
    page.goto(f"{served.address}/light/{STUDY}")
    page.wait_for_function(SHOWN, arg=["exact"], timeout=20_000)
    return page


def where(page: Page) -> str:
    return page.inner_text("#where").replace("\n", " ")


def test_a_village_sees_a_usable_picture_of_300_within_ten_seconds(
    browser: Browser, served: House
) -> None:
    measured = measure(browser, served)
    assert measured.first_s < 10
    assert measured.first_bytes < 10 * 256_000 / 8
    assert measured.near_s < 1


def test_the_whole_page_is_less_than_300_kb_of_code(browser: Browser, served: House) -> None:
    code = sum(path.stat().st_size for path in (ROOM / "static").iterdir())
    page = httpx.get(
        f"{served.address}/light/{STUDY}",
        headers={"Cookie": f"serai_session={served.cookies['county']}"},
    )
    assert code + len(page.content) < BUDGET / 4
    loaded = opened(browser, served).evaluate(
        "() => performance.getEntriesByType('resource').map(each => each.name)"
    )
    ours = [each for each in loaded if "/light/" in each or each.endswith("favicon.svg")]
    assert [each for each in loaded if each not in ours and "favicon" not in each] == []


def test_the_middle_comes_first_then_its_neighbours_outward(
    browser: Browser, served: House
) -> None:
    context = browser.new_context()
    served.sign_in(context)
    page, asked = context.new_page(), []
    page.on("request", lambda sent: asked.append(sent.url))
    page.goto(f"{served.address}/light/{STUDY}")
    page.wait_for_function(SHOWN, arg=["exact"], timeout=20_000)
    order = [
        [int(number) for number in parse_qs(urlsplit(url).query)["frames"][0].split(",")]
        for url in asked
        if "/previews" in url
    ]
    assert order[0] == [150]
    assert order[1] == [151, 149, 152, 148, 153, 147, 154, 146, 155, 145, 156, 144]
    exact = next(place for place, url in enumerate(asked) if "/values/150" in url)
    after = [url for url in asked[exact:] if "/previews" in url]
    assert len(after) < 2
    context.close()


def test_keys_leaf_and_the_window_moves_without_asking_the_server(
    browser: Browser, served: House
) -> None:
    page = opened(browser, served)
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowUp")
    assert where(page).startswith("Image 160/300 159 mm")
    page.wait_for_function(SHOWN, arg=["exact"])
    grey, asked = page.evaluate(BRIGHTNESS), []
    page.on("request", lambda sent: asked.append(sent.url))
    page.keyboard.press("4")
    page.wait_for_function(f"before => Math.abs(({BRIGHTNESS})() - before) > 60", arg=grey)
    assert [url for url in asked if "/values" in url] == []
    page.context.close()


def test_a_drag_leafs_windows_and_measures(browser: Browser, served: House) -> None:
    page = opened(browser, served)

    def drag(across: int, down: int) -> None:
        page.mouse.move(450, 300)
        page.mouse.down()
        page.mouse.move(450 + across, 300 + down, steps=4)
        page.mouse.up()

    drag(0, 70)
    assert where(page).startswith("Image 156/300")
    page.keyboard.press("w")
    drag(50, 0)
    assert "C 40 W 400" not in where(page)
    page.keyboard.press("l")
    drag(100, 0)
    page.wait_for_function(f"({YELLOW})() > 100")
    page.mouse.wheel(0, 100)
    page.wait_for_function("() => document.getElementById('where').textContent.includes('157/300')")
    page.context.close()


def test_a_film_plays_and_stops(browser: Browser, served: House) -> None:
    page = opened(browser, served)
    page.click("[data-panel=series]")
    page.get_by_role("button", name="Heart").click()
    page.wait_for_function(SHOWN, arg=["exact"])
    page.keyboard.press(" ")
    for place in ("9/12", "11/12", "2/12"):
        page.wait_for_function(
            "wanted => document.getElementById('where').textContent.includes(wanted)", arg=place
        )
    page.keyboard.press(" ")
    still = where(page)
    page.wait_for_timeout(200)
    assert where(page) == still
    page.context.close()


def test_a_large_radiograph_is_fetched_whole_only_when_somebody_asks(
    browser: Browser, served: House
) -> None:
    page, asked = opened(browser, served), []
    page.on("request", lambda sent: asked.append(sent.url))
    page.click("[data-panel=series]")
    page.get_by_role("button", name="Thorax").click()
    page.wait_for_function(SHOWN, arg=["reduced"])
    page.wait_for_timeout(400)
    assert [url for url in asked if "/values/" in url] == []
    page.keyboard.press("q")
    page.wait_for_function(SHOWN, arg=["exact"])
    assert page.evaluate(BRIGHTNESS) > 240
    page.context.close()


def test_fingers_leaf_and_pinch(browser: Browser, served: House) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True)  # type: ignore[arg-type]
    served.sign_in(context)
    page = context.new_page()
    page.goto(f"{served.address}/light/{STUDY}")
    page.wait_for_function(SHOWN, arg=["exact"], timeout=20_000)
    wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not wide
    session = context.new_cdp_session(page)

    def touch(kind: str, *fingers: tuple[int, int]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(fingers)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (180, 300))
    touch("touchMove", (180, 350))
    touch("touchMove", (180, 372))
    touch("touchEnd")
    assert where(page).startswith("Image 156/300")
    lit = page.evaluate(LIT)
    touch("touchStart", (150, 300), (210, 300))
    touch("touchMove", (90, 300), (270, 300))
    touch("touchEnd")
    page.wait_for_function(f"before => ({LIT})() > before * 1.3", arg=lit)
    assert where(page).startswith("Image 156/300")
    context.close()


def test_a_dead_line_is_said_and_comes_back(browser: Browser, served: House) -> None:
    page = opened(browser, served)
    page.context.set_offline(True)
    page.keyboard.press("End")
    expect(page.locator("#notice")).to_contain_text("No connection")
    page.context.set_offline(False)
    page.wait_for_function(SHOWN, arg=["exact"], timeout=20_000)
    expect(page.locator("#notice")).to_be_hidden()
    page.context.close()


def test_the_page_speaks_chinese(browser: Browser, served: House) -> None:
    page = opened(browser, served, "zh-CN")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert "图像 151/300" in where(page)
    assert "软组织" in page.inner_text("#preset")
    page.context.close()


def test_every_refusal_of_the_room_is_worded() -> None:
    raised = {key for path in ROOM.glob("*.py") for key in RAISED.findall(path.read_text())}
    assert len(raised) > 4
    assert [key for key in raised if not wording.known(key)] == []
