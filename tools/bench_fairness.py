"""Many clients at once, any mix: whether everybody is served, how evenly, and in how much memory.

    python -m tools.bench --crowd 200 [--workers 2]

Each client sends its next request on the previous answer and draws it from a mix of every kind;
meanwhile somebody asks /healthz. Afterwards come large transactions, all at once, and
`$everything` of a large record. Memory is that of the web workers: the most that was resident
(RSS, shared pages included) and the share that is their own (PSS).
"""

from __future__ import annotations

import asyncio
import base64
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from tools.bench_curve_rows import Asker, Request
from tools.bench_fhir import posting
from tools.bench_node import Node, server
from tools.bench_population import EACH, OBSERVATIONS, an_observation, grow, id_of

from serai.platform.postgres import Cluster

PATIENTS = 360
SECONDS = 20.0
HEALTH_EVERY_S = 0.1
LARGE = 50
LARGE_BYTES = 10 * 1024 * 1024
FHIR_JSON = {"Content-Type": "application/fhir+json"}

# How many of a hundred requests; the other kinds share what is left.
OFTEN = {"read": 30, "create Observation": 8, "update Observation": 6}
SELDOM = 56


@dataclass
class Crowd:
    """What happened: latencies by kind, and everything that was no good answer."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    health: list[float] = field(default_factory=list)
    stood_still: float = 0.0

    async def client(
        self, http: aiohttp.ClientSession, asker: Asker, seed: int, end: float
    ) -> None:
        drawing = random.Random(seed)  # noqa: S311 - which request comes next is no secret
        rows = asker.rows()
        others = [name for name in rows if name not in OFTEN]
        names = [*OFTEN, *others]
        weights = [*OFTEN.values(), *[SELDOM / len(others)] * len(others)]
        while time.perf_counter() < end:
            (name,) = drawing.choices(names, weights)
            request = rows[name](drawing.randrange(1 << 40))
            await self.timed(name, http, request)

    async def timed(self, name: str, http: aiohttp.ClientSession, request: Request) -> None:
        start = time.perf_counter()
        try:
            path = f"/fhir/{request.path}".removesuffix("/")
            headers = FHIR_JSON if request.body else None
            async with http.request(
                request.method, path, data=request.body, headers=headers
            ) as answer:
                await answer.read()
                if answer.status >= 300:
                    self.errors[f"{name}: {answer.status}"] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.errors[f"{name}: {type(error).__name__}"] += 1
        self.took[name].append(time.perf_counter() - start)

    async def feel(self) -> None:
        """A machine that stands still for a while makes everybody wait: such a run is no good."""
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.05)
            self.stood_still = max(self.stood_still, time.perf_counter() - start - 0.05)

    async def watch(self, address: str) -> None:
        """As a load balancer: a connection of its own for each question."""
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(address, connector=connector) as http:
            while True:
                start = time.perf_counter()
                async with http.get("/healthz") as answer:
                    if answer.status != 200:
                        self.errors[f"healthz: {answer.status}"] += 1
                self.health.append(time.perf_counter() - start)
                await asyncio.sleep(HEALTH_EVERY_S)


class Memory:
    """Of the web workers below the server's process, the largest."""

    def __init__(self, supervisor: int) -> None:
        self.workers = [
            int(folder.name)
            for folder in Path("/proc").glob("[0-9]*")
            if _is_web_worker(folder, supervisor)
        ]
        self.most_own = 0

    def look(self) -> None:
        for worker in self.workers:
            with suppress(OSError):
                own = _kilobytes(Path(f"/proc/{worker}/smaps_rollup"), "Pss:")
                self.most_own = max(self.most_own, own)

    async def keep_looking(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.25)

    def told(self) -> str:
        peaks = [_kilobytes(Path(f"/proc/{one}/status"), "VmHWM:") for one in self.workers]
        now = [_kilobytes(Path(f"/proc/{one}/status"), "VmRSS:") for one in self.workers]
        return (
            f"web worker memory: RSS at most {max(peaks) / 1024:.0f} MB, now"
            f" {max(now) / 1024:.0f} MB; PSS at most {self.most_own / 1024:.0f} MB"
        )


def _is_web_worker(folder: Path, supervisor: int) -> bool:
    with suppress(OSError):
        command = (folder / "cmdline").read_bytes().split(b"\0")
        parent = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
        return parent == supervisor and command[-3:-1] == [b"serai.serving.part", b"web"]
    return False


def _kilobytes(file: Path, name: str) -> int:
    line = next(line for line in file.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])


def of_documents(number: int) -> bytes:
    """A transaction of ten megabytes: few resources, each with a scanned page."""
    page = base64.b64encode(random.Random(number).randbytes(380_000)).decode()  # noqa: S311
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": f"Patient/{id_of(number % PATIENTS)}"},
        "content": [{"attachment": {"contentType": "image/jpeg", "data": page}}],
    }
    return _transaction(document for _ in range(LARGE_BYTES // len(page)))


def of_observations(number: int) -> bytes:
    """A transaction of ten megabytes: thousands of small resources."""
    patient = number % PATIENTS
    one = an_observation(patient, 1)
    count = LARGE_BYTES // (len(msgspec.json.encode(one)) + 60)
    return _transaction(an_observation(patient, n % OBSERVATIONS) for n in range(count))


def _transaction(resources: Iterator[Any]) -> bytes:
    entries = [posting(one) for one in resources]
    return msgspec.json.encode({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def shown(name: str, took: list[float]) -> str:
    took.sort()
    half, most = statistics.median(took), took[int(len(took) * 0.99)]
    return (
        f"| {name} | {len(took)} | {half * 1000:.0f} | {most * 1000:.0f} | {most / half:.1f}"
        f" | {took[-1] * 1000:.0f} |"
    )


async def mixed(node: Node, clients: int, memory: Memory) -> None:
    crowd, asker = Crowd(), Asker(PATIENTS)
    headers = {"Authorization": f"Bearer {node.token}"}
    watching = [
        asyncio.create_task(crowd.watch(node.address)),
        asyncio.create_task(crowd.feel()),
        asyncio.create_task(memory.keep_looking()),
    ]
    async with aiohttp.ClientSession(
        node.address, headers=headers, connector=aiohttp.TCPConnector(limit=0)
    ) as http:
        for seconds in (3.0, SECONDS):
            crowd.took.clear()
            end = time.perf_counter() + seconds
            await asyncio.gather(*(crowd.client(http, asker, n, end) for n in range(clients)))
    for task in watching:
        task.cancel()
    print(f"{clients} clients, {SECONDS:g} s:\n")
    print("| kind | requests | p50 ms | p99 ms | p99/p50 | longest ms |")
    print("|---|---|---|---|---|---|")
    for name, took in crowd.took.items():
        print(shown(name, took))
    print(shown("the whole mix", [one for took in crowd.took.values() for one in took]))
    print(shown("/healthz meanwhile", crowd.health))
    print(f"\nerrors: {dict(crowd.errors) or 'none'}; {memory.told()}")
    print(f"the load itself stood still for {crowd.stood_still:.2f} s at most\n", flush=True)


async def large(
    node: Node, memory: Memory, name: str, made: Callable[[int], bytes], count: int
) -> None:
    crowd = Crowd()
    headers = {"Authorization": f"Bearer {node.token}"}
    watching = [
        asyncio.create_task(crowd.watch(node.address)),
        asyncio.create_task(crowd.feel()),
        asyncio.create_task(memory.keep_looking()),
    ]
    timeout = aiohttp.ClientTimeout(total=1200)
    async with aiohttp.ClientSession(
        node.address, headers=headers, connector=aiohttp.TCPConnector(limit=0), timeout=timeout
    ) as http:
        body = made(0)
        sent = [crowd.timed(name, http, Request("POST", "", body=body)) for _ in range(count)]
        await asyncio.gather(*sent)
    for task in watching:
        task.cancel()
    print(f"{count} at once, {len(body) / 1e6:.1f} MB each:\n")
    print("| kind | requests | p50 ms | p99 ms | p99/p50 | longest ms |")
    print("|---|---|---|---|---|---|")
    print(shown(name, crowd.took[name]))
    print(shown("/healthz meanwhile", crowd.health))
    print(f"\nerrors: {dict(crowd.errors) or 'none'}; {memory.told()}\n", flush=True)


async def everything(node: Node, memory: Memory) -> None:
    """Of the patient with all those documents, page by page."""
    crowd = Crowd()
    headers = {"Authorization": f"Bearer {node.token}"}
    async with aiohttp.ClientSession(node.address, headers=headers) as http:
        path: str | None = f"/fhir/Patient/{id_of(0)}/$everything?_count=1000"
        start, pages, size = time.perf_counter(), 0, 0
        while path:
            async with http.get(path) as answer:
                content = await answer.read()
                assert answer.status == 200, content[:300]
            memory.look()
            pages, size = pages + 1, size + len(content)
            links = msgspec.json.decode(content)["link"]
            path = next((one["url"] for one in links if one["relation"] == "next"), None)
        took = time.perf_counter() - start
    print(f"$everything of a large record: {size / 1e6:.0f} MB on {pages} pages in {took:.1f} s")
    print(f"errors: {dict(crowd.errors) or 'none'}; {memory.told()}\n", flush=True)


Part = Callable[[Node, Memory], Awaitable[None]]


async def run(node: Node, clients: int, parts: str) -> None:
    await asyncio.to_thread(grow, Cluster(node.home).url, f"{node.address}/fhir", 0, PATIENTS)
    print(f"{PATIENTS * EACH} resources; before: {Memory(node.process).told()}\n")
    if "mix" in parts:
        await mixed(node, clients, Memory(node.process))
    if "documents" in parts:
        await large(node, Memory(node.process), "transaction of documents", of_documents, LARGE)
        await everything(node, Memory(node.process))
    if "observations" in parts:
        await large(node, Memory(node.process), "transaction of observations", of_observations, 4)


def main(clients: int, workers: int, parts: str) -> None:
    with server(settings={"SERAI_WORKERS": str(workers)}) as node:
        asyncio.run(run(node, clients, parts))
