"""Apps made with the libraries that app makers use: `fhirclient` from npm in a browser, opened
from a chart and by itself, and `fhirclient` from PyPI."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fhirclient import client as fhirclient
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from playwright.sync_api import Page, expect
from tests.chromium import launched, signed_in
from tests.fhir.smart.serving import registered, serving, site

SCREEN = {"width": 1300, "height": 900}
LIBRARY = Path("node_modules/fhirclient/build/fhir-client.js")
SCOPES = (
    "launch launch/patient openid fhirUser online_access offline_access patient/Patient.rs "
    "patient/Observation.rs"
)

START = """<!doctype html><script src="fhir-client.js"></script><script>
FHIR.oauth2.authorize({"clientId": "CLIENT", "scope": "ASKED", "redirectUri": "index.html",
  "pkceMode": "required" ISS}).catch(error => { document.title = String(error); });
</script>"""

SHOW = """<!doctype html><body></body><script src="fhir-client.js"></script><script>
FHIR.oauth2.ready().then(async client => {
  const before = client.state.tokenResponse.access_token;
  const patient = await client.patient.read();
  const found = await client.request("Observation?_sort=_id");
  await client.refresh();
  const again = await client.request("Patient/na");
  let foreign;
  try { await client.request("Patient/bo"); } catch (error) { foreign = error.status; }
  document.body.textContent = JSON.stringify({
    patient: patient.id, user: client.user.fhirUser, foreign, again: again.id,
    observations: found.entry.map(entry => entry.resource.id),
    refreshed: before !== client.state.tokenResponse.access_token });
}).catch(error => { document.body.textContent = "failed: " + error; });
</script>"""


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[str]:
    with serving(database_url, tmp_path) as address:
        yield address


def told(page: Page) -> dict[str, Any]:
    """What the app shows when it has got in."""
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.locator("body")).to_contain_text("refreshed", timeout=8_000)
    found: dict[str, Any] = json.loads(page.inner_text("body"))
    assert found == {
        "patient": "na",
        "user": "Practitioner/li",
        "foreign": 404,
        "again": "na",
        "observations": ["na-pulse", "na-sodium"],
        "refreshed": True,
    }
    return found


def test_an_app_in_the_browser_is_opened_from_a_chart_and_by_itself(
    server: str, database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    shutil.copy(LIBRARY, folder)
    with site(folder) as there, launched() as browser:
        app = registered(
            database_url,
            SCOPES,
            redirect_uris=(f"{there}/index.html",),
            launch_uri=f"{there}/launch.html",
        )
        start = START.replace("CLIENT", app.id)
        plain = SCOPES.replace("launch launch/patient", "launch").replace("offline_access ", "")
        (folder / "launch.html").write_text(start.replace("ASKED", plain).replace("ISS", ""))
        alone = SCOPES.replace("launch launch/patient", "launch/patient")
        alone = alone.replace("online_access ", "")
        own = start.replace("ASKED", alone).replace("ISS", f', "iss": "{server}/fhir"')
        (folder / "alone.html").write_text(own)
        (folder / "index.html").write_text(SHOW)

        chart = signed_in(browser, server, SCREEN, "en-GB", login="li", at="/patients/na")
        with chart.context.expect_page() as opened:
            chart.get_by_role("link", name="Growth charts").click()
        expect(opened.value.locator("#patient")).to_contain_text("na")
        told(opened.value)

        stranger = browser.new_context(locale="zh-CN").new_page()
        stranger.goto(f"{there}/alone.html")
        stranger.fill("[name=login]", "li")
        stranger.fill("[name=password]", "caravanserai-demo")
        stranger.click("main button")
        stranger.get_by_role("link", name="na", exact=True).click()
        expect(stranger.locator("legend")).to_have_text("允许其")
        stranger.get_by_role("button", name="允许", exact=True).click()
        expect(stranger.locator("body")).to_contain_text("refreshed", timeout=8_000)
        assert json.loads(stranger.inner_text("body"))["refreshed"] is True

        account = stranger.context.new_page()
        account.goto(f"{server}/account")
        expect(account.locator("text=Growth charts")).to_have_count(2)


def test_a_python_program_gets_in_and_stays_in(server: str, database_url: str) -> None:
    back = "http://localhost:9/back"
    app = registered(database_url, SCOPES, redirect_uris=(back,))
    program = fhirclient.FHIRClient(
        settings={
            "app_id": app.id,
            "api_base": f"{server}/fhir",
            "redirect_uri": back,
            "scope": "launch/patient openid offline_access patient/Patient.rs "
            "patient/Observation.rs",
        }
    )
    program.prepare()
    program.handle_callback(_allowed(server, program.authorize_url))
    assert program.patient_id == "na"
    assert Patient.read("na", program.server).id == "na"
    found = Observation.where({"subject": "Patient/na"}).perform_resources_iter(program.server)
    assert {one.id for one in found} == {"na-pulse", "na-sodium"}
    before = program.server.auth.access_token
    assert program.reauthorize()
    assert program.server.auth.access_token != before
    assert Patient.read("na", program.server).id == "na"


def _allowed(server: str, address: str) -> str:
    """A person's browser, from the app's address to the app's address."""
    with httpx.Client(base_url=server) as browser:
        browser.post("/signin", data={"login": "li", "password": "caravanserai-demo"})
        parts = urlsplit(address)
        ask = browser.get(f"{parts.path}?{parts.query}").headers["location"]
        page = browser.get(ask, params={"patient": "na"}).text
        csrf = re.search(r'name="_csrf" value="([^"]+)"', page)
        assert csrf
        scopes = re.findall(r'name="scope" value="([^"]+)"', page)
        data = {"_csrf": csrf[1], "answer": "allow", "patient": "na", "scope": scopes}
        return browser.post(ask, data=data).headers["location"]
