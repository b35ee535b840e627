"""What became of an import's files, for its manifest: counts, and OperationOutcomes as NDJSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from serai.exchange.importing import ledger
from serai.exchange.importing.inputs import Given, place
from serai.exchange.importing.ledger import Progress
from serai.exchange.importing.tally import Refused, Tally
from serai.fhir import body
from serai.fhir.bulk import files
from serai.fhir.bulk.inputs import Input
from serai.kernel.errors import Unavailable
from serai.platform.blobs import Blobs
from serai.platform.running import Running


async def tell(
    running: Running, blobs: Blobs, wanted: Sequence[Input], given: Sequence[Given], tally: Tally
) -> None:
    """One file of refusals for an upload, one for each input that had any; all at once, so that
    a job that is taken up again lists none twice."""
    refused = list(tally.refusals.values())
    places = [place(number) for number in range(len(wanted))]
    lists = [[one for one in refused if one.file == name] for name in places]
    counted = await _counted(running, given)
    inputs = [
        {"url": input.url, "imported": counted.get(name, 0), "refused": len(those)}
        for input, name, those in zip(wanted, places, lists, strict=True)
    ]
    listed = [
        (await blobs.put(_outcomes(those)), len(those)) for those in (lists or [refused]) if those
    ]
    async with running.db.transaction() as tx:
        for digest, count in listed:
            there = await files.record(
                tx,
                blobs,
                running.job.id,
                list="error",
                type="OperationOutcome",
                digest=digest,
                count=count,
            )
            if not there:
                raise Unavailable("job.gave-up")
        state = {**running.job.state, "told": True, "inputs": inputs}
        await running.move(tx, state, done=running.job.done)


async def _counted(running: Running, given: Sequence[Given]) -> dict[str, int]:
    """Resources by file, as the ledger has them."""
    organisation = running.job.actor.organisation or ""
    async with running.db.connection() as connection:
        known = await ledger.known(connection, [one.digest for one in given], organisation)
    return {one.place: known.get(one.digest, Progress()).counts.total for one in given}


async def _outcomes(refused: list[Refused]) -> AsyncIterator[bytes]:
    for one in refused:
        where = f"{one.file}, {one.place}" if one.place else one.file
        issue: dict[str, Any] = {
            "severity": "error",
            "code": "processing",
            "details": {
                "coding": [{"system": "https://serai.health/fhir/errors", "code": one.key}]
            },
            "diagnostics": f"{where}: {one.reason}",
        }
        yield body.encode({"resourceType": "OperationOutcome", "issue": [issue]}) + b"\n"
