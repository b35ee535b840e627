"""`serai`: the command line. Each command is a module of its own, loaded when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from serai.cli.wording import explained
from serai.kernel.errors import SeraiError

MODULES = {
    "serve": "serai.cli.serve",
    "demo": "serai.cli.demo",
    "import": "serai.cli.importing",
    "send": "serai.cli.sending",
    "user": "serai.cli.user",
    "staff": "serai.cli.staff",
    "portal": "serai.cli.portal",
    "token": "serai.cli.token",
    "app": "serai.cli.apps",
    "provider": "serai.cli.providers",
    "network": "serai.cli.network",
    "terminology": "serai.cli.terminology",
    "archive": "serai.cli.archive",
    "fhir": "serai.cli.fhir",
    "analysis": "serai.cli.analysis",
    "keys": "serai.cli.keys",
    "check": "serai.cli.check",
}


class Commands(TyperGroup):
    """Loads a command's module only when it is wanted, so that `serai token` stays quick."""

    def list_commands(self, _context: Any) -> list[str]:
        return list(MODULES)

    def get_command(self, _context: Any, name: str) -> Any:
        if name not in MODULES:
            return None
        command = get_command(import_module(MODULES[name]).command)
        command.name = name
        return command


application = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Serai: a FHIR and DICOM care network in one server.",
)


@application.callback()
def _serai() -> None:
    """Settings come from the environment (SERAI_*); state lives in SERAI_HOME."""


def app() -> None:
    """Run one command; a refusal is one line on standard error and exit code 1."""
    try:
        application()
    except SeraiError as error:
        sys.exit(f"serai: {explained(error)}")
