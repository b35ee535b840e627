"""`serai demo`: the demonstration network, its patients and pictures."""

from __future__ import annotations

import asyncio

import typer
from rich.console import Console

from serai.cli.database import opened_database
from serai.cli.settings import read_settings
from serai.demo import load
from serai.imaging.archive import Archive
from serai.platform.blobs import Blobs
from serai.platform.settings import Settings
from serai.record import fhir_store

command = typer.Typer()

# Any number does. A load whose server was killed may still be running beside a new one.
ONE_AT_A_TIME = "SELECT pg_advisory_lock(7236232)"


@command.command()
def demo() -> None:
    """Load the demonstration network into an empty database; once, and resumed when cut off."""
    loaded = asyncio.run(_load(read_settings()))
    typer.echo("The demonstration is loaded." if loaded else "The demonstration was loaded before.")


async def _load(settings: Settings) -> bool:
    async with opened_database(settings) as db, db.connection() as lock:
        await lock.execute(ONE_AT_A_TIME)
        fhir = fhir_store(settings)
        archive = Archive(fhir, Blobs.at(settings))
        return await load(db=db, fhir=fhir, archive=archive, console=Console())
