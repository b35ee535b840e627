"""`serai fhir`: what the FHIR engine knows beyond R4 itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from serai.cli.database import opened_database
from serai.cli.settings import read_settings
from serai.cli.wording import explained
from serai.fhir import packages
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.record import fhir_store

command = typer.Typer(no_args_is_help=True)


@command.callback()
def fhir() -> None:
    """Implementation guides and what else the FHIR engine can be taught."""


@command.command("load-package")
def load_package(
    file: Annotated[Path, typer.Argument(help="FHIR package (.tgz).", exists=True, dir_okay=False)],
    examples: Annotated[  # noqa: FBT002 typer's way to say it
        bool, typer.Option("--examples", help="Store the package's examples too.")
    ] = False,
) -> None:
    """Load the definitions of an implementation guide; again changes nothing."""
    done = asyncio.run(_load(packages.read(file, examples=examples)))
    typer.echo(f"{done.name} {done.version}: {done.resources} resources, {done.written} written.")
    for name, error in done.refused:
        typer.echo(f"left out, not valid R4: {name}: {explained(error)}", err=True)


@command.command("packages")
def packages_() -> None:
    """Which packages have been loaded."""
    for one in asyncio.run(_loaded()):
        typer.echo(f"{one.name}\t{one.version}\t{one.resources}\t{one.loaded_at:%Y-%m-%d}")


async def _load(package: packages.Package) -> packages.Loaded:
    settings = read_settings()
    async with opened_database(settings) as db:
        return await packages.load(
            db, fhir_store(settings), package, actor=serai_itself, now=utc_now()
        )


async def _loaded() -> list[packages.Loaded]:
    async with opened_database(read_settings()) as db, db.connection() as connection:
        return await packages.loaded(connection)
