"""Schema migrations: numbered SQL files, applied once each, never edited after release."""

from __future__ import annotations

from importlib.resources import as_file, files

import psycopg

from serai.kernel.errors import Unavailable
from serai.platform.queue_schema import bring_up

# Any number does, as long as every Serai process takes the same one.
ONE_AT_A_TIME = "SELECT pg_advisory_lock(7236231)"
APPLIED = "SELECT migration_id FROM _yoyo_migration"
KNOWS_MIGRATIONS = "SELECT to_regclass('_yoyo_migration') IS NOT NULL"


def known_migrations() -> frozenset[str]:
    """Names of the migrations this code carries."""
    folder = files("serai.platform").joinpath("migrations")
    return frozenset(
        entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql")
    )


def migrate(url: str) -> None:
    """Bring the database to this code's schema; raises Unavailable when it cannot.

    A database that carries migrations unknown to this code is newer and is left untouched.
    """
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise Unavailable("database.unreachable") from error
    with connection:
        connection.execute(ONE_AT_A_TIME)
        applied = _applied(connection)
        unknown = applied - known_migrations()
        if unknown:
            raise Unavailable("database.newer-than-code", migrations=sorted(unknown))
        if applied != known_migrations():
            _apply(url)
        bring_up(connection)


def search_values_are_due(url: str) -> bool:
    """Whether a migration asks for search values to be made anew (`fhir.store.renewing`)."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT due FROM fhir_index").fetchone()
    return bool(row and row[0])


def secrets_are_due(url: str) -> bool:
    """Whether an earlier version kept secrets that are to be sealed now."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute("SELECT 1 FROM encryption_due LIMIT 1").fetchone() is not None


def _applied(connection: psycopg.Connection[tuple[object, ...]]) -> frozenset[str]:
    known = connection.execute(KNOWS_MIGRATIONS).fetchone()
    if not known or not known[0]:
        return frozenset()
    return frozenset(str(row[0]) for row in connection.execute(APPLIED))


def _apply(url: str) -> None:
    # Only a start that has something to migrate pays for this import.
    from yoyo import get_backend, read_migrations  # noqa: PLC0415

    address = url.partition("://")[2]
    backend = get_backend(f"postgresql+psycopg://{address}")
    with as_file(files("serai.platform").joinpath("migrations")) as folder:
        backend.apply_migrations(backend.to_apply(read_migrations(str(folder))))
    backend.connection.close()
