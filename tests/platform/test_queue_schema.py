"""The queue's tables come with the library, at the first start and with each new version of it."""

from __future__ import annotations

import psycopg

from serai.platform.migrate import migrate
from serai.platform.queue_schema import APPLIED, bring_up


def test_a_migrated_database_has_the_queue_and_starting_again_changes_nothing(
    database_url: str,
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = connection.execute(APPLIED).fetchall()
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)
    migrate(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert sorted(connection.execute(APPLIED).fetchall()) == sorted(before)
    assert before


LAST = "03.04.00_50_post_add_retry_failed_job_procedure.sql"
MADE_BY_IT = "procrastinate_trigger_function_status_events_update_v1"


def test_a_newer_library_brings_only_its_new_migrations(database_url: str) -> None:
    """As if the database had been made by the version before the last migration."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM job_queue_schema WHERE migration = %s", (LAST,))
        connection.execute(f"DROP FUNCTION {MADE_BY_IT} CASCADE")
        bring_up(connection)
        made = connection.execute(
            "SELECT count(*) FROM pg_proc WHERE proname = %s", (MADE_BY_IT,)
        ).fetchone()
        assert (LAST,) in connection.execute(APPLIED).fetchall()
    assert made == (1,)
