"""`serai serve`: start everything and stay until told to stop."""

from __future__ import annotations

from contextlib import closing, suppress
from importlib import import_module
from typing import Annotated

import typer

from serai.serving.lean import load_less
from serai.serving.parts import Parts
from serai.serving.stopping import Stopped, Stopping

command = typer.Typer()


@command.command()
def serve(
    workers: Annotated[int | None, typer.Option(help="Processes of web and of DICOM.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the web server.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Load the demonstration network.")] = False,  # noqa: FBT002
) -> None:
    """Start the server; Ctrl-C stops everything it started."""
    load_less()
    stopping = Stopping()
    stopping.listen()
    with suppress(Stopped), closing(Parts()) as parts:
        # It loads its code while this process loads its own: most of the start is loading.
        parts.add("web 1", "web")
        running = import_module("serai.cli.running")
        running.run(parts, stopping, demo=demo, workers=workers, host=host, port=port)
