"""What senders let us know about the end of a series: they finished, or named its instances.

Facts only; whether a series is complete is judged elsewhere, in peace.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from psycopg import OperationalError

from serai.imaging.dataset.model_json import Attributes, first_text
from serai.kernel.errors import Unavailable
from serai.platform.db import Connection, Database

# A hint for later work: losing the last ones in a crash costs a little time, and waiting for the
# disk would cost every sender some.
ENDED = """WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO imaging_arrival (study_uid, ended_at, look_at)
    SELECT DISTINCT uid, %(now)s::timestamptz, %(now)s::timestamptz
    FROM unhurried, unnest(%(studies)s::text[]) AS given(uid) ORDER BY uid
    ON CONFLICT (study_uid) DO UPDATE
    SET ended_at = EXCLUDED.ended_at, look_at = EXCLUDED.look_at"""
TOLD = """INSERT INTO imaging_told (series_uid, source, organisation, instances, told_at)
    VALUES (%s, 'mpps', %s, %s, %s)
    ON CONFLICT (series_uid, source, organisation) DO UPDATE
    SET instances = EXCLUDED.instances, told_at = EXCLUDED.told_at"""
LOOK_AGAIN = """INSERT INTO imaging_arrival (study_uid, look_at)
    SELECT DISTINCT study_uid, %s::timestamptz FROM imaging_series WHERE uid = ANY(%s)
    ON CONFLICT (study_uid) DO UPDATE SET look_at = EXCLUDED.look_at"""
COMMITTED = """WITH told AS (
        INSERT INTO imaging_told (series_uid, source, organisation, instances, told_at)
        SELECT i.series_uid, 'commitment', coalesce(%(organisation)s::text, ''),
               array_agg(i.uid ORDER BY i.uid), %(now)s::timestamptz
        FROM imaging_instance i JOIN imaging_study s ON s.uid = i.study_uid
        WHERE i.uid = ANY(%(instances)s)
          AND (%(organisation)s::text IS NULL OR s.owner = %(organisation)s)
        GROUP BY i.series_uid ORDER BY i.series_uid
        ON CONFLICT (series_uid, source, organisation) DO UPDATE
        SET instances = EXCLUDED.instances, told_at = EXCLUDED.told_at RETURNING series_uid)
    INSERT INTO imaging_arrival (study_uid, look_at)
    SELECT DISTINCT s.study_uid, %(now)s::timestamptz
    FROM told JOIN imaging_series s ON s.uid = told.series_uid ORDER BY 1
    ON CONFLICT (study_uid) DO UPDATE SET look_at = EXCLUDED.look_at"""
# Performed Series Sequence, and in its items images and other objects (PS3.3 §C.4.14).
PERFORMED_SERIES = "00400340"
IN_SERIES = ("00081140", "00400220")


async def ended(db: Database, studies: Iterable[str], *, now: datetime) -> None:
    """A sender has finished with these studies. What it sent is kept whether or not this is."""
    given = sorted(set(studies))
    if given:
        with suppress(Unavailable, OperationalError):
            async with db.connection() as connection:
                await connection.execute(ENDED, {"studies": given, "now": now})


async def performed(
    tx: Connection, attributes: Attributes, *, organisation: str | None, now: datetime
) -> None:
    """A completed performed procedure step names the instances it made."""
    told = _performed(attributes)
    for series, instances in told.items():
        await tx.execute(TOLD, (series, organisation or "", instances, now))
    if told:
        await tx.execute(LOOK_AGAIN, (now, sorted(told)))


async def committed(
    db: Database, instances: list[str], *, organisation: str | None, now: datetime
) -> None:
    """A modality has handed over these instances for good, and they are all here."""
    values = {"instances": instances, "organisation": organisation, "now": now}
    async with db.connection() as connection:
        await connection.execute(COMMITTED, values)


def _performed(attributes: Attributes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in attributes.get(PERFORMED_SERIES, {}).get("Value", []):
        series = first_text(item, "0020000E")
        named = [each for tag in IN_SERIES for each in item.get(tag, {}).get("Value", [])]
        instances = {first_text(each, "00081155") for each in named} - {""}
        if series and instances:
            found[series] = sorted({*found.get(series, ()), *instances})
    return found
