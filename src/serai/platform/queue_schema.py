"""The queue's tables, as procrastinate ships them: made once, then migrated with the library."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import psycopg

APPLIED = "SELECT migration FROM job_queue_schema"
APPLY = "INSERT INTO job_queue_schema (migration) VALUES (%s)"


def bring_up(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Apply what is missing; whoever calls holds the lock of migrations."""
    shipped = _shipped()
    applied = {str(row[0]) for row in connection.execute(APPLIED)}
    if not applied:
        # The library's whole schema, which contains every migration it ships.
        with connection.transaction():
            connection.execute((shipped[0].parents[1] / "schema.sql").read_bytes())
            for path in shipped:
                connection.execute(APPLY, (path.name,))
        return
    for path in shipped:
        if path.name not in applied:
            # Each commits by itself: PostgreSQL lets no transaction use an enum value it added.
            with connection.transaction():
                connection.execute(path.read_bytes())
                connection.execute(APPLY, (path.name,))


def _shipped() -> list[Path]:
    """Its migrations in order; looked up without loading the library, which every start would
    pay for."""
    found = find_spec("procrastinate")
    assert found is not None
    assert found.origin is not None
    return sorted((Path(found.origin).parent / "sql" / "migrations").glob("*.sql"))
