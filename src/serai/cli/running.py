"""The slower half of `serai serve`: what needs settings and the database."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from functools import partial

import psycopg
import typer

from serai import __version__
from serai.cli.settings import read_settings
from serai.kernel.errors import Unavailable
from serai.platform.auth.accounts import Account, list_accounts
from serai.platform.logs import configure
from serai.platform.settings import Settings
from serai.serving.parts import Parts
from serai.serving.stopping import Stopping
from serai.serving.supervisor import serve

MOST_NAMED = 10
# As `demo/network.yaml` says; published, because nobody in the demonstration is real.
DEMO_PASSWORD = "caravanserai-demo"  # noqa: S105

LOADED = "SELECT EXISTS (SELECT FROM demonstration WHERE part = %s)"
MARK = "INSERT INTO demonstration (part, done_at) VALUES (%s, now()) ON CONFLICT DO NOTHING"


def run(parts: Parts, stopping: Stopping, *, demo: bool, **given: str | int | None) -> None:
    settings = read_settings(**given)
    configure(settings.log_format)
    prepare = _load_demo if demo else _nothing
    serve(settings, parts, stopping, prepare=prepare, ready=partial(_greet, demo=demo))


def _load_demo(settings: Settings) -> None:
    """In a process of its own, because its code is needed only once."""
    assert settings.database_url
    part = f"everything of {__version__}"
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        (loaded,) = connection.execute(LOADED, (part,)).fetchone() or (False,)
        if loaded:
            return
        environment = os.environ | {"SERAI_DATABASE_URL": settings.database_url}
        with subprocess.Popen(
            [sys.executable, "-m", "serai.cli", "demo"],
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        ) as loading:
            try:
                code = loading.wait()
            except BaseException:
                loading.terminate()
                raise
        if code:
            raise Unavailable("demo.not-loaded")
        connection.execute(MARK, (part,))


def _nothing(_settings: Settings) -> None:
    """A server for real patients starts with what its database holds."""


def _greet(settings: Settings, *, demo: bool) -> None:
    accounts = [account for account in asyncio.run(_accounts(settings)) if not account.disabled_at]
    typer.echo(f"Serai is ready: {settings.public_url}/")
    typer.echo(
        f"  FHIR /fhir, DICOMweb /dicomweb, viewer /viewer; "
        f"DICOM {settings.ae_title} on {settings.dimse_host}:{settings.dimse_port}"
    )
    for account in accounts[:MOST_NAMED]:
        typer.echo(f"  sign in as {account.login:<16} {account.role:<7} {account.name}")
    if len(accounts) > MOST_NAMED:
        typer.echo(f"  and {len(accounts) - MOST_NAMED} more: serai user list")
    if demo:
        typer.echo(f"  password of the demonstration: {DEMO_PASSWORD}")
    if not accounts:
        typer.echo("  nobody can sign in yet: serai user add --help")


async def _accounts(settings: Settings) -> list[Account]:
    assert settings.database_url
    async with await psycopg.AsyncConnection.connect(settings.database_url) as connection:
        return await list_accounts(connection)
