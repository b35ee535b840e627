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
from serai.platform.auth import accounts, factors, links, notices, sessions, throttle
from serai.platform.auth import policy as policies
from serai.platform.auth.accounts import Account
from serai.platform.auth.policy import RolePolicy
from serai.platform.auth.roles import ROLES, known_role
from serai.platform.auth.tokens import parse_ttl
from serai.platform.db import Connection
from serai.web.account.passwords import link_address

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


@command.command()
def link(login: str) -> None:
    """Print a one-time link with which the person chooses a password."""
    secrets: list[str] = []

    async def act(tx: Connection) -> Account:
        account = await accounts.find_account(tx, login)
        secrets.append(await links.issue(tx, account.id, utc_now()))
        await notices.tell(tx, account.id, "link-issued", at=utc_now())
        return account

    _in_transaction(act, "account.link")
    typer.echo(link_address(read_settings().public_url, secrets[0]))


@command.command()
def unlock(login: str) -> None:
    """Let somebody try again who mistyped the password too often."""

    async def act(tx: Connection) -> Account:
        account = await accounts.find_account(tx, login)
        await throttle.unlock(tx, account.login)
        await throttle.unlock(tx, factors.knocks_as(account.id))
        await notices.tell(tx, account.id, "unlocked", at=utc_now())
        return account

    typer.echo(f"{_in_transaction(act, 'account.unlock').login} may try again.")


@command.command("reset-factors")
def reset_factors(login: str) -> None:
    """Remove the second factors of somebody who lost every device, and end the sessions."""

    async def act(tx: Connection) -> Account:
        account = await accounts.find_account(tx, login)
        await factors.remove_all(tx, account.id)
        await sessions.close_all_sessions(tx, account.id, utc_now())
        await notices.tell(tx, account.id, "factors-reset", at=utc_now())
        return account

    typer.echo(f"{_in_transaction(act, 'factor.reset').login} has no second factor any more.")


@command.command()
def policy(
    role: Annotated[str, typer.Argument(help=" | ".join(ROLES))],
    *,
    two_factors: Annotated[
        bool | None, typer.Option("--two-factors/--one-factor", help="What the role must prove.")
    ] = None,
    idle: Annotated[str, typer.Option(help="Sessions end unused after this: 15m, 1h.")] = "",
    lifetime: Annotated[str, typer.Option(help="Sessions end after this: 8h, 1d.")] = "",
) -> None:
    """Show or set what a role must prove to sign in, and for how long it holds."""
    wanted = known_role(role)

    async def act(tx: Connection) -> RolePolicy:
        kept = (await policies.policies(tx))[wanted]
        made = RolePolicy(
            wanted,
            two_factors=kept.two_factors if two_factors is None else two_factors,
            idle=parse_ttl(idle) if idle else kept.idle,
            lifetime=parse_ttl(lifetime) if lifetime else kept.lifetime,
        )
        if made != kept:
            await policies.set_policy(tx, made)
            now, resource = utc_now(), f"role/{wanted}"
            await audit.record(tx, actor=serai_itself, act="role.policy", at=now, resource=resource)
        return made

    made = _in_transaction(act, None)
    factors_needed = "two factors" if made.two_factors else "one factor"
    typer.echo(f"{made.role}: {factors_needed}, idle {made.idle}, at most {made.lifetime}")


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
