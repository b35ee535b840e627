"""One analysis from the queue to its end: its box filled, run, its result kept; tried thrice."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from psycopg import OperationalError

from serai.imaging.analysis import box, keeping, records
from serai.imaging.analysis.box import Answer, Limits
from serai.imaging.analysis.records import Analysis
from serai.imaging.analysis.registry import Analyser
from serai.imaging.archive import Archive
from serai.imaging.dataset.model_json import first_text
from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound, Unavailable
from serai.platform.running import Paused, Running, stopped_within

TRIES = 3
PAUSE_S = 1.0
# How long the queue's own record of it is kept; the analysis itself stays.
KEPT = timedelta(days=1)
LARGEST_INPUT = 4 << 30
BOXES = "analysis.boxes"
# Another try would end as this one has.
FOR_GOOD = ("analysis.gone", "analysis.interrupted")

INPUT = """SELECT uid, blob, size, metadata FROM imaging_instance
    WHERE study_uid = %s AND series_uid = %s ORDER BY number NULLS LAST, uid"""
REFERENCED_SERIES = "00081115"

Registered = Callable[[], Sequence[Analyser]]


async def run(
    running: Running, *, archive: Archive, home: Path, registered: Registered, limits: Limits
) -> timedelta | None:
    """Until it is done, abstained or failed for good."""
    id = running.job.parameters["analysis"]
    while True:
        running.go_on()
        async with running.db.transaction() as tx:
            analysis = await records.begin(tx, id, now=utc_now())
        if analysis is None:
            return KEPT
        try:
            answer = await _tried(running, analysis, archive, home, registered, limits)
        except (Paused, Unavailable, OperationalError):
            raise
        except Exception:
            # A fault of ours: the job breaks, and the analysis must not seem to go on.
            broken = Answer("failed", "job.broke")
            await keeping.give_up(running.db, analysis, broken, now=utc_now())
            raise
        if answer is None:
            return KEPT
        if analysis.tries >= TRIES or answer.why in FOR_GOOD:
            await keeping.give_up(running.db, analysis, answer, now=utc_now())
            return KEPT
        await stopped_within(running.stop, PAUSE_S)


async def _tried(
    running: Running,
    analysis: Analysis,
    archive: Archive,
    home: Path,
    registered: Registered,
    limits: Limits,
) -> Answer | None:
    """None when the analysis is over, else why this try failed."""
    if analysis.tries > TRIES:
        return Answer("failed", "analysis.interrupted")
    analyser = await asyncio.to_thread(_named, registered, analysis)
    if analyser is None:
        return Answer("failed", "analysis.gone")
    root = home / BOXES
    root.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            answer = await _filled(running, analysis, analyser, archive, folder)
            answer = answer or await box.run(folder, limits, running.stop)
        except Paused:
            async with running.db.transaction() as tx:
                await records.put_back(tx, analysis.id)
            raise
        if answer.state == "failed":
            return answer
        return await keeping.keep(running.db, archive, analysis, answer, folder, now=utc_now())


def _named(registered: Registered, analysis: Analysis) -> Analyser | None:
    """The analyser as it was when the analysis was queued; a newer one is queued for itself."""
    wanted = (analysis.analyser, analysis.revision)
    return next((each for each in registered() if (each.name, each.revision) == wanted), None)


async def _filled(
    running: Running, analysis: Analysis, analyser: Analyser, archive: Archive, folder: Path
) -> Answer | None:
    """Copies of the objects, so that nothing done to them reaches the archive, and the order."""
    rows = await _rows(running, analysis.study, [analysis.series])
    related = _related(rows) if analyser.refers else []
    others = await _rows(running, analysis.study, related)
    if not rows:
        return Answer("failed", "analysis.gone")
    if sum(row[2] for row in (*rows, *others)) > LARGEST_INPUT:
        return Answer("abstained", "analysis.too-large", {"megabytes": LARGEST_INPUT >> 20})
    order = {
        "function": analyser.function,
        "name": analyser.name,
        "title": analyser.title,
        "revision": analyser.revision,
        "fingerprint": analyser.fingerprint,
        "manufacturer": analyser.manufacturer,
        "options": analyser.options | {"sha256": analyser.sha256},
        "model": str(analyser.model.absolute()) if analyser.model else "",
        "at": analysis.asked_at.isoformat(),
        "uids": keeping.uids(analysis),
        "files": await _copied(running, archive, rows, folder, "series"),
        "related": await _copied(running, archive, others, folder, "related"),
    }
    (folder / box.ORDER).write_bytes(orjson.dumps(order))
    return None


async def _rows(running: Running, study: str, series: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    async with running.db.connection() as connection:
        for uid in series:
            found += await (await connection.execute(INPUT, (study, uid))).fetchall()
    return found


def _related(rows: Sequence[Any]) -> list[str]:
    named = [
        first_text(item, "0020000E")
        for row in rows
        for item in orjson.loads(row[3]).get(REFERENCED_SERIES, {}).get("Value", [])
    ]
    return sorted({*named} - {""})


async def _copied(
    running: Running, archive: Archive, rows: Sequence[Any], folder: Path, name: str
) -> list[str]:
    target = folder / name
    target.mkdir()
    files = []
    for number, (_, blob, _, _) in enumerate(rows):
        if number % 32 == 0:
            running.go_on()
        path = target / f"{number:06}.dcm"
        try:
            with path.open("wb") as file:
                async for part in archive.blobs.stream(blob):
                    file.write(part)
        except NotFound:
            # Deleted for good since: the series will be judged again.
            path.unlink()
            continue
        files.append(f"{name}/{path.name}")
    return files


def clear(home: Path) -> None:
    """What a killed server left behind; before any analysis runs."""
    shutil.rmtree(home / BOXES, ignore_errors=True)
