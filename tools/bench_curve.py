"""How the cost of a request grows with the store: one store, made larger step by step.

    python -m tools.bench --curve 20000,200000,2000000 [--out curve]

At every size each request is measured over HTTP with 1 and 8 clients, as a system-wide client and
as one of 200 organisations, and the plans of its statements are taken with what they touch.
Written are curve.md, curve.json and curve.plans.txt. A store of two million resources takes
about 15 GB of disk.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import aiohttp
import msgspec
import psycopg
from tools.bench import Cell, measure
from tools.bench_curve_rows import Asker, Request
from tools.bench_node import Node, server
from tools.bench_plans import Plan, application
from tools.bench_population import EACH, ORGANISATIONS, grow, organisation_id

from serai.platform.postgres import Cluster

ONE_OF_THEM = 7
CLIENTS = (1, 8)
SECONDS = 1.5
WARM_S = 0.4
# Of two tries the cheaper one: whatever else runs on the machine only makes them dearer.
TRIES = 2
EXPLAINED = 3
CREATED = "r.method = 'POST' AND r.last_updated > '2025-01-01'"

Asking = Callable[[int], Request]


@dataclass(frozen=True)
class Point:
    """One request at one size."""

    asker: str
    row: str
    resources: int
    one: Cell
    eight: Cell
    pages: int
    statement_ms: float

    @property
    def cpu_ms(self) -> float:
        return self.eight.server_ms + self.eight.database_ms


async def run(node: Node, sizes: list[int], out: Path, wanted: str, *, analyse: bool) -> None:
    url, base = Cluster(node.home).url, f"{node.address}/fhir"
    points: list[Point] = []
    patients = await asyncio.to_thread(_patients, url)
    tokens = {"system": node.token, "organisation": await _organisations(node)}
    plans = out.with_suffix(".plans.txt").open("w")
    for size in sizes:
        await asyncio.to_thread(_reach, url, base, patients, size // EACH, analyse=analyse)
        patients = max(patients, size // EACH)
        for writes in (False, True):
            for who, token in tokens.items():
                asker = Asker(patients, None if who == "system" else ONE_OF_THEM)
                rows = asker.writing() if writes else asker.looking()
                rows = {row: one for row, one in rows.items() if _is_wanted(row, wanted)}
                async for point, taken in _measured(node, url, token, rows, (who, patients)):
                    points.append(point)
                    _tell(point)
                    _write_plans(plans, point, taken)
        await asyncio.to_thread(_forget_created, url)
        _write(out, points)
    plans.close()


def _is_wanted(row: str, wanted: str) -> bool:
    return not wanted or any(one in row.lower() for one in wanted.split(","))


async def _measured(
    node: Node, url: str, token: str, rows: dict[str, Asking], where: tuple[str, int]
) -> AsyncIterator[tuple[Point, list[Plan]]]:
    who, patients = where
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(node.address, headers=headers) as http,
        application(url, node.address, token) as inside,
    ):
        for row, request in rows.items():
            taken: list[Plan] = []
            for number in range(EXPLAINED):
                asked = request(900_000 + number)
                path = f"/fhir/{asked.path}".removesuffix("/")
                taken += await inside.plans(asked.method, path, asked.body)
            cells = [await _cheapest(http, node, request, one) for one in CLIENTS]
            yield _point(who, row, patients * EACH, cells, taken), taken


def _forget_created(url: str) -> None:
    """What was created here would make the next size's patients heavier than its others."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("fhir_string", "fhir_date", "fhir_quantity"):
            connection.execute(
                f"DELETE FROM {table} v USING fhir_resource r WHERE v.type = r.type"  # noqa: S608
                f" AND v.id = r.id AND {CREATED}"
            )
        connection.execute(f"DELETE FROM fhir_resource r WHERE {CREATED}")  # noqa: S608


def _patients(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM fhir_string WHERE type = 'Patient' AND param = 'family'"
            " AND value LIKE 'bench0%'"
        ).fetchone()
    return int(row[0]) if row else 0


async def _organisations(node: Node) -> str:
    """Makes them, and issues a token to one."""
    headers = {"Authorization": f"Bearer {node.token}", "Content-Type": "application/fhir+json"}
    async with aiohttp.ClientSession(node.address, headers=headers) as http:
        for number in range(ORGANISATIONS):
            id = organisation_id(number)
            resource = {"resourceType": "Organization", "id": id, "name": f"Hospital {number}"}
            address = f"/fhir/Organization/{id}"
            async with http.put(address, data=msgspec.json.encode(resource)) as answer:
                assert answer.status < 300, await answer.text()
    return await asyncio.to_thread(node.issue, "--organisation", organisation_id(ONE_OF_THEM))


def _reach(url: str, base: str, before: int, after: int, *, analyse: bool) -> None:
    if after <= before:
        return
    began = time.perf_counter()
    grow(url, base, before, after)
    taken = time.perf_counter() - began
    print(f"grew to {after * EACH} resources in {taken:.0f} s", file=sys.stderr, flush=True)
    if analyse:
        # What autovacuum does within a minute or two; waiting for it would not be repeatable.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")


async def _cheapest(http: aiohttp.ClientSession, node: Node, request: Asking, clients: int) -> Cell:
    offset = itertools.count(time.time_ns() % 1_000_000_000, 1_000_000)

    processes = (node.process, node.postmaster)
    cells = []
    for _ in range(TRIES):
        for seconds in (WARM_S, SECONDS):
            shift = next(offset)

            async def act(number: int, shift: int = shift) -> None:
                await request(number + shift).send(http)

            cell = await measure(act, clients, seconds, processes)
        cells.append(cell)
    return min(cells, key=lambda cell: cell.server_ms + cell.database_ms)


def _point(who: str, row: str, resources: int, cells: list[Cell], plans: list[Plan]) -> Point:
    one, eight = cells
    pages = sum(plan.pages for plan in plans) // EXPLAINED
    took = sum(plan.took_ms for plan in plans) / EXPLAINED
    return Point(who, row, resources, one, eight, pages, took)


def _tell(point: Point) -> None:
    print(
        f"{point.resources:>8} {point.asker:<12} {point.row:<45} {point.one.p50_ms:7.2f}"
        f" {point.one.p99_ms:7.2f} | {point.eight.p50_ms:7.2f} {point.eight.p99_ms:7.2f} |"
        f" {point.eight.server_ms:.2f}+{point.eight.database_ms:.2f} ms | {point.pages} pages"
        f" {point.statement_ms:.2f} ms",
        file=sys.stderr, flush=True,
    )  # fmt: skip


def _write_plans(file: TextIO, point: Point, plans: list[Plan]) -> None:
    for plan in plans[: max(1, len(plans) // EXPLAINED)]:
        head = f"== {point.resources} resources, {point.asker}: {point.row}"
        print(head, plan.statement, plan.text, "", sep="\n", file=file, flush=True)


def _write(out: Path, points: list[Point]) -> None:
    out.with_suffix(".json").write_bytes(
        msgspec.json.format(msgspec.json.encode([asdict(one) for one in points]))
    )
    sizes = sorted({one.resources for one in points})
    rows: dict[tuple[str, str], dict[int, Point]] = defaultdict(dict)
    for one in points:
        rows[one.asker, one.row][one.resources] = one
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    lines = [
        f"Commit {commit}; {' / '.join(f'{size:,}' for size in sizes)} resources.",
        "",
        "| as | what | p50 ms, 1 client | p50 / p99 ms, 8 clients | CPU ms per request"
        " | growth | pages touched |",
        "|---|---|---|---|---|---|---|",
    ]
    for (who, row), by_size in rows.items():
        found = [by_size[size] for size in sizes if size in by_size]
        cells = [
            " / ".join(f"{one.one.p50_ms:.1f}" for one in found),
            ", ".join(f"{one.eight.p50_ms:.1f} / {one.eight.p99_ms:.1f}" for one in found),
            " / ".join(f"{one.cpu_ms:.2f}" for one in found),
            f"{found[-1].cpu_ms / found[0].cpu_ms:.2f}",
            " / ".join(str(one.pages) for one in found),
        ]
        lines.append(f"| {who} | {row} | {' | '.join(cells)} |")
    out.with_suffix(".md").write_text("\n".join(lines) + "\n")


def merge(out: Path, *files: Path) -> None:
    """One table of several runs, where not all sizes were measured in one."""
    read = msgspec.json.Decoder(list[Point])
    _write(out, [point for file in files for point in read.decode(file.read_bytes())])


def main(sizes: str, out: str, rows: str, home: Path | None, *, analyse: bool) -> None:
    with server(home=home) as node:
        asyncio.run(
            run(node, [int(one) for one in sizes.split(",")], Path(out), rows, analyse=analyse)
        )
