"""`serai terminology load-… FILE`: large code systems from their publishers' release files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from serai.cli.database import opened_database
from serai.cli.settings import read_settings
from serai.fhir import messages
from serai.fhir.terminology.releases.icd10 import load_icd10, load_table
from serai.fhir.terminology.releases.loinc import load_loinc
from serai.fhir.terminology.releases.snomed import load_snomed
from serai.kernel.errors import SeraiError
from serai.platform.db import Database

command = typer.Typer(no_args_is_help=True)

Release = Annotated[Path, typer.Argument(help="File or unpacked folder.", exists=True)]
Version = Annotated[str, typer.Option(help="The version of the release.")]


@command.callback()
def terminology() -> None:
    """Code systems from release files. Serai ships none of them: mind their licences."""


@command.command("load-loinc")
def loinc(path: Release, version: Version) -> None:
    """LOINC: Loinc.csv, or the folder of the release with its hierarchy."""
    _run(lambda db: load_loinc(path, db=db, version=version))


@command.command("load-snomed")
def snomed(path: Release, version: Version) -> None:
    """SNOMED CT: the folder of a Release Format 2 package."""
    _run(lambda db: load_snomed(path, db=db, version=version))


@command.command("load-icd10")
def icd10(path: Release, version: Version) -> None:
    """ICD-10: WHO's ClaML (.xml) or the ICD-10-CM order file (.txt)."""
    _run(lambda db: load_icd10(path, db=db, version=version))


@command.command("load-csv")
def table(
    path: Release,
    version: Version,
    url: Annotated[str, typer.Option(help="URL of the code system.")],
    name: Annotated[str, typer.Option(help="Its name.")] = "Codes",
) -> None:
    """Any code system: UTF-8 CSV with the columns code, display, parent."""
    _run(lambda db: load_table(path, db=db, url=url, version=version, name=name))


def _run(load: Callable[[Database], Awaitable[int]]) -> None:
    began = time.monotonic()
    typer.echo("loading; what was there before stays in use until the end")
    try:
        count = asyncio.run(_load(load))
    except SeraiError as error:
        typer.echo(f"serai: {messages.text(error.key, error.details)}", err=True)
        for issue in error.issues:
            typer.echo(f"  {issue.path}: {messages.text(issue.key, issue.details)}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{count:,} codes in {time.monotonic() - began:.0f} s")


async def _load(load: Callable[[Database], Awaitable[int]]) -> int:
    async with opened_database(read_settings()) as db:
        return await load(db)
