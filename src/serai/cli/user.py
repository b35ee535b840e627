"""`serai user`: opening, listing and closing accounts of staff."""

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
from serai.kernel.errors import Invalid
from serai.platform import audit
from serai.platform.auth import accounts
from serai.platform.auth.accounts import Account
from serai.platform.auth.roles import ROLES
from serai.platform.db import Connection

T = TypeVar("T")

command = typer.Typer(no_args_is_help=True, help="Accounts of staff.")


@command.command()
def add(
    login: str,
    name: Annotated[str, typer.Option(help="The person's name, as others see it.")],
    role: Annotated[str, typer.Option(help=" | ".join(ROLES))],
    organisation: Annotated[str, typer.Option(help="Id of the Organization the person acts for.")],
    practitioner: Annotated[
        str | None, typer.Option(help="Id of the person's Practitioner.")
    ] = None,
) -> None:
    """Open an account; the password comes from a prompt or from standard input."""

    async def act(tx: Connection) -> Account:
        await require(tx, "Organization", organisation)
        if practitioner is not None:
            await require(tx, "Practitioner", practitioner)
        return await accounts.create_account(
            tx,
            login=login,
            password=chosen,
            name=name,
            role=role,
            organisation=organisation,
            practitioner=practitioner,
        )

    chosen = _asked_password()
    account = _in_transaction(act, "account.open")
    typer.echo(f"{account.login} may sign in.")


@command.command("list")
def list_() -> None:
    """Who has an account."""
    for account in _in_transaction(accounts.list_accounts, None):
        state = "disabled" if account.disabled_at else "active"
        columns = (account.login, account.role, account.organisation, state, account.name)
        typer.echo("\t".join(columns))


@command.command()
def disable(login: str) -> None:
    """Close an account and end its sessions."""

    async def act(tx: Connection) -> Account:
        account = await accounts.find_account(tx, login)
        await accounts.disable_account(tx, account, utc_now())
        return account

    typer.echo(f"{_in_transaction(act, 'account.disable').login} can no longer sign in.")


@command.command()
def password(login: str) -> None:
    """Set a new password and end the account's sessions."""

    async def act(tx: Connection) -> Account:
        account = await accounts.find_account(tx, login)
        await accounts.change_password(tx, account, new, utc_now())
        return account

    new = _asked_password()
    typer.echo(f"{_in_transaction(act, 'account.password').login} has a new password.")


def _in_transaction(act: Callable[[Connection], Awaitable[T]], audited_as: str | None) -> T:
    async def run() -> T:
        async with opened_database(read_settings()) as db, db.transaction() as tx:
            result = await act(tx)
            if audited_as and isinstance(result, Account):
                resource = f"account/{result.id}"
                await audit.record(
                    tx, actor=serai_itself, act=audited_as, at=utc_now(), resource=resource
                )
            return result

    return asyncio.run(run())


def _asked_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    chosen: str = typer.prompt("Password", hide_input=True)
    if typer.prompt("Once more", hide_input=True) != chosen:
        raise Invalid("account.passwords-differ")
    return chosen
