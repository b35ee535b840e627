"""One import from beginning to end."""

from __future__ import annotations

import asyncio
import gc
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from rich.console import Console

from serai.exchange.importing import ledger, report
from serai.exchange.importing.beside import Beside
from serai.exchange.importing.door import Door
from serai.exchange.importing.ledger import Progress, Refusal
from serai.exchange.importing.pictures import import_pictures
from serai.exchange.importing.progress import ProgressLine
from serai.exchange.importing.recognise import Form
from serai.exchange.importing.records import import_file
from serai.exchange.importing.sources import Source, reading, sources
from serai.exchange.importing.tally import Tally
from serai.exchange.importing.texts import reason
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.kernel.actor import Actor, Kind, serai_itself
from serai.kernel.errors import NotFound, SeraiError, Unavailable, Unsupported
from serai.platform.db import Database
from serai.web.languages import N_, gettext

FHIR_FORMS = (Form.JSON, Form.NDJSON)
PICTURE_FORMS = (Form.DICOM, Form.ECG)
WORTH_ANALYSING = 1000
ANALYSE = "ANALYZE fhir_resource, fhir_string, fhir_date, fhir_quantity"
# An index of the other files of a disc; it holds nothing of its own.
SKIPPED = (Form.DICOMDIR,)
# New objects before the collector looks at those, at the older ones and at all.
SELDOM = (100_000, 20, 20)


async def run(
    path: Path,
    *,
    db: Database,
    fhir: FhirStore,
    archive: Archive,
    organisation: str | None = None,
    report_to: Path | None = None,
    console: Console | None = None,
) -> int:
    """Import a file, folder or zip; 0 when nothing was refused, else 1.

    `organisation` is the logical id of the Organization that keeps what comes in.
    """
    shown = console or Console()
    if report_to:
        report.check(report_to)
    tally = await import_into(
        path, db=db, fhir=fhir, archive=archive, organisation=organisation, console=shown
    )
    report.show(shown, tally)
    if report_to:
        report.write(report_to, tally)
    return 1 if tally.refusals else 0


async def import_into(
    path: Path,
    *,
    db: Database,
    fhir: FhirStore,
    archive: Archive,
    organisation: str | None,
    console: Console,
) -> Tally:
    """`run` without its last words."""
    await _require_organisation(db, fhir, organisation)
    async with db.connection() as connection:
        await fhir.parameters.look(connection)
    tally = Tally()
    with ExitStack() as stack:
        line = stack.enter_context(ProgressLine(console, lambda: _status(tally)))
        line.begin(gettext(N_("Looking at the files")), 0)
        found = await asyncio.to_thread(lambda: list(sources(path, stack)))
        door = Door(db, fhir, archive, _importer(organisation), organisation, line, tally)
        try:
            await _import_all(door, found)
        except psycopg.OperationalError as error:
            raise Unavailable("database.unreachable") from error
    return tally


async def _require_organisation(db: Database, fhir: FhirStore, organisation: str | None) -> None:
    if organisation is None:
        return
    async with db.connection() as connection:
        try:
            await fhir.read(connection, "Organization", organisation, actor=serai_itself)
        except NotFound as error:
            raise NotFound("import.no-such-organisation", organisation=organisation) from error


def _importer(organisation: str | None) -> Actor:
    return Actor(
        id="import",
        kind=Kind.MACHINE,
        name="serai import",
        role="system",
        organisation=organisation,
        scopes=frozenset({"system/*.cruds"}),
    )


async def _import_all(door: Door, found: Sequence[Source]) -> None:
    """Records before pictures, so that pictures find the patients they show."""
    records = [one for one in found if one.error is None and one.form in FHIR_FORMS]
    pictures = [one for one in found if one.error is None and one.form in PICTURE_FORMS]
    for source in found:
        if error := _unwanted(source):
            door.tally.saw(Progress())
            door.tally.refused(source.place, Refusal(0, "", error.key, reason(error)))
    door.progress.begin(gettext(N_("Importing")), sum(one.size for one in (*records, *pictures)))
    await import_records(door, records)
    await import_pictures(door, pictures)


def _unwanted(source: Source) -> SeraiError | None:
    if source.error is not None:
        return source.error
    if source.form is Form.EMPTY:
        return Unsupported("import.empty")
    if source.form is Form.UNKNOWN:
        return Unsupported("import.not-recognised")
    return None


async def import_records(door: Door, records: Sequence[Source]) -> None:
    """What is refused is tried again while that helps: it may refer to what comes later."""
    with _seldom_collecting():
        await _import_records(door, records)


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Thousands of rows come and go without a cycle among them; the collector would walk
    through all that are on their way with every few hundred."""
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def _import_records(door: Door, records: Sequence[Source]) -> None:
    async with Beside(door.fhir.base) as beside:
        left = [one for one in records if not await _import_one(door, one, beside)]
        refused = len(door.tally.refusals) + 1
        while left and len(door.tally.refusals) < refused:
            refused = len(door.tally.refusals)
            left = [one for one in left if not await _import_one(door, one, beside, again=True)]
    await _analyse(door)


async def _analyse(door: Door) -> None:
    """The database's own chores would learn of so many rows only a minute later; till then a
    search by date alone walks all of them."""
    if door.tally.resources.created >= WORTH_ANALYSING:
        async with door.db.connection() as connection:
            await connection.execute(ANALYSE)


async def _import_one(door: Door, source: Source, beside: Beside, *, again: bool = False) -> bool:
    """Whether the file is in with all its parts."""
    try:
        digest = await asyncio.to_thread(_digest, source)
    except SeraiError as error:
        door.tally.refused(source.place, Refusal(0, "", error.key, reason(error)))
        return True
    async with door.db.connection() as connection:
        known = await ledger.known(connection, [digest], door.organisation or "")
    before = known.get(digest, Progress())
    if not again:
        door.tally.saw(before)
    if before.complete:
        door.progress.advance(source.size)
        return True
    await import_file(door, source, digest, before, beside=beside)
    return not any(file == source.place for file, _ in door.tally.refusals)


def _digest(source: Source) -> str:
    with reading(), source.open() as stream:
        summed = hashlib.sha256()
        while part := stream.read(1 << 20):
            summed.update(part)
    return summed.hexdigest()


def _status(tally: Tally) -> str:
    words = gettext(N_("%(done)s in, %(refused)s refused"))
    return words % {"done": tally.done, "refused": len(tally.refusals)}
