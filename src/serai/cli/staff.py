"""`serai staff import FILE`: joiners, movers and leavers from a register of staff."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from serai.cli.database import opened_database
from serai.cli.settings import read_settings
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.network.staff.changing import Feed, Outcome, carry_out, planned, refuse_mass_leaving
from serai.network.staff.feed import read_feed
from serai.network.staff.model import Change
from serai.record import fhir_store
from serai.web.account.passwords import link_address

command = typer.Typer(no_args_is_help=True)


@command.callback()
def staff() -> None:
    """Who works here."""


@command.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Register (CSV).", exists=True, dir_okay=False)],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change and change nothing.")
    ] = False,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete", help="The file names everybody: whom it names no more has left."
        ),
    ] = False,
    most_leavers: Annotated[
        int, typer.Option(min=0, help="Refuse a file by which more people leave.")
    ] = 20,
) -> None:
    """Open, change and close accounts as the register says: all of it, or nothing."""
    done = asyncio.run(_import(file, dry_run=dry_run, complete=complete, most_leavers=most_leavers))
    for change in done.changes:
        typer.echo("\t".join(_told(change)))
    counted = f"{len(done.changes)} changes"
    typer.echo(f"{counted}; nothing was changed." if dry_run else f"{counted} made.")
    settings = read_settings()
    for login, secret in done.links.items():
        typer.echo(f"  {login}\t{link_address(settings.public_url, secret)}")


def _told(change: Change) -> list[str]:
    person, before = change.after, change.before
    facts = [f"{name}: {getattr(before, name)} → {getattr(person, name)}" for name in change.facts]
    return [change.step.value, person.login, person.role, person.organisation, *facts]


async def _import(file: Path, *, dry_run: bool, complete: bool, most_leavers: int) -> Outcome:
    settings, wanted = read_settings(), read_feed(file)
    store = fhir_store(settings)
    async with opened_database(settings) as db, db.transaction() as tx:
        steps = await planned(tx, store, wanted, complete=complete)
        refuse_mass_leaving(steps, len(wanted), most=most_leavers)
        if dry_run:
            return Outcome(steps)
        return await carry_out(Feed(tx, store, serai_itself, utc_now()), steps)
