"""Measure this commit: a real server on an empty database, at 1, 8 and 32 clients.

    make bench                  every row, about four minutes
    make bench ROWS=read,create only these

Every answer is checked; a wrong one ends the run. The load is bounded (seconds, clients) and
goes to loopback only. CPU is user and system time of the server's and the database's processes.
Beside the FHIR rows stand floors: a bare ASGI program that runs the very statements of a read, a
search by name and a create and nothing else, and the read's SELECT without any HTTP. Figures of
different runs compare only as ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from tools.bench_fhir import FhirRows
from tools.bench_floor import bare_asgi, bare_sql
from tools.bench_import import rows as import_rows
from tools.bench_node import Node, cpu_seconds, free_port, server

from serai.platform.postgres import Cluster

CLIENTS = (1, 8, 32)
SECONDS = 3.0
WARM_S = 1.0
IMPORTED = 20_000


@dataclass(frozen=True)
class Cell:
    """One row at one number of clients; CPU in ms per request, server and database."""

    per_second: float
    p50_ms: float
    p99_ms: float
    server_ms: float
    database_ms: float


async def measure(
    act: Callable[[int], Awaitable[None]], clients: int, seconds: float, processes: tuple[int, int]
) -> Cell:
    """Closed loop: each client sends its next request on the previous answer."""
    latencies: list[float] = []
    numbers = itertools.count()
    before = [cpu_seconds(one) for one in processes]
    begin = time.perf_counter()
    end = begin + seconds

    async def client() -> None:
        while (start := time.perf_counter()) < end:
            await act(next(numbers))
            latencies.append(time.perf_counter() - start)

    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - begin
    used = [cpu_seconds(one) - was for one, was in zip(processes, before, strict=True)]
    latencies.sort()
    count = len(latencies)
    return Cell(
        count / elapsed,
        statistics.median(latencies) * 1000,
        latencies[int(count * 0.99)] * 1000,
        used[0] * 1000 / count,
        used[1] * 1000 / count,
    )


async def measure_row(
    name: str, act: Callable[[int], Awaitable[None]], processes: tuple[int, int]
) -> None:
    await measure(act, 4, WARM_S, processes)
    cells = [await measure(act, clients, SECONDS, processes) for clients in CLIENTS]
    rates = " / ".join(f"{one.per_second:.0f}" for one in cells)
    eight = cells[1]
    print(
        f"| {name} | {rates} | {eight.p50_ms:.1f} / {eight.p99_ms:.1f}"
        f" | {eight.server_ms:.2f} + {eight.database_ms:.2f} |",
        flush=True,
    )


async def run(node: Node, wanted: set[str]) -> None:
    processes = (node.process, node.postmaster)
    headers = {"Authorization": f"Bearer {node.token}"}
    async with aiohttp.ClientSession(node.address, headers=headers) as session:
        fhir = FhirRows(session)
        await fhir.seed()
        for name, act in fhir.rows().items():
            if not wanted or wanted & set(name.lower().split()):
                await measure_row(name, act, processes)
        if not wanted or "floor" in wanted:
            url = Cluster(node.home).url
            async with bare_asgi(url, free_port(), session) as (process, acts):
                for name, act in acts.items():
                    await measure_row(f"floor: bare ASGI, {name}", act, (process, node.postmaster))
            async with bare_sql(url) as act:
                await measure_row("floor: one SELECT, no HTTP", act, (os.getpid(), node.postmaster))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", default="", help="words of the rows wanted, comma-separated")
    arguments.add_argument("--curve", default="", help="sizes of a growing store instead")
    arguments.add_argument("--out", default="curve", help="where the curve's files go")
    arguments.add_argument("--home", type=Path, help="a store for the curve that stays")
    arguments.add_argument("--unanalysed", action="store_true", help="as before any statistics")
    arguments.add_argument("--crowd", type=int, default=0, help="so many clients at once instead")
    arguments.add_argument("--workers", type=int, default=1, help="web workers for the crowd")
    arguments.add_argument("--parts", default="mix,documents,observations", help="of the crowd")
    given = arguments.parse_args()
    if given.crowd:
        # It needs what is in this module.
        from tools import bench_fairness  # noqa: PLC0415

        bench_fairness.main(given.crowd, given.workers, given.parts)
        return
    if given.curve:
        # It needs what is in this module.
        from tools import bench_curve  # noqa: PLC0415

        bench_curve.main(
            given.curve, given.out, given.rows.lower(), given.home, analyse=not given.unanalysed
        )
        return
    rows = {one for one in given.rows.lower().split(",") if one}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    print(f"commit {commit}, {platform.machine()}, {os.cpu_count()} cores, {SECONDS:g} s each\n")
    print("| what | requests/s with 1 / 8 / 32 clients | p50 / p99 ms with 8 | CPU ms |")
    print("|---|---|---|---|")
    with server() as node:
        asyncio.run(run(node, rows))
    if not rows or "import" in rows:
        print()
        for row in import_rows(IMPORTED, None, ["file", "http"]):
            print(row, flush=True)


if __name__ == "__main__":
    main()
