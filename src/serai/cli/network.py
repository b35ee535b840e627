"""`serai network load FILE`: organisations, staff and accounts from one plain file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from serai.cli.database import opened_database
from serai.cli.settings import read_settings
from serai.imaging.dimse.peers import peers_of, set_peers
from serai.kernel.clock import utc_now
from serai.network.loading import Loaded, load
from serai.record import fhir_store

command = typer.Typer(no_args_is_help=True)


@command.callback()
def network() -> None:
    """The care network: organisations and staff."""


@command.command("load")
def load_(
    file: Annotated[Path, typer.Argument(help="Network file (YAML).", exists=True, dir_okay=False)],
) -> None:
    """Load a network file: everything in it, or nothing and every mistake with its line."""
    loaded = asyncio.run(_load(file))
    tiers = ", ".join(f"{count} {tier}" for tier, count in loaded.organisations.items())
    typer.echo(f"{sum(loaded.organisations.values())} organisations: {tiers}")
    typer.echo(
        f"{loaded.created} records new, {loaded.updated} changed, {loaded.unchanged} as before; "
        f"{loaded.new_accounts} accounts opened"
    )
    for login, password in loaded.new_passwords.items():
        typer.echo(f"  {login}\t{password}")


async def _load(file: Path) -> Loaded:
    settings = read_settings()
    async with opened_database(settings) as db:
        loaded = await load(file, db=db, store=fhir_store(settings), now=utc_now())
        async with db.transaction() as tx:
            await set_peers(tx, peers_of(loaded.modalities))
        return loaded
