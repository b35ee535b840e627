from __future__ import annotations

import httpx
import pytest
from tests.imaging.objects import PYDICOM_FILES, uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client
from tests.imaging.viewer.browsing import doctor_cookie, page_of, sign_in, wait_for_image

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_a_doctor_sees_the_image_and_the_hospital_next_door_does_not(server: Server) -> None:
    content = (PYDICOM_FILES / "CT_small.dcm").read_bytes()
    assert Client.of(server, "county").store(content).status_code == 200
    address = f"{server.url}/viewer/viewer?StudyInstanceUIDs={uid(content, 'StudyInstanceUID')}"
    county, township = doctor_cookie(server, "county"), doctor_cookie(server, "township")
    foreign: list[str] = []
    with page_of(server, county) as page:
        page.on("request", lambda sent: foreign.append(sent.url))
        page.goto(address)
        page.wait_for_selector("canvas", timeout=60_000)
        assert wait_for_image(page) > 60
        sign_in(page, server, township)
        page.goto(address)
        page.wait_for_url("**/viewer/notfoundstudy*", timeout=30_000)
    assert [url for url in foreign if not url.startswith((server.url, "blob:", "data:"))] == []


def test_the_viewer_needs_somebody_signed_in(server: Server) -> None:
    assert httpx.get(f"{server.url}/viewer/").status_code == 401


def test_files_are_compressed_cached_and_nothing_else_is_served(server: Server) -> None:
    headers = {"Cookie": f"serai_session={doctor_cookie(server, 'county')}"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        page = client.get("/viewer/viewer?StudyInstanceUIDs=1.2").text
        script = next(part for part in page.split('"') if "/app.bundle." in part and ".js" in part)
        answer = client.get(script)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "immutable" in answer.headers["Cache-Control"]
        assert int(answer.headers["Content-Length"]) < 5_000_000
        plain = client.get(script, headers={"Accept-Encoding": "identity"})
        assert plain.content == answer.content
        assert client.get("/viewer/no-such.bundle.js").status_code == 404
        outside = client.get("/viewer/..%2f..%2f..%2fhtmx.org%2fpackage.json")
        assert "htmx" not in outside.text
        assert "googleapis" not in page
        configuration = client.get("/viewer/app-config.js").text
        assert "/dicomweb" in configuration
