"""Apps that prove themselves by a key and act for themselves (SMART Backend Services)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from httpx import Response
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from tests.fhir.smart.conftest import HERE, Hospital, opened

from serai.platform.auth.apps.registry import App

ASSERTED = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EC = ECKey.generate_key("P-384", parameters={"kid": "ec", "alg": "ES384"})
RSA = RSAKey.generate_key(2048, parameters={"kid": "rsa", "alg": "RS384"})
# The same key, not made for one algorithm.
ANY = RSAKey.import_key(RSA.as_pem(private=True), parameters={"kid": "rsa"})
KEYS = {"keys": [EC.as_dict(private=False), RSA.as_dict(private=False)]}


def an_assertion(app: App, *, key: Any = EC, header: Any = None, **changed: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": app.id,
        "sub": app.id,
        "aud": f"{HERE}/oauth/token",
        "exp": now + 240,
        "jti": f"once-{time.monotonic_ns()}",
    } | changed
    claims = {name: value for name, value in claims.items() if value is not None}
    head = {"alg": "ES384" if isinstance(key, ECKey) else "RS384", "kid": key.kid} | (header or {})
    return jwt.encode(head, claims, key, algorithms=[head["alg"]])


async def knock(hospital: Hospital, assertion: str, **more: str) -> Response:
    form = {
        "grant_type": "client_credentials",
        "scope": "system/Observation.rs",
        "client_assertion_type": ASSERTED,
        "client_assertion": assertion,
    }
    return await hospital.client().post("/oauth/token", data=form | more)


@pytest_asyncio.fixture
async def service(hospital: Hospital) -> App:
    app, secret = await hospital.register(
        "system/Observation.rs system/Patient.r", method="private_key_jwt", jwks=KEYS,
        redirect_uris=(),
    )  # fmt: skip
    assert secret is None
    return app


async def test_a_service_reads_its_organisations_record(hospital: Hospital, service: App) -> None:
    for key in (EC, RSA):
        answer = await knock(hospital, an_assertion(service, key=key))
        assert answer.status_code == 200, answer.text
    got = answer.json()
    assert got["expires_in"] <= 300
    assert "refresh_token" not in got
    headers = {"Authorization": f"Bearer {got['access_token']}"}
    client = hospital.client()
    seen = (await client.get("/fhir/Observation", headers=headers)).json()
    assert len(seen["entry"]) == 3
    assert (await client.get("/fhir/Condition", headers=headers)).status_code == 403
    await hospital.sql("UPDATE fhir_resource SET owner = 'city' WHERE id IN ('bo', 'bo-pulse')")
    seen = (await client.get("/fhir/Observation", headers=headers)).json()
    assert {one["resource"]["id"] for one in seen["entry"]} == {"na-pulse", "na-sodium"}
    await hospital.sql("UPDATE app SET revoked_at = now()")
    assert (await client.get("/fhir/Observation", headers=headers)).status_code == 401


def bad(now: int) -> list[dict[str, Any]]:
    return [
        {"aud": "https://other.example/token"},
        {"aud": None},
        {"exp": now - 60},
        {"exp": now + 3600},
        {"exp": None},
        {"exp": "soon"},
        {"jti": None},
        {"jti": ""},
        {"sub": "somebody"},
        {"iss": "somebody", "sub": "somebody"},
        {"nbf": now + 600},
        {"iat": now + 600},
    ]


async def test_an_assertion_that_does_not_hold_opens_nothing(
    hospital: Hospital, service: App
) -> None:
    for changed in bad(int(time.time())):
        answer = await knock(hospital, an_assertion(service, **changed))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), changed


async def test_an_export_is_followed_with_the_next_token(hospital: Hospital, service: App) -> None:
    """Tokens hold five minutes, exports may take longer; another service does not see them."""
    other, _ = await hospital.register(
        "system/Observation.rs", method="private_key_jwt", jwks=KEYS, redirect_uris=()
    )
    client = hospital.client()

    async def by(app: App) -> dict[str, str]:
        got = (await knock(hospital, an_assertion(app))).json()
        return {"Authorization": f"Bearer {got['access_token']}", "Prefer": "respond-async"}

    asked = await client.get("/fhir/$export?_type=Observation", headers=await by(service))
    assert asked.status_code == 202, asked.text
    there = asked.headers["content-location"].removeprefix(HERE)
    assert (await client.get(there, headers=await by(service))).status_code == 202
    assert (await client.get(there, headers=await by(other))).status_code == 404


async def test_clocks_may_differ_by_seconds(hospital: Hospital, service: App) -> None:
    late = an_assertion(service, exp=int(time.time()) - 10, iat=int(time.time()) + 10)
    assert (await knock(hospital, late)).status_code == 200


async def test_an_assertion_is_used_once(hospital: Hospital, service: App) -> None:
    assertion = an_assertion(service)
    assert (await knock(hospital, assertion)).status_code == 200
    assert (await knock(hospital, assertion)).json()["error"] == "invalid_client"


async def test_no_other_algorithm_and_no_other_key_will_do(
    hospital: Hospital, service: App
) -> None:
    head, body, _ = an_assertion(service).split(".")
    public = json.dumps(KEYS["keys"][1]).encode()
    forged = [
        f"eyJhbGciOiJub25lIn0.{body}.",
        f"{head}.{body}.",
        jwt.encode(
            {"alg": "HS256", "kid": "rsa"},
            {
                "iss": service.id,
                "sub": service.id,
                "aud": HERE,
                "exp": time.time() + 60,
                "jti": "a",
            },
            OctKey.import_key(public),
            algorithms=["HS256"],
        ),
        an_assertion(service, key=RSAKey.generate_key(2048, parameters={"kid": "rsa"})),
        an_assertion(service, key=ANY, header={"alg": "RS256"}),
        "no.jwt.atall",
    ]
    for one in forged:
        answer = await knock(hospital, one)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), one[:60]


async def test_a_service_gets_no_more_than_it_is_registered_for(
    hospital: Hospital, service: App
) -> None:
    asked = "system/*.cruds user/Patient.rs openid"
    got = (await knock(hospital, an_assertion(service), scope=asked)).json()
    assert got["scope"] == "system/Observation.rs system/Patient.r"
    none = await knock(hospital, an_assertion(service), scope="system/Condition.rs")
    assert none.json()["error"] == "invalid_scope"


async def test_an_app_with_a_secret_does_not_act_for_itself(hospital: Hospital) -> None:
    app, secret = await hospital.register(method="client_secret_basic")
    assert secret
    answer = await hospital.client().post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "scope": "system/*.rs"},
        auth=(app.id, secret),
    )
    assert answer.json()["error"] == "unauthorized_client"


class Shelf(BaseHTTPRequestHandler):
    """Where an app keeps its public keys."""

    asked: ClassVar[list[str]] = []
    kept: ClassVar[dict[str, Any]] = KEYS

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/keys")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.kept).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def shelf() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Shelf)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Shelf.asked, Shelf.kept = [], KEYS
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest_asyncio.fixture
async def listing(database_url: str, tmp_path: Path, shelf: str) -> AsyncIterator[Hospital]:
    async with opened(database_url, tmp_path, identity_hosts=shelf) as found:
        yield found


async def _with_keys_at(hospital: Hospital, uri: str) -> App:
    app, _ = await hospital.register(
        "system/Observation.rs", method="private_key_jwt", jwks_uri=uri, redirect_uris=()
    )
    return app


async def test_keys_are_fetched_from_where_the_app_keeps_them(
    listing: Hospital, shelf: str
) -> None:
    app = await _with_keys_at(listing, f"http://{shelf}/keys")
    assert (await knock(listing, an_assertion(app))).status_code == 200
    assert (await knock(listing, an_assertion(app))).status_code == 200
    assert Shelf.asked == ["/keys"]
    new = ECKey.generate_key("P-384", parameters={"kid": "new", "alg": "ES384"})
    Shelf.kept = {"keys": [new.as_dict(private=False)]}
    changed = an_assertion(app, key=new)
    assert (await knock(listing, changed)).status_code == 200
    assert (await knock(listing, an_assertion(app))).status_code == 401
    moved = await _with_keys_at(listing, f"http://{shelf}/elsewhere")
    assert (await knock(listing, an_assertion(moved, key=new))).status_code == 401


async def test_no_key_is_fetched_from_our_own_network(hospital: Hospital, shelf: str) -> None:
    for uri in (f"http://{shelf}/keys", f"http://localhost:{shelf.partition(':')[2]}/keys"):
        app = await _with_keys_at(hospital, uri)
        answer = await knock(hospital, an_assertion(app))
        assert answer.json()["error"] == "invalid_client"
    assert Shelf.asked == []
