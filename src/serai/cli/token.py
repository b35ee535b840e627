"""`serai token`: a bearer token for a machine, printed once and nothing else."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from serai.cli.database import opened_database, require
from serai.cli.settings import read_settings
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform import audit
from serai.platform.auth.scopes import Scope, parse_scopes
from serai.platform.auth.tokens import issue_token, parse_ttl

command = typer.Typer()


@command.command()
def token(
    scope: Annotated[str, typer.Option(help='SMART v2 scopes, e.g. "system/*.cruds".')] = "",
    ttl: Annotated[str, typer.Option(help="Lifetime: 90s, 30m, 1h, 7d.")] = "1h",
    organisation: Annotated[
        str | None, typer.Option(help="Id of the Organization it acts for; system-wide without.")
    ] = None,
    name: Annotated[str, typer.Option(help="What it is for; shown in the audit.")] = "command line",
    *,
    staff_feed: Annotated[
        bool,
        typer.Option("--staff-feed", help="May keep the organisation's accounts through SCIM."),
    ] = False,
) -> None:
    """Print a bearer token for scripts and machines."""
    scopes = frozenset() if staff_feed and not scope else parse_scopes(scope)
    secret = asyncio.run(
        _issue(scopes, parse_ttl(ttl), organisation=organisation, name=name, staff_feed=staff_feed)
    )
    typer.echo(secret)


async def _issue(
    scopes: frozenset[Scope],
    ttl: timedelta,
    *,
    organisation: str | None,
    name: str,
    staff_feed: bool,
) -> str:
    now = utc_now()
    async with opened_database(read_settings()) as db, db.transaction() as tx:
        if organisation is not None:
            await require(tx, "Organization", organisation)
        secret = await issue_token(
            tx,
            scopes,
            ttl,
            organisation=organisation,
            name=name,
            staff_feed=staff_feed,
            now=now,
        )
        await audit.record(tx, actor=serai_itself, act="token.issue", at=now)
        return secret
