"""Measure this commit: FHIR and DICOM throughput of a real server on an empty database.

    make bench

Every answer is checked; a wrong one ends the run. The load is bounded (seconds, clients) and
goes to loopback only. Figures of different runs compare only as ratios: machines are noisy.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

CLIENTS = 8
SECONDS = 4.0
PATIENTS = 200
OBSERVATIONS_EACH = 20
SERAI = str(Path(sys.executable).parent / "serai")


@dataclass(frozen=True)
class Row:
    name: str
    per_second: float
    p50_ms: float
    p99_ms: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """A server with a state folder of its own; yields (address, token)."""
    with tempfile.TemporaryDirectory(prefix="serai-bench-") as home:
        port = free_port()
        environment = {
            **os.environ,
            "SERAI_HOME": home,
            "SERAI_PORT": str(port),
            "SERAI_DIMSE_PORT": str(free_port()),
        }
        process = subprocess.Popen([SERAI, "serve"], env=environment, stdout=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_ready(address)
            token = subprocess.run(
                [SERAI, "token", "--scope", "system/*.cruds", "--ttl", "1h"],
                env=environment, check=True, capture_output=True, text=True,
            ).stdout.strip()  # fmt: skip
            yield address, token
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_until_ready(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):  # noqa: S310 (loopback)
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not become ready in 30 s")


async def measure(name: str, act: Callable[[int], Awaitable[None]]) -> Row:
    """Closed loop: each client sends its next request on the previous answer."""
    latencies: list[float] = []
    numbers = itertools.count()
    end = time.perf_counter() + SECONDS

    async def client() -> None:
        while (start := time.perf_counter()) < end:
            await act(next(numbers))
            latencies.append(time.perf_counter() - start)

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    elapsed = time.perf_counter() - begin
    latencies.sort()
    return Row(
        name,
        len(latencies) / elapsed,
        statistics.median(latencies) * 1000,
        latencies[int(len(latencies) * 0.99)] * 1000,
    )


def a_patient(number: int) -> dict[str, object]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:serai:bench", "value": f"MRN{number}"}],
        "name": [{"family": f"Bench{number % 20}", "given": ["Ana"]}],
        "birthDate": f"19{number % 80 + 10}-03-15",
    }


def an_observation(patient: str, number: int) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": f"2026-{number % 12 + 1:02d}-15T08:00:00Z",
        "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org"},
    }


class Bench:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.http = session
        self.patients: list[str] = []

    async def post(self, resource: dict[str, object]) -> str:
        async with self.http.post(f"/fhir/{resource['resourceType']}", json=resource) as answer:
            body = await answer.json(content_type=None)
            assert answer.status == 201, body
            return str(body["id"])

    async def seed(self) -> None:
        self.patients = [await self.post(a_patient(number)) for number in range(PATIENTS)]
        for start in range(0, PATIENTS, 10):
            entries = [
                {
                    "resource": an_observation(patient, number),
                    "request": {"method": "POST", "url": "Observation"},
                }
                for patient in self.patients[start : start + 10]
                for number in range(OBSERVATIONS_EACH)
            ]
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
            async with self.http.post("/fhir", json=bundle) as answer:
                assert answer.status == 200, await answer.text()

    def patient(self, number: int) -> str:
        return self.patients[number * 7919 % PATIENTS]

    async def read(self, number: int) -> None:
        async with self.http.get(f"/fhir/Patient/{self.patient(number)}") as answer:
            assert answer.status == 200
            await answer.read()

    async def create(self, number: int) -> None:
        await self.post(an_observation(self.patient(number), number))

    async def expect(self, query: str, total: int) -> None:
        async with self.http.get(f"/fhir/{query}") as answer:
            body = await answer.json(content_type=None)
            assert len(body.get("entry", [])) == total, (query, body)

    async def by_identifier(self, number: int) -> None:
        value = number * 7919 % PATIENTS
        await self.expect(f"Patient?identifier=urn:serai:bench|MRN{value}", 1)

    async def by_family(self, number: int) -> None:
        await self.expect(f"Patient?family=bench{number % 10 + 10}", PATIENTS // 20)

    async def metadata(self, _: int) -> None:
        async with self.http.get("/fhir/metadata") as answer:
            assert answer.status == 200
            await answer.read()


async def run(address: str, token: str) -> list[Row]:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(address, headers=headers) as session:
        bench = Bench(session)
        await bench.seed()
        return [
            await measure("FHIR read", bench.read),
            await measure("FHIR Patient?identifier", bench.by_identifier),
            await measure("FHIR Patient?family, 10 hits", bench.by_family),
            await measure("FHIR create Observation", bench.create),
            await measure("FHIR CapabilityStatement", bench.metadata),
        ]


def main() -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    with server() as (address, token):
        rows = asyncio.run(run(address, token))
    print(f"commit {commit}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores,")
    print(f"{CLIENTS} clients, {SECONDS:g} s each\n")
    print("| what | per second | p50 ms | p99 ms |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.name} | {row.per_second:.0f} | {row.p50_ms:.1f} | {row.p99_ms:.1f} |")
    print(json.dumps({row.name: round(row.per_second) for row in rows}), file=sys.stderr)


if __name__ == "__main__":
    main()
