"""`serai provider`: the identity providers at which organisations' people sign in."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from serai.cli.database import opened_database, require
from serai.cli.settings import read_settings
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform import audit
from serai.platform.auth import accounts, providers
from serai.platform.auth.providers import Provider
from serai.platform.db import Connection
from serai.platform.encryption.keyring import Keyring
from serai.web.provider import PATH

command = typer.Typer(no_args_is_help=True)
T = TypeVar("T")

ProviderId = Annotated[str, typer.Argument(help="As `serai provider list` shows it.")]


@command.callback()
def provider() -> None:
    """Identity providers at which an organisation's people sign in (OpenID Connect)."""


@command.command()
def add(
    organisation: Annotated[str, typer.Argument(help="Id of the Organization.")],
    issuer: Annotated[str, typer.Option(help="Its address, as it calls itself.")],
    client_id: Annotated[str, typer.Option(help="What it calls this server.")],
    name: Annotated[str, typer.Option(help="What people call it.")],
    two_factors: Annotated[
        str, typer.Option(help="acr and amr values that mean two factors there, with commas.")
    ] = "",
    *,
    secret: Annotated[
        bool, typer.Option("--secret", help="Read the client's secret from standard input.")
    ] = False,
) -> None:
    """Offer it at the sign-in; prints the redirect address to register there."""
    settings = read_settings()
    typed = sys.stdin.readline().strip() if secret else None

    async def act(tx: Connection) -> Provider:
        await require(tx, "Organization", organisation)
        made = await providers.add(
            tx,
            organisation=organisation,
            name=name,
            issuer=issuer,
            client_id=client_id,
            secret=typed,
            two_factors=tuple(one.strip() for one in two_factors.split(",") if one.strip()),
            keys=Keyring.of(settings),
            now=utc_now(),
        )
        await _note(tx, "provider.add", f"provider/{made.id}")
        return made

    made = _in_transaction(act)
    typer.echo(made.id)
    typer.echo(f"{settings.public_url}{PATH.replace('{provider}', made.id)}/back")


@command.command("list")
def listed() -> None:
    """Print what is offered: id, organisation, issuer, name."""
    for one in _in_transaction(providers.everyone):
        typer.echo(f"{one.id}  {one.organisation}  {one.issuer}  {one.name}")


@command.command()
def remove(id: ProviderId) -> None:
    """Nobody signs in there any more; sessions that are open go on."""

    async def act(tx: Connection) -> None:
        await providers.remove(tx, id, utc_now())
        await _note(tx, "provider.remove", f"provider/{id}")

    _in_transaction(act)


@command.command()
def link(
    id: ProviderId,
    login: Annotated[str, typer.Argument(help="The account here.")],
    subject: Annotated[str, typer.Option(help="The `sub` there; never a name or an address.")],
) -> None:
    """Say who somebody is there, where they cannot do so themselves."""

    async def act(tx: Connection) -> None:
        account = await accounts.find_account(tx, login)
        await providers.link(tx, await providers.find(tx, id), subject, account, utc_now())
        await _note(tx, "provider.link", f"account/{account.id}")

    _in_transaction(act)


async def _note(tx: Connection, act: str, resource: str) -> None:
    await audit.record(tx, actor=serai_itself, act=act, at=utc_now(), resource=resource)


def _in_transaction(act: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened_database(read_settings()) as db, db.transaction() as tx:
            return await act(tx)

    return asyncio.run(run())
