"""`serai app`: register, list and revoke apps; change the key that identities are signed with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from serai.cli.database import opened_database, require
from serai.cli.settings import read_settings
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed
from serai.platform import audit
from serai.platform.auth.apps import registry, signing
from serai.platform.auth.apps.registry import METHODS, App, Wanted
from serai.platform.db import Connection
from serai.platform.encryption.keyring import Keyring

command = typer.Typer(no_args_is_help=True)
T = TypeVar("T")

AppId = Annotated[str, typer.Argument(help="Client id, as `serai app list` shows it.")]


@command.callback()
def app() -> None:
    """Apps that act for people, or for themselves (SMART on FHIR)."""


@command.command()
def register(
    name: Annotated[str, typer.Argument(help="What people see when it asks.")],
    scopes: Annotated[str, typer.Option(help="All it may ask for, in one text.")],
    method: Annotated[str, typer.Option(help=" | ".join(METHODS))] = "none",
    redirect: Annotated[list[str] | None, typer.Option(help="Where it is sent back to.")] = None,
    launch: Annotated[str | None, typer.Option(help="Where a chart opens it.")] = None,
    organisation: Annotated[
        str | None, typer.Option(help="Id of the Organization; without, the whole network's.")
    ] = None,
    jwks: Annotated[Path | None, typer.Option(help="File with its public keys (JWK set).")] = None,
    jwks_uri: Annotated[str | None, typer.Option(help="Address of its public keys.")] = None,
) -> None:
    """Register an app and print its client id and, once, its secret."""
    wanted = Wanted(
        name=name,
        method=method,
        scopes=scopes,
        redirect_uris=tuple(redirect or ()),
        organisation=organisation,
        launch_uri=launch,
        jwks=_keys(jwks) if jwks else None,
        jwks_uri=jwks_uri,
    )

    async def act(tx: Connection) -> tuple[App, str | None]:
        if organisation is not None:
            await require(tx, "Organization", organisation)
        made, secret = await registry.register(tx, wanted, now=utc_now())
        await _note(tx, "app.register", f"app/{made.id}")
        return made, secret

    made, secret = _in_transaction(act)
    typer.echo(f"client id: {made.id}")
    if secret:
        typer.echo(f"secret: {secret}")


@command.command("list")
def listed(
    organisation: Annotated[str | None, typer.Option(help="Of this Organization alone.")] = None,
) -> None:
    """Print what is registered: id, state, how it proves itself, name."""
    for one in _in_transaction(lambda c: registry.listed(c, organisation)):
        state = "revoked" if one.revoked_at else "open"
        typer.echo(f"{one.id}  {state}  {one.method}  {one.name}")


@command.command()
def revoke(id: AppId) -> None:
    """Whatever the app was given ends at once."""

    async def act(tx: Connection) -> None:
        await registry.revoke(tx, id, utc_now())
        await _note(tx, "app.end", f"app/{id}")

    _in_transaction(act)


@command.command("rotate-key")
def rotate_key() -> None:
    """Sign identities with a new key from now on; the old one is shown for two more days."""

    async def act(tx: Connection) -> None:
        await signing.rotate(tx, keys=Keyring.of(read_settings()), now=utc_now())
        await _note(tx, "key.rotate", "signing-key")

    _in_transaction(act)


def _keys(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise Malformed("app.keys") from error


async def _note(tx: Connection, act: str, resource: str) -> None:
    await audit.record(tx, actor=serai_itself, act=act, at=utc_now(), resource=resource)


def _in_transaction(act: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened_database(read_settings()) as db, db.transaction() as tx:
            return await act(tx)

    return asyncio.run(run())
