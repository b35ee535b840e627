from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from playwright.sync_api import Page
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, RLELossless
from tests.imaging.objects import as_part10, uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client
from tests.imaging.video.films import ULTRASOUND, a_film, a_picture_in_colour
from tests.imaging.viewer.browsing import doctor_cookie, page_of, until

from serai.imaging.study.records import times_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
FRAMES = 12
FRAME_MS = 50


def a_cine(syntax: str) -> bytes:
    """An ultrasound run, as JPEG or RLE frames."""
    data_set = a_picture_in_colour(ULTRASOUND, "US", 64, FRAMES)
    data_set.FrameTime = FRAME_MS
    data_set.FrameIncrementPointer = 0x00181063
    pictures = [np.full((64, 64, 3), 20 * index, np.uint8) for index in range(FRAMES)]
    if syntax == JPEGBaseline8Bit:
        data_set.PhotometricInterpretation = "YBR_FULL_422"
        coded = [bytes(imagecodecs.jpeg8_encode(each, 90)) for each in pictures]
        data_set.PixelData = encapsulate(coded)
        data_set["PixelData"].is_undefined_length = True
        return as_part10(data_set, syntax)
    data_set.file_meta = None
    data_set.PixelData = np.stack(pictures).tobytes()
    return _as_rle(as_part10(data_set))


def _as_rle(content: bytes) -> bytes:
    from serai.imaging.rendering.transcoding import transcoded

    return bytes(transcoded(content, str(RLELossless)))


def place(content: bytes) -> str:
    series = f"{uid(content, 'SeriesInstanceUID')}/{uid(content)}"
    return f"/studies/{uid(content, 'StudyInstanceUID')}/films/{series}"


def shown(page: Page) -> int:
    return int(page.locator("#cine").get_attribute("data-shown") or 0)


def test_films_and_runs_play_in_the_browser(server: Server) -> None:
    film, endless = a_film("h264", 20), a_film("mpeg2video", 20)
    jpeg, rle = a_cine(JPEGBaseline8Bit), a_cine(RLELossless)
    assert Client.of(server, "county").store(film, endless, jpeg, rle).status_code == 200
    with page_of(server, doctor_cookie(server, "county")) as page:
        for each in (film, endless):
            page.goto(f"{server.url}{place(each)}")
            assert until(page, "document.getElementById('film').readyState >= 2")
            page.evaluate("document.getElementById('film').play()")
            assert until(page, "document.getElementById('film').currentTime > 0.5")
            assert page.evaluate("document.getElementById('film').videoWidth") == 64
        for each in (jpeg, rle):
            page.goto(f"{server.url}{place(each)}")
            assert until(page, "document.getElementById('cine').dataset.shown > 3")
            page.click("#play")
            stopped = shown(page)
            page.click("#on")
            assert until(page, f"document.getElementById('cine').dataset.shown != {stopped}")
            assert shown(page) == stopped % FRAMES + 1
            bright = page.evaluate(
                "document.getElementById('cine').getContext('2d').getImageData(9, 9, 1, 1).data[0]"
            )
            assert abs(bright - 20 * (shown(page) - 1)) <= 3


@pytest.mark.parametrize(
    ("attributes", "times"),
    [
        ({"00181063": {"Value": [33.3]}}, (33.3,)),
        ({"00180040": {"Value": [25]}}, (40.0,)),
        ({"00181065": {"Value": [0, 10, 20]}}, (10.0, 20.0, 20.0)),
        ({"00181063": {"Value": ["10.5/ 3"]}, "00082144": {"Value": [50]}}, (20.0,)),
        ({"00181063": {"Value": [0]}}, (40.0,)),
        ({}, (40.0,)),
    ],
)
def test_frames_stand_as_long_as_the_object_says(
    attributes: dict[str, dict[str, object]], times: tuple[float, ...]
) -> None:
    assert times_of(attributes, 3) == times
