"""Terminology follows the resources that are stored, whoever stores them and however many."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from gzip import decompress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fhir.conftest import MACHINE
from tests.fhir.terminology.vocabulary import (
    ILLNESSES,
    ILLS,
    NOON,
    code_system,
    filtered,
    keep,
    value_set,
)

from serai.fhir.store import FhirStore
from serai.fhir.terminology.membership import members
from serai.kernel.errors import Invalid
from serai.platform.db import Database

VS = "http://example.org/vs"
ROOT = Path(__file__).resolve().parents[3]


async def is_in(db: Database, code: str) -> bool | None:
    async with db.connection() as connection:
        return (await members(connection, [(VS, ILLS, code)]))[0]


async def test_a_change_takes_effect_and_a_deletion_ends_it(db: Database, store: FhirStore) -> None:
    await keep(db, store, ILLNESSES, value_set(VS, {"system": ILLS}))
    assert await is_in(db, "t1") is True
    await keep(db, store, code_system(ILLS, [{"code": "cold"}]))
    assert (await is_in(db, "t1"), await is_in(db, "cold")) == (False, True)
    async with db.transaction() as tx:
        await store.delete(tx, "CodeSystem", "ills", actor=MACHINE, now=NOON)
    assert await is_in(db, "cold") is None


def chain(length: int) -> list[dict[str, Any]]:
    return [
        {"code": str(n), "property": [{"code": "parent", "valueCode": str(n + 1)}]}
        for n in range(length)
    ]


REFUSED = {
    "a circle": [*chain(3), {"code": "3", "property": [{"code": "parent", "valueCode": "0"}]}],
    "its own parent": [{"code": "0", "property": [{"code": "parent", "valueCode": "0"}]}],
    "a chain of thousands": chain(3000),
    "a code twice": [{"code": "a"}, {"code": "a"}],
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_hostile_hierarchy_is_refused(name: str, db: Database, store: FhirStore) -> None:
    with pytest.raises(Invalid):
        await keep(db, store, code_system(ILLS, REFUSED[name]))


async def test_an_expansion_sees_a_system_before_or_after_its_change(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient
) -> None:
    sizes = (50, 80)
    versions = [code_system(ILLS, [{"code": f"c{n}"} for n in range(size)]) for size in sizes]
    await keep(db, store, versions[0], value_set(VS, {"system": ILLS}))

    async def change() -> None:
        for turn in range(10):
            await keep(db, store, versions[turn % 2])

    changing = asyncio.create_task(change())
    seen = set()
    while not changing.done():
        expansion = (await fhir.get("ValueSet/$expand", params={"url": VS})).json()["expansion"]
        assert len(expansion["contains"]) == expansion["total"]
        seen.add(expansion["total"])
    await changing
    assert seen <= set(sizes)


async def test_twenty_thousand_concepts(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient
) -> None:
    """A filter and a single code are answered from indexes; all at once is too costly."""
    concepts = [
        {
            "code": f"c{n}",
            "display": f"Illness number{n} of organ{n % 500}",
            "property": [{"code": "parent", "valueCode": f"c{n // 10 or 'none'}"}],
        }
        for n in range(20_000)
    ]
    await keep(db, store, code_system(ILLS, concepts), value_set(VS, {"system": ILLS}))
    found = await fhir.get("ValueSet/$expand", params={"url": VS, "filter": "number19999"})
    assert [one["code"] for one in found.json()["expansion"]["contains"]] == ["c19999"]
    page = await fhir.get("ValueSet/$expand", params={"url": VS, "offset": "100", "count": "5"})
    assert (page.json()["expansion"]["total"], len(page.json()["expansion"]["contains"])) == (
        20_000, 5,
    )  # fmt: skip
    all_of_it = await fhir.get("ValueSet/$expand", params={"url": VS})
    assert all_of_it.json()["issue"][0]["code"] == "too-costly"
    await keep(db, store, value_set(VS, filtered("is-a", "c1")))
    counted = await fhir.get("ValueSet/$expand", params={"url": VS, "count": "0"})
    assert counted.json()["expansion"]["total"] == 11_111
    assert await is_in(db, "c19999") is True
    assert await is_in(db, "c2") is False


SOURCE = ROOT / "node_modules" / "hl7.fhir.r4.examples"


@pytest.mark.skipif(not SOURCE.is_dir(), reason="needs `make setup` (node_modules)")
def test_the_shipped_vocabulary_is_what_the_generator_makes(tmp_path: Path) -> None:
    target = tmp_path / "r4.ndjson.gz"
    tool = ROOT / "tools" / "make_terminology.py"
    subprocess.run([sys.executable, tool, "--target", target], check=True, capture_output=True)
    shipped = ROOT / "src" / "serai" / "fhir" / "terminology" / "r4.ndjson.gz"
    assert decompress(target.read_bytes()) == decompress(shipped.read_bytes())
