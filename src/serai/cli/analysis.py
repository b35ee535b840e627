"""`serai analysis`: which analysers there are, how analyses stand, and asking for them."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from serai.cli.database import opened_database
from serai.cli.settings import read_settings
from serai.cli.wording import explained
from serai.imaging.analysis import actions, records
from serai.imaging.analysis.actions import Desk
from serai.imaging.analysis.cards import models
from serai.imaging.analysis.records import Analysis
from serai.imaging.analysis.registry import registered
from serai.imaging.analysis.wording import why_text
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now

command = typer.Typer(no_args_is_help=True, help="Analysers of complete series.")


@command.command("list")
def list_(
    study: Annotated[
        str | None, typer.Option(help="Show the analyses of this study (its UID) instead.")
    ] = None,
) -> None:
    """Analysers and models, with what is refused and why; or the analyses of one study."""
    if study is not None:
        for one in asyncio.run(_of_study(study)):
            why = why_text(one.why, one.details)
            typer.echo("\t".join(each for each in (*_shown(one), why) if each))
        return
    home = read_settings().home
    for each in registered(home):
        typer.echo(f"{each.name}\t{each.revision}\t{each.fingerprint[:12]}\t{each.title}")
    for model in models(home):
        if model.refused:
            typer.echo(f"refused: {model.name}: {explained(model.refused)}", err=True)


@command.command("run")
def run(
    study: Annotated[str, typer.Argument(help="UID of the study.")],
    series: Annotated[str | None, typer.Option(help="UID of one series of it.")] = None,
    analyser: Annotated[
        str | None, typer.Option(help="Only this one, and again even if it has looked already.")
    ] = None,
) -> None:
    """Queue analyses of a study; the server does them."""
    typer.echo(f"{asyncio.run(_run(study, series, analyser))} queued.")


def _shown(one: Analysis) -> tuple[str, ...]:
    return one.series, one.analyser, one.revision, one.state


async def _of_study(study: str) -> list[Analysis]:
    async with opened_database(read_settings()) as db, db.connection() as connection:
        return await records.of_study(connection, study, actor=serai_itself)


async def _run(study: str, series: str | None, analyser: str | None) -> int:
    settings = read_settings()
    async with opened_database(settings) as db:
        return await actions.ask(
            Desk(db, settings.home),
            study,
            registered(settings.home),
            actor=serai_itself,
            now=utc_now(),
            series=series,
            name=analyser,
        )
