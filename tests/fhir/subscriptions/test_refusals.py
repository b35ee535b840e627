"""What cannot be subscribed to is refused at once, with the place."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.fhir.subscriptions.conftest import HOST, subscription

from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import endpoints
from serai.fhir.subscriptions.guarding import register_guards
from serai.kernel.errors import Invalid
from serai.platform.addresses import Endpoint

PUBLIC = "https://example.org/hook"
CRITERIA, ENDPOINT = "Subscription.criteria", "Subscription.channel.endpoint"
TYPE, HEADER = "Subscription.channel.type", "Subscription.channel.header"

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no such type", {"criteria": "Patience?name=x"}, CRITERIA),
    ("no such parameter", {"criteria": "Patient?nme=x"}, CRITERIA),
    ("a result parameter", {"criteria": "Patient?_count=1"}, CRITERIA),
    ("a chain", {"criteria": "Observation?subject:Patient.name=x"}, CRITERIA),
    ("a reverse chain", {"criteria": "Patient?_has:Observation:patient:code=x"}, CRITERIA),
    ("an unknown topic", {"criteria": "http://example.org/topic"}, CRITERIA),
    ("a channel not offered", {"channel": {"type": "sms"}}, TYPE),
    ("no endpoint", {"channel": {"endpoint": None}}, ENDPOINT),
    ("another scheme", {"channel": {"endpoint": "ftp://example.org/"}}, ENDPOINT),
    ("a user in the address", {"channel": {"endpoint": "https://a:b@example.org/"}}, ENDPOINT),
    ("localhost", {"channel": {"endpoint": "http://db.localhost:8000/"}}, ENDPOINT),
    ("loopback", {"channel": {"endpoint": "http://127.0.0.2/"}}, ENDPOINT),
    ("IPv6 loopback", {"channel": {"endpoint": "http://[::1]/"}}, ENDPOINT),
    ("mapped loopback", {"channel": {"endpoint": "http://[::ffff:127.0.0.1]/"}}, ENDPOINT),
    ("translated private", {"channel": {"endpoint": "http://[64:ff9b::10.0.0.1]/"}}, ENDPOINT),
    ("a private network", {"channel": {"endpoint": "http://10.1.2.3/"}}, ENDPOINT),
    ("cloud metadata", {"channel": {"endpoint": "http://169.254.169.254/"}}, ENDPOINT),
    ("another payload", {"channel": {"payload": "text/plain"}}, "Subscription.channel.payload"),
    ("the host header", {"channel": {"header": ["Host: inside"]}}, HEADER),
    ("a smuggled header", {"channel": {"header": ["X: a\r\nY: b"]}}, HEADER),
    ("a status of the server", {"status": "active"}, "Subscription.status"),
]


@pytest.mark.parametrize(
    ("changes", "place"), [one[1:] for one in BAD], ids=[one[0] for one in BAD]
)
async def test_a_bad_subscription_is_refused_with_the_place(
    fhir: httpx.AsyncClient, changes: dict[str, Any], place: str
) -> None:
    asked = subscription("Patient?name=x", PUBLIC)
    channel = {**asked["channel"], **changes.get("channel", {})}
    channel = {name: value for name, value in channel.items() if value is not None}
    answer = await fhir.post("Subscription", json={**asked, **changes, "channel": channel})
    assert answer.status_code in (400, 422), answer.text
    (issue,) = answer.json()["issue"]
    assert issue["expression"] == [place]
    assert (await fhir.get("Subscription?_summary=count")).json()["total"] == 0


async def test_a_private_host_is_told_only_when_the_setting_names_it(
    fhir: httpx.AsyncClient,
) -> None:
    for address, status in ((HOST, 201), ("127.0.0.3", 422)):
        asked = subscription("Patient", f"http://{address}:9/hook")
        assert (await fhir.post("Subscription", json=asked)).status_code == status


def test_by_default_no_private_host_is_allowed() -> None:
    register_guards(FhirStore())
    with pytest.raises(Invalid, match="private-endpoint"):
        endpoints.read(f"http://{HOST}/", frozenset())


@pytest.mark.parametrize("host", ["2130706433", "localhost", "0x7f.1"])
async def test_a_name_that_leads_inside_is_refused_when_it_is_told(host: str) -> None:
    found = Endpoint(f"http://{host}/", "http", host, 80)
    with pytest.raises(Invalid, match="private-endpoint"):
        await endpoints.resolve(found, frozenset())
