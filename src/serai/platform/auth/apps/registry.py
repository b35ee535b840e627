"""Registered apps: how each proves itself, where answers may go, what it may ask for at most."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from psycopg.types.json import Jsonb

from serai.kernel.errors import Invalid, Malformed, NotFound
from serai.kernel.ids import new_id
from serai.platform.addresses import NotAnAddress, is_plainly_ours, read
from serai.platform.auth.apps.scoping import known_words
from serai.platform.auth.secrets import fingerprint, new_secret
from serai.platform.db import Connection

METHODS = ("none", "client_secret_basic", "private_key_jwt")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# An app's own scheme on a telephone is a name of its maker, read backwards (RFC 8252 §7.1).
PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:/\S*", re.ASCII)

COLUMNS = """id, name, organisation, method, secret_sha256, jwks, jwks_uri, redirect_uris, origins,
    launch_uri, scopes, registered_at, revoked_at"""
INSERT = f"""INSERT INTO app ({COLUMNS})
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, NULL)"""  # noqa: S608
ONE = f"SELECT {COLUMNS} FROM app WHERE id = %s"  # noqa: S608
OF = f"""SELECT {COLUMNS} FROM app WHERE %(all)s OR organisation = %(organisation)s
    ORDER BY revoked_at IS NOT NULL, name, id"""  # noqa: S608
LAUNCHABLE = f"""SELECT {COLUMNS} FROM app WHERE launch_uri IS NOT NULL AND revoked_at IS NULL
    AND (organisation IS NULL OR organisation = %s) ORDER BY name, id"""  # noqa: S608
REVOKE = "UPDATE app SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL"
ORIGINS = "SELECT DISTINCT unnest(origins) FROM app WHERE revoked_at IS NULL"


@dataclass(frozen=True, slots=True)
class App:
    """`method` is how it proves itself at the token endpoint; `organisation` None is the whole
    network's."""

    id: str
    name: str
    organisation: str | None
    method: str
    secret_sha256: bytes | None
    jwks: dict[str, Any] | None
    jwks_uri: str | None
    redirect_uris: tuple[str, ...]
    origins: tuple[str, ...]
    launch_uri: str | None
    scopes: frozenset[str]
    registered_at: datetime
    revoked_at: datetime | None

    @property
    def is_service(self) -> bool:
        """Whether it acts for itself (SMART Backend Services)."""
        return self.method == "private_key_jwt" and any(
            one.startswith("system/") for one in self.scopes
        )

    def knows(self, secret: str) -> bool:
        kept = self.secret_sha256
        return kept is not None and hmac.compare_digest(kept, fingerprint(secret))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody registers."""

    name: str
    method: str
    scopes: str
    redirect_uris: tuple[str, ...] = ()
    organisation: str | None = None
    launch_uri: str | None = None
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None


async def register(tx: Connection, wanted: Wanted, *, now: datetime) -> tuple[App, str | None]:
    """The app and, where it proves itself by one, its secret, shown once."""
    _require_sound(wanted)
    secret = new_secret() if wanted.method == "client_secret_basic" else None
    origins = _origins(wanted.redirect_uris) if wanted.method == "none" else ()
    app = App(
        new_id(),
        wanted.name.strip(),
        wanted.organisation,
        wanted.method,
        fingerprint(secret) if secret else None,
        wanted.jwks,
        wanted.jwks_uri,
        wanted.redirect_uris,
        origins,
        wanted.launch_uri,
        known_words(wanted.scopes),
        now,
        None,
    )
    row = (app.id, app.name, app.organisation, app.method, app.secret_sha256)
    keys = (Jsonb(app.jwks) if app.jwks else None, app.jwks_uri)
    places = (list(app.redirect_uris), list(app.origins), app.launch_uri, sorted(app.scopes))
    await tx.execute(INSERT, (*row, *keys, *places, now))
    return app, secret


async def find(c: Connection, id: str) -> App | None:
    """Also a revoked one; None when there is none of this id."""
    row = await (await c.execute(ONE, (id,))).fetchone() if "\0" not in id else None
    return _app(row) if row else None


async def usable(c: Connection, id: str) -> App | None:
    app = await find(c, id)
    return app if app and app.revoked_at is None else None


async def listed(c: Connection, organisation: str | None) -> list[App]:
    """Those of an organisation; of everybody when None is asked for."""
    values = {"all": organisation is None, "organisation": organisation}
    return [_app(row) for row in await (await c.execute(OF, values)).fetchall()]


async def launchable(c: Connection, organisation: str | None) -> list[App]:
    """Those that can be opened from a patient's chart there."""
    return [_app(row) for row in await (await c.execute(LAUNCHABLE, (organisation,))).fetchall()]


async def revoke(tx: Connection, id: str, now: datetime) -> None:
    """Everything it was given ends with it."""
    if not (await tx.execute(REVOKE, (now, id))).rowcount:
        raise NotFound("app.unknown", id=id[:40])


async def origins(c: Connection) -> frozenset[str]:
    """Web pages whose scripts may call this server."""
    return frozenset([row[0] for row in await (await c.execute(ORIGINS)).fetchall()])


def _require_sound(wanted: Wanted) -> None:
    if not wanted.name.strip() or len(wanted.name) > 200:
        raise Invalid("app.name")
    if wanted.method not in METHODS:
        raise Invalid("app.method", method=wanted.method[:40], known=", ".join(METHODS))
    scopes = known_words(wanted.scopes)
    if any(one.startswith("system/") for one in scopes) and wanted.method != "private_key_jwt":
        raise Invalid("app.service-needs-key")
    if not wanted.redirect_uris and not all(one.startswith("system/") for one in scopes):
        raise Invalid("app.no-redirect")
    for uri in wanted.redirect_uris:
        _require_redirect(uri)
    if wanted.launch_uri is not None:
        _require_web(wanted.launch_uri)
    _require_keys(wanted)


def _require_keys(wanted: Wanted) -> None:
    given = (wanted.jwks is not None) + (wanted.jwks_uri is not None)
    if given != (1 if wanted.method == "private_key_jwt" else 0):
        raise Invalid("app.keys")
    if wanted.jwks is not None:
        try:
            keys = KeySet.import_key_set(wanted.jwks)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Malformed("app.keys") from error
        if not keys.keys or any(key.is_private for key in keys.keys):
            raise Invalid("app.keys")
    if wanted.jwks_uri is not None:
        try:
            endpoint = read(wanted.jwks_uri)
        except NotAnAddress as error:
            raise Invalid("app.address", address=wanted.jwks_uri[:200]) from error
        if endpoint.scheme != "https" and not is_plainly_ours(endpoint.host):
            raise Invalid("app.address", address=wanted.jwks_uri[:200])


def _require_redirect(uri: str) -> None:
    if not PRIVATE_SCHEME.fullmatch(uri):
        _require_web(uri)


def _require_web(uri: str) -> None:
    """https, or this machine's own address for an app under development (RFC 8252 §7.3)."""
    try:
        endpoint = read(uri)
    except NotAnAddress as error:
        raise Invalid("app.address", address=uri[:200]) from error
    wild = "*" in uri or ".." in uri
    if wild or (endpoint.scheme != "https" and endpoint.host not in LOOPBACK):
        raise Invalid("app.address", address=uri[:200])


def _origins(uris: Iterable[str]) -> tuple[str, ...]:
    parts = [urlsplit(uri) for uri in uris]
    return tuple(sorted({f"{one.scheme}://{one.netloc}" for one in parts if one.netloc}))


def _app(row: tuple[Any, ...]) -> App:
    id, name, organisation, method, secret, jwks, jwks_uri, redirects, origins, *rest = row
    launch_uri, scopes, registered_at, revoked_at = rest
    return App(
        id,
        name,
        organisation,
        method,
        bytes(secret) if secret is not None else None,
        jwks,
        jwks_uri,
        tuple(redirects),
        tuple(origins),
        launch_uri,
        frozenset(scopes),
        registered_at,
        revoked_at,
    )
