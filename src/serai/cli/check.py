"""`serai check`: would the server start here, and is what it needs in order?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import typer

from serai.cli.settings import read_settings
from serai.cli.wording import explained
from serai.kernel.errors import SeraiError
from serai.platform.blobs import Blobs
from serai.platform.encryption.keyring import Keyring
from serai.platform.locks import prepare_home
from serai.platform.migrate import known_migrations, migrate
from serai.platform.postgres import database_address, database_failures
from serai.platform.settings import Settings

command = typer.Typer()

PROBE = b"serai check"


@command.command()
def check() -> None:
    """Check settings, state folder, database and object store; exit code 1 when one fails."""
    settings = read_settings()
    failed = False
    for name, test in _checks(settings):
        try:
            typer.echo(f"ok      {name}: {test()}")
        except SeraiError as error:
            failed = True
            typer.echo(f"FAILED  {name}: {explained(error)}")
    raise typer.Exit(1 if failed else 0)


def _checks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "state folder", lambda: _home(settings)
    yield "database", lambda: _database(settings)
    yield "keys", lambda: _keys(settings)
    yield "objects", lambda: _blobs(settings)


def _home(settings: Settings) -> str:
    prepare_home(settings.home)
    return str(settings.home.resolve())


def _database(settings: Settings) -> str:
    with database_failures(), database_address(settings) as address:
        migrate(address)
        with psycopg.connect(address) as connection:
            version = connection.info.server_version // 10000
    where = "your own" if settings.database_url else "embedded"
    return f"PostgreSQL {version}, {where}, {len(known_migrations())} migrations"


def _keys(settings: Settings) -> str:
    """Every key there is can be opened."""
    with database_failures(), database_address(settings) as address:
        keys = Keyring.of(settings.model_copy(update={"database_url": address}))
        rows = [row for row in keys.rows() if row.wrapped is not None]
        for row in rows:
            keys.by_id_sync(row.id)
        return f"{len(rows)} data keys, wrapped by {keys.masters.current().name}"


def _blobs(settings: Settings) -> str:
    with database_failures(), database_address(settings) as address:
        Blobs.at(settings.model_copy(update={"database_url": address})).put_sync(PROBE)
    return settings.blobs or str(settings.home.resolve() / "blobs")
