"""Runs a composed statement; one with a regular expression gets only so much time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.errors import InvalidRegularExpression, QueryCanceled

from serai.kernel.errors import Invalid, TooLarge
from serai.platform.db import Connection

MOST_MILLISECONDS = 3_000
BEFORE = "SELECT current_setting('statement_timeout')"
BOUND = "SELECT set_config('statement_timeout', %s, true)"


async def run(
    connection: Connection, sql: str, values: Mapping[str, Any], *, bounded: bool
) -> list[tuple[Any, ...]]:
    if not bounded:
        return await (await connection.execute(sql, values)).fetchall()
    try:
        async with connection.transaction():
            before = await (await connection.execute(BEFORE)).fetchone()
            await connection.execute(BOUND, (str(MOST_MILLISECONDS),))
            found = await (await connection.execute(sql, values)).fetchall()
            await connection.execute(BOUND, before)
            return found
    except InvalidRegularExpression as error:
        raise Invalid("terminology.regex", most=200) from error
    except QueryCanceled as error:
        raise TooLarge("terminology.too-costly", most=MOST_MILLISECONDS) from error
