"""`serai send PATH --to URL`: pictures to another Serai, over lines that break."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serai.cli.wording import explained
from serai.exchange.sending import send
from serai.kernel.errors import SeraiError

command = typer.Typer()
MOST_NAMED = 50


@command.command()
def send_(
    path: Annotated[Path, typer.Argument(help="Folder, DICOM file or zip.", exists=True)],
    to: Annotated[str, typer.Option(help="Address of the server, https://…")],
    token: Annotated[
        str, typer.Option(envvar="SERAI_TOKEN", help="Bearer token (system/ImagingStudy.cr).")
    ],
    patience: Annotated[
        int, typer.Option(min=1, help="Minutes without an answer before giving up.")
    ] = 60,
) -> None:
    """Send what the server does not have yet; run again to go on. Exit code 1 when refused."""
    sent = send(path, to, token, patience_s=patience * 60, tell=lambda line: typer.echo(line))
    typer.echo(f"{sent.kept} sent, {sent.here + sent.already} there already")
    for name, reason in sent.refused[:MOST_NAMED]:
        typer.echo(f"refused {name}: {_in_words(reason)}", err=True)
    if len(sent.refused) > MOST_NAMED:
        typer.echo(f"and {len(sent.refused) - MOST_NAMED} more", err=True)
    raise typer.Exit(1 if sent.refused else 0)


def _in_words(reason: str) -> str:
    return explained(SeraiError(reason)) if " " not in reason else reason
