"""`serai import PATH`: FHIR and DICOM files, resumed when run again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from serai.cli.database import opened_database
from serai.cli.settings import read_settings
from serai.exchange.importing import run
from serai.imaging.archive import Archive
from serai.platform.blobs import Blobs
from serai.record import fhir_store

command = typer.Typer()


@command.command()
def import_(
    path: Annotated[Path, typer.Argument(help="Folder, zip or file.", exists=True)],
    organisation: Annotated[
        str | None, typer.Option(help="Id of the Organization that keeps what comes in.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write what was refused to this .json or .csv file.")
    ] = None,
) -> None:
    """Import FHIR JSON, NDJSON and DICOM; exit code 1 when anything was refused."""
    raise typer.Exit(asyncio.run(_import(path, organisation, report)))


async def _import(path: Path, organisation: str | None, report: Path | None) -> int:
    settings = read_settings()
    async with opened_database(settings) as db:
        fhir = fhir_store(settings)
        archive = Archive(fhir, Blobs.at(settings))
        return await run(
            path, db=db, fhir=fhir, archive=archive, organisation=organisation, report_to=report
        )
