"""After a large import the planner knows what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.exchange.importing.a_node import Node, patient, write

from serai.exchange.importing import running
from serai.platform.db import Database

KNOWN = "SELECT count(*) FROM pg_stats WHERE tablename = 'fhir_string' AND attname = 'value'"


async def known(db: Database) -> bool:
    async with db.connection() as connection:
        row = await (await connection.execute(KNOWN)).fetchone()
    return row == (1,)


async def test_a_large_import_ends_with_statistics(
    node: Node, folder: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "WORTH_ANALYSING", 3)
    async with db.connection() as connection:
        await connection.execute(
            "DELETE FROM pg_statistic WHERE starelid = 'fhir_string'::regclass"
        )
    write(folder / "two.ndjson", patient("p1"), patient("p2"))
    await node.take(folder)
    assert not await known(db)
    write(folder / "three.ndjson", *(patient(f"q{number}") for number in range(3)))
    await node.take(folder)
    assert await known(db)
