"""Measure bulk import: NDJSON into an empty database, by `serai import` and by $import.

    .venv/bin/python -m tools.bench_import                       20,000 made-up resources, both ways
    .venv/bin/python -m tools.bench_import --count 120000 --bundles FOLDER --way file

With --bundles the resources are those of FHIR bundles, again and again with other ids until there
are enough, and Observations once more. CPU is user and system time of all processes, Python's and
PostgreSQL's. Beside each 20,000 resources stands how large every process of Python's has been
until then: the same figures at the beginning and at the end mean that memory does not grow.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from tools.bench_fhir import a_patient, an_encounter, an_observation
from tools.bench_node import BIN, Node, cpu_seconds, server

from serai.platform.postgres import Cluster

EVERY = 20_000
LOOK_EVERY_S = 0.1
ONCE_MORE = 4
UUID = re.compile(rb"([0-9a-f]{8})(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
ENTRY = re.compile(r"urn:uuid:([0-9a-f-]{36})")
CONDITION = re.compile(r'"reference":"([A-Z][A-Za-z]+)\?identifier=[^"|]*\|([^"]*)"')
FIRST = ("Organization", "Location", "Practitioner", "PractitionerRole", "Patient")

IN = "SELECT coalesce(sum(created + updated), 0) FROM import_file"


def made_up() -> Iterator[bytes]:
    """Patients of the other rows, with an encounter and eight observations each."""
    for number in itertools.count():
        patient = f"p{number}"
        about = f"Patient/{patient}"
        yield json.dumps(a_patient(number) | {"id": patient}).encode()
        yield json.dumps(an_encounter(about, number) | {"id": f"e{number}"}).encode()
        for one in range(8):
            yield json.dumps(an_observation(about, one) | {"id": f"o{number}-{one}"}).encode()


def of_bundles(folder: Path) -> Iterator[bytes]:
    """The entries of bundles as lines that refer to each other by id, without end."""
    lines = sorted({line for path in folder.glob("*.json") for line in _lines(path)})
    some = lines[:: ONCE_MORE + 1]
    for copy in itertools.count():
        for _, line in lines:
            yield _renamed(line, copy)
        for _, line in some:
            if b'"resourceType":"Observation"' in line:
                yield _renamed(line, copy | 1 << 31)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    entries = json.loads(path.read_text())["entry"]
    types = {one["resource"]["id"]: one["resource"]["resourceType"] for one in entries}
    for entry in entries:
        resource = entry["resource"]
        text = json.dumps(resource, separators=(",", ":"))
        text = ENTRY.sub(lambda found: f"{types.get(found[1], 'Basic')}/{found[1]}", text)
        text = CONDITION.sub(r'"reference":"\1/\2"', text)
        kind = resource["resourceType"]
        yield FIRST.index(kind) if kind in FIRST else len(FIRST), text.encode()


def _renamed(line: bytes, copy: int) -> bytes:
    """With other ids everywhere, so that it refers to the resources of the same copy."""
    return UUID.sub(lambda found: b"%08x" % (int(found[1], 16) ^ copy) + found[2], line)


@dataclass
class Watched:
    """What the processes of an import took."""

    root: int
    postmaster: int
    url: str
    seconds: float = 0.0
    cpu: float = 0.0
    database_cpu: float = 0.0
    count: int = 0
    peaks: dict[int, dict[int, int]] = field(default_factory=dict)

    def rows(self) -> Iterator[str]:
        for resources, sizes in sorted(self.peaks.items()):
            yield f"  until {resources:>9,}: " + " + ".join(
                f"{sizes[process] >> 10} MB" for process in sorted(sizes)
            )


@contextmanager
def watched(root: int, postmaster: int, url: str) -> Iterator[Watched]:
    """Looks at the processes again and again while the block runs."""
    seen, over = Watched(root, postmaster, url), threading.Event()
    watching = threading.Thread(target=_watch, args=(seen, over))
    before = cpu_seconds(root), cpu_seconds(postmaster)
    begin = time.perf_counter()
    watching.start()
    try:
        yield seen
    finally:
        seen.seconds = time.perf_counter() - begin
        over.set()
        watching.join()
        # A root that has ended was a child of this process, whose account it is in now.
        seen.database_cpu = cpu_seconds(postmaster) - before[1]
        seen.cpu = max(seen.cpu, cpu_seconds(root)) - before[0]


def _watch(seen: Watched, over: threading.Event) -> None:
    with psycopg.connect(seen.url, autocommit=True) as connection:
        while not over.wait(LOOK_EVERY_S):
            (count,) = connection.execute(IN).fetchone() or (0,)
            at = seen.peaks.setdefault(-(-int(count) // EVERY) * EVERY, {})
            for process, size in _sizes(seen.root):
                at[process] = max(at.get(process, 0), size)
            seen.cpu = max(seen.cpu, cpu_seconds(seen.root))
        (seen.count,) = connection.execute(IN).fetchone() or (0,)


def _sizes(root: int) -> Iterator[tuple[int, int]]:
    """Resident kB of a process and of what it has started."""
    parents: dict[int, tuple[int, int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "status").read_text()
        except OSError:
            continue
        words = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        if "VmRSS" in words:
            parents[int(folder.name)] = int(words["PPid"]), int(words["VmRSS"].split()[0])
    wanted = {root}
    for process in sorted(parents):
        parent, size = parents[process]
        if process == root or parent in wanted:
            wanted.add(process)
            yield process, size


def by_file(path: Path) -> Watched:
    """`serai import PATH` beside a running database."""
    with tempfile.TemporaryDirectory(prefix="serai-bench-") as home:
        environment = {**os.environ, "SERAI_HOME": home}
        token = [str(BIN / "serai"), "token", "--scope", "system/*.r", "--ttl", "1h"]
        subprocess.run(token, env=environment, check=True, stdout=subprocess.DEVNULL)
        with Cluster(Path(home)) as cluster:
            postmaster = int((cluster.data / "postmaster.pid").read_text().partition("\n")[0])
            process = subprocess.Popen(
                [BIN / "serai", "import", path], env=environment, stdout=subprocess.DEVNULL
            )
            with watched(process.pid, postmaster, cluster.url) as seen:
                assert process.wait() == 0
    return seen


def by_http(path: Path) -> Watched:
    """POST $import and wait for its job."""
    with server() as node:
        url = Cluster(node.home).url
        with watched(node.process, node.postmaster, url) as seen, path.open("rb") as body:
            headers = {
                "Content-Type": "application/fhir+ndjson",
                "Content-Length": str(path.stat().st_size),
                "Prefer": "respond-async",
            }
            job = _ask(node, f"{node.address}/fhir/$import", headers, body)
            while _ask(node, job.headers["Content-Location"], {}).status == 202:
                time.sleep(LOOK_EVERY_S)
    return seen


def _ask(node: Node, url: str, headers: dict[str, str], body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {node.token}", **headers}
    request = urllib.request.Request(url, headers=headers, data=body)  # noqa: S310 (loopback)
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        answer.read()
        return answer


WAYS: dict[str, Callable[[Path], Watched]] = {"file": by_file, "http": by_http}


def rows(count: int, bundles: Path | None, ways: list[str]) -> Iterator[str]:
    """A line for each way and its sizes below."""
    with tempfile.TemporaryDirectory(prefix="serai-bench-") as folder:
        path = Path(folder) / "resources.ndjson"
        lines = itertools.islice(of_bundles(bundles) if bundles else made_up(), count)
        with path.open("wb") as file:
            file.writelines(line + b"\n" for line in lines)
        for way in ways:
            seen = WAYS[way](path)
            assert seen.count == count, (seen.count, count)
            cpu = (seen.cpu + seen.database_cpu) * 1_000_000 / count
            of_database = seen.database_cpu * 1_000_000 / count
            yield (
                f"import {count:,} by {way}: {count / seen.seconds:.0f}/s ({seen.seconds:.1f} s),"
                f" CPU {cpu:.0f} µs each, {of_database:.0f} of it PostgreSQL's"
            )
            yield from seen.rows()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=20_000)
    arguments.add_argument("--bundles", type=Path)
    arguments.add_argument("--way", choices=WAYS, action="append")
    given = arguments.parse_args()
    for row in rows(given.count, given.bundles, given.way or list(WAYS)):
        print(row, flush=True)


if __name__ == "__main__":
    main()
