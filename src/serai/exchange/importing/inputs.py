"""The inputs of an import that are named by address: fetched one after the other, each once.

`state` of the job says which are here, which cannot be had and why, and how far the next one is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from serai.exchange.importing.fetching import Arrived, Fetcher, Pace, taken_over
from serai.exchange.importing.ledger import Progress, Refusal
from serai.exchange.importing.tally import Tally
from serai.exchange.importing.texts import reason
from serai.fhir.bulk import files
from serai.fhir.bulk.inputs import Hosts, Input
from serai.fhir.subscriptions.delivering import trust
from serai.kernel.errors import SeraiError, Unavailable
from serai.platform.blobs import Blobs
from serai.platform.jobs import Moved
from serai.platform.running import Running


@dataclass(frozen=True, slots=True)
class Fetching:
    """What the settings allow: from where, under whose certificates, how many bytes a file."""

    hosts: Hosts
    authorities: Path | None
    most: int
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Given:
    """A file to import: how refusals call it, its blob, and the type it was said to hold."""

    place: str
    digest: str
    type: str | None = None


async def fetched(
    running: Running, blobs: Blobs, fetching: Fetching, wanted: Sequence[Input]
) -> None:
    """Until every input is here or known not to be had."""
    # No connection is used again: it was proven for one name, and is known by its address.
    once = httpx.Limits(max_keepalive_connections=0)
    trusted = trust(fetching.authorities)
    async with httpx.AsyncClient(trust_env=False, verify=trusted, limits=once) as client:
        fetcher = Fetcher(client, fetching.hosts, blobs, running, fetching.most, fetching.pace)
        for number in range(len(_settled(running.job.state)), len(wanted)):
            await _fetch(fetcher, number, wanted[number])


def received(state: Mapping[str, Any], wanted: Sequence[Input], tally: Tally) -> list[Given]:
    """What is here; what cannot be had is refused as a whole."""
    found = []
    for number, (one, input) in enumerate(zip(_settled(state), wanted, strict=True)):
        if "digest" in one:
            found.append(Given(place(number), one["digest"], input.type))
        else:
            tally.saw(Progress())
            tally.refused(place(number), Refusal(0, "", one["error"], one["reason"]))
    return found


def place(number: int) -> str:
    """As FHIR would write where in the request it is."""
    return f"input[{number}]"


async def _fetch(fetcher: Fetcher, number: int, one: Input) -> None:
    running = fetcher.running
    gathered = fetcher.blobs.unfinished(f"import-{running.job.id}-{number}-{running.job.run}")
    arrived = await _taken_up(fetcher, gathered)

    async def note(arrived: Arrived) -> None:
        state = {**running.job.state, "gathering": {"file": gathered.name, **asdict(arrived)}}
        async with running.db.transaction() as tx:
            await running.move(tx, state, done=running.job.done)

    try:
        running.go_on()
        digest = await fetcher.fetch(one.url, gathered, arrived, note)
    except Moved:
        await asyncio.to_thread(gathered.unlink, missing_ok=True)
        raise
    except Unavailable:
        raise
    except SeraiError as error:
        await asyncio.to_thread(gathered.unlink, missing_ok=True)
        await _settle(fetcher, one, {"error": error.key, "reason": reason(error)})
    else:
        await _settle(fetcher, one, {"digest": digest})


async def _taken_up(fetcher: Fetcher, gathered: Path) -> Arrived:
    """What an earlier run of this job has of the file, nothing if that cannot be used."""
    left = fetcher.running.job.state.get("gathering")
    if left is None:
        return Arrived()
    before = fetcher.blobs.unfinished(left["file"])
    if not left["etag"]:
        await asyncio.to_thread(before.unlink, missing_ok=True)
        return Arrived()
    try:
        await asyncio.to_thread(taken_over, before, gathered, left["size"])
    except OSError:
        return Arrived()
    return Arrived(left["size"], left["etag"])


async def _settle(fetcher: Fetcher, one: Input, outcome: dict[str, str]) -> None:
    """Written down with the blob in the job's list, which keeps it until the job expires."""
    running, digest = fetcher.running, outcome.get("digest")
    kept = {name: value for name, value in running.job.state.items() if name != "gathering"}
    state = kept | {"settled": [*_settled(kept), outcome]}
    try:
        async with running.db.transaction() as tx:
            if digest is not None and not await files.record(
                tx, fetcher.blobs, running.job.id,
                list="input", type=one.type, digest=digest, count=0,
            ):  # fmt: skip
                raise Unavailable("database.busy")
            await running.move(tx, state, done=running.job.done)
    except Moved:
        if digest is not None:
            await files.drop(running.db, fetcher.blobs, digest)
        raise


def _settled(state: Mapping[str, Any]) -> list[dict[str, str]]:
    return list(state.get("settled", ()))
