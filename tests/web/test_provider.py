"""Signing in at the organisation's own identity provider: a second server of ours, over HTTP, is
the provider (OpenID Connect Core §3.1)."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
import uvicorn
from httpx import ASGITransport, AsyncClient, Response
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette

from serai.app import create_app
from serai.kernel.clock import utc_now
from serai.kernel.errors import SeraiError, Unauthenticated
from serai.platform.auth import policy, providers, relying
from serai.platform.auth.accounts import create_account, find_account
from serai.platform.auth.apps import fetching, registry
from serai.platform.auth.apps.registry import Wanted
from serai.platform.auth.policy import RolePolicy
from serai.platform.auth.providers import Provider
from serai.platform.auth.relying import Way
from serai.platform.db import Database
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.sealing import sealed
from serai.platform.postgres import Cluster
from serai.platform.settings import Settings
from serai.web.application import page_app

PASSWORD = "caravanserai-demo"
HERE = "http://localhost"


async def an_account(db: Database, login: str, organisation: str = "county") -> str:
    async with db.transaction() as tx:
        made = await create_account(
            tx, login=login, password=PASSWORD, name=login, role="doctor",
            organisation=organisation,
        )  # fmt: skip
    return made.id


@dataclass
class There:
    """The provider: its address, its own database, what it calls us and our secret there."""

    address: str
    client_id: str
    secret: str
    subjects: dict[str, str]


@pytest.fixture
def there(cluster: Cluster, tmp_path: Path) -> Iterator[There]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    name, address = f"test_{uuid4().hex}", f"http://127.0.0.1:{port}"
    url = cluster.url.replace("/serai?", f"/{name}?")
    with psycopg.connect(cluster.url.replace("/serai?", "/postgres?"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE serai STRATEGY file_copy")
        with ThreadPoolExecutor() as other:
            found = other.submit(lambda: asyncio.run(_furnished(url, address))).result()
        app = create_app(Settings(home=tmp_path / "there", base_url=address), url)
        server = uvicorn.Server(uvicorn.Config(app, port=port, ws="none", log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield found
        server.should_exit = True
        thread.join()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _furnished(url: str, address: str) -> There:
    db = await Database.open(url, max_size=2)
    subjects = {login: await an_account(db, login) for login in ("li", "mallory")}
    async with db.transaction() as tx:
        wanted = Wanted(
            "County hospital",
            "client_secret_basic",
            "openid profile",
            redirect_uris=(f"{HERE}/signin/with/county/back",),
        )
        app, secret = await registry.register(tx, wanted, now=utc_now())
    await db.close()
    assert secret
    return There(address, app.id, secret, subjects)


@dataclass
class House:
    """Our side: a few pages behind the real middleware, and people's browsers."""

    app: Starlette
    db: Database
    there: There
    provider: Provider

    def browser(self) -> AsyncClient:
        return AsyncClient(transport=ASGITransport(self.app), base_url=HERE)

    async def signed_in(self, login: str = "li.wei") -> AsyncClient:
        client = self.browser()
        answer = await client.post("/signin", data={"login": login, "password": PASSWORD})
        assert answer.status_code == 303
        return client

    async def linked(self, login: str = "li.wei", subject: str = "li") -> None:
        async with self.db.transaction() as tx:
            account = await find_account(tx, login)
            await providers.link(
                tx, self.provider, self.there.subjects[subject], account, utc_now()
            )

    async def count(self, table: str) -> int:
        async with self.db.connection() as c:
            row = await (await c.execute(f"SELECT count(*) FROM {table}")).fetchone()  # noqa: S608
            return int(row[0]) if row else 0


@pytest_asyncio.fixture
async def house(db: Database, there: There, tmp_path: Path, keys: Keyring) -> House:
    settings = Settings(
        home=tmp_path, base_url=HERE, identity_hosts=there.address.removeprefix("http://")
    )
    for login in ("li.wei", "chen"):
        await an_account(db, login)
    made = Provider(
        "county", "county", "County", there.address, there.client_id, None,
        ("https://refeds.org/profile/mfa",),
    )  # fmt: skip
    async with db.transaction() as tx:
        provider = await providers.add(
            tx, organisation="county", name="County", issuer=made.issuer,
            client_id=made.client_id, secret=there.secret, two_factors=made.two_factors, keys=keys,
            now=utc_now(),
        )  # fmt: skip
        # The address that is registered there names it; a sealed secret belongs to its holder.
        await tx.execute(
            "UPDATE identity_provider SET id = 'county', sealed = %s",
            (await sealed(keys, there.secret.encode(), providers.place_of_secret("county")),),
        )
    assert provider.issuer == there.address
    app = page_app([], db=db, settings=settings)
    app.state.keys = keys
    return House(app, db, there, made)


async def at_the_provider(address: str, login: str) -> str:
    """What somebody's browser does there; the address that it is sent back to."""
    parts = urlsplit(address)
    async with AsyncClient(base_url=f"{parts.scheme}://{parts.netloc}") as browser:
        page = await browser.get(f"{parts.path}?{parts.query}")
        ask = page.headers["location"]
        await browser.post("/signin", data={"login": login, "password": PASSWORD})
        asked = await browser.get(ask)
        csrf = re.search(r'name="_csrf" value="([^"]+)"', asked.text)
        assert csrf, asked.text
        answer = await browser.post(
            ask, data={"_csrf": csrf[1], "answer": "allow", "scope": ["profile"]}
        )
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]


async def went_there(client: AsyncClient, login: str = "li", path: str = "") -> Response:
    led = await client.get(path or "/signin/with/county?next=/account")
    assert led.status_code == 303, led.text
    return await client.get(await at_the_provider(led.headers["location"], login))


async def test_who_is_linked_is_signed_in(house: House) -> None:
    await house.linked()
    client = house.browser()
    assert "Sign in at County" in (await client.get("/signin")).text
    answer = await went_there(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "li.wei" in (await client.get("/account")).text


async def test_who_is_not_linked_stays_out_whatever_their_name(house: House) -> None:
    await an_account(house.db, "mallory")
    client = house.browser()
    answer = await went_there(client, "mallory")
    assert answer.headers["location"] == "/signin"
    assert (await client.get("/account")).status_code == 303
    assert await house.count("account_session") == 0


async def test_the_holder_links_the_account_and_nobody_else(house: House) -> None:
    client = await house.signed_in()
    answer = await went_there(client, path="/account/providers/county/link")
    assert answer.headers["location"] == "/account"
    assert await house.count("identity_link") == 1
    other = await house.signed_in("chen")
    led = await other.get("/account/providers/county/link")
    stolen = await at_the_provider(led.headers["location"], "mallory")
    # Somebody else's way back, in another browser: neither has what the other needs.
    assert (await client.get(stolen)).headers["location"] == "/signin"
    assert (await house.browser().get(stolen)).headers["location"] == "/signin"
    assert await house.count("identity_link") == 1
    cross = await client.get(
        "/account/providers/county/link", headers={"sec-fetch-site": "cross-site"}
    )
    assert cross.status_code == 403


async def test_a_role_that_needs_two_factors_needs_them_here_too(house: House) -> None:
    """One password there is one factor here."""
    await house.linked()
    async with house.db.transaction() as tx:
        await policy.set_policy(tx, RolePolicy("doctor", two_factors=True))
    answer = await went_there(house.browser())
    assert answer.headers["location"] == "/account/factors"


async def test_two_factors_there_count_when_the_hospital_says_so(house: House) -> None:
    await house.linked()
    async with house.db.transaction() as tx:
        await policy.set_policy(tx, RolePolicy("doctor", two_factors=True))
        await tx.execute("UPDATE identity_provider SET two_factors = '{pwd}'")
    answer = await went_there(house.browser())
    assert answer.headers["location"] == "/account"


async def test_a_fresh_proof_can_be_given_there(house: House) -> None:
    await house.linked()
    client = await house.signed_in()
    async with house.db.connection() as c:
        await c.execute("UPDATE account_session SET proved_at = now() - interval '1 hour'")
    assert "Prove it at County" in (await client.get("/signin/again")).text
    before = client.cookies["serai_session"]
    await went_there(client, path="/signin/with/county?again=1&next=/account/factors")
    assert client.cookies["serai_session"] != before
    assert await house.count("account_session") == 1
    async with house.db.connection() as c:
        rows = await c.execute(
            "SELECT now() - proved_at < interval '1 minute' FROM account_session"
        )
        assert await rows.fetchall() == [(True,)]


async def test_an_answer_that_was_changed_on_the_way_is_refused(house: House) -> None:
    """State, issuer (mix-up), a second use, and an answer that this browser did not ask for."""
    await house.linked()
    client = house.browser()
    for old, new in (("state=", "state=x"), ("iss=http", "iss=https"), ("code=", "code=x")):
        led = await client.get("/signin/with/county")
        back = await at_the_provider(led.headers["location"], "li")
        answer = await client.get(back.replace(old, new, 1))
        assert answer.headers["location"] == "/signin", old
    without = re.sub(r"iss=[^&]+&?", "", back)
    assert (await client.get(without)).headers["location"] == "/signin"
    good = await went_there(client)
    assert good.headers["location"] == "/account"
    assert (await house.browser().get(back)).headers["location"] == "/signin"
    assert parse_qs(urlsplit(back).query)["state"]


async def test_a_provider_in_our_own_network_must_be_listed(house: House, db: Database) -> None:
    house.app.state.settings = Settings(home=house.app.state.settings.home, base_url=HERE)
    fetching.forget(house.there.address + "/.well-known/openid-configuration")
    assert (await house.browser().get("/signin/with/county")).status_code == 403


OURS = RSAKey.generate_key(2048, parameters={"kid": "one"})
WAY = Way(
    Provider("p", "county", "P", "https://idp.example", "client", None, ("mfa",)),
    f"{HERE}/back",
    frozenset(),
    "a secret",
)


def a_token(key: Any = OURS, alg: str = "RS256", **changed: Any) -> str:
    now = int(utc_now().timestamp())
    claims = {
        "iss": "https://idp.example",
        "aud": "client",
        "sub": "somebody",
        "iat": now,
        "exp": now + 300,
        "nonce": WAY.nonce,
    } | changed
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": "one"}, claims, key, algorithms=[alg])


PAST = int(time.time()) - 3600
WRONG: list[dict[str, Any]] = [
    {"iss": "https://evil.example"}, {"aud": "other"}, {"aud": ["client", "other"]},
    {"aud": ["client", "other"], "azp": "other"}, {"azp": "other"}, {"nonce": "x"},
    {"nonce": None}, {"exp": PAST}, {"exp": None}, {"iat": PAST}, {"iat": PAST + 7200},
    {"sub": None}, {"sub": ""}, {"sub": "x" * 300}, {"auth_time": "now"},
    {"key": RSAKey.generate_key(2048, parameters={"kid": "one"})},
    {"key": OctKey.import_key(str(OURS.as_dict(private=False))), "alg": "HS256"},
]  # fmt: skip


def test_an_identity_token_is_checked_in_full() -> None:
    keys = KeySet.import_key_set({"keys": [OURS.as_dict(private=False)]})
    said = relying.said(WAY, keys, a_token(amr=["pwd", "mfa"]), now=utc_now())
    assert (said.subject, said.two_factors) == ("somebody", True)
    for changed in WRONG:
        with pytest.raises(Unauthenticated):
            relying.said(WAY, keys, a_token(**changed), now=utc_now())
    head, body, _ = a_token().split(".")
    for forged in (f"eyJhbGciOiJub25lIn0.{body}.", f"{head}.{body}.", "", "a.b.c"):
        with pytest.raises(SeraiError):
            relying.said(WAY, keys, forged, now=utc_now())
