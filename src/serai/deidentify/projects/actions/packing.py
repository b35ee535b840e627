"""A project's objects as one zip archive, written while it is sent."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from io import StringIO
from typing import Final

from serai.deidentify.profile.options import methods
from serai.deidentify.projects.actions.leading import Desk, require_lead
from serai.deidentify.projects.model import Project, Taken
from serai.deidentify.projects.records import projects, results
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict
from serai.platform import audit

COLUMNS: Final = ("file", "subject", "study", "series", "instance")
# Nothing in the archive says when anything was.
NO_DAY: Final = (1980, 1, 1, 0, 0, 0)


class _Outlet:
    """What `zipfile` writes to: a file that cannot be sought in, emptied after each member."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


async def download(desk: Desk, id: str, *, actor: Actor, now: datetime) -> AsyncIterator[bytes]:
    """Checked and audited at once; what is returned then sends object by object."""
    require_lead(actor)
    async with desk.db.transaction() as tx:
        project = await projects.find(tx, id, actor=actor)
        if not await results.counted(tx, [id]):
            raise Conflict("deidentify.nothing-taken")
        await audit.record(
            tx,
            actor=actor,
            act="deidentify.download",
            at=now,
            resource=f"deidentification/{id}",
        )
    return _packed(desk, project)


async def _packed(desk: Desk, project: Project) -> AsyncIterator[bytes]:
    outlet, listing = _Outlet(), StringIO()
    rows = csv.writer(listing)
    rows.writerow(COLUMNS)
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("project.json", NO_DAY), _about(project))
        async for taken in results.every(desk.db, project.id):
            name = _name(taken)
            rows.writerow((name, taken.pseudonym, taken.study, taken.series, taken.uid))
            archive.writestr(zipfile.ZipInfo(name, NO_DAY), await desk.blobs.get(taken.blob or ""))
            yield outlet.taken()
        archive.writestr(zipfile.ZipInfo("objects.csv", NO_DAY), listing.getvalue())
    yield outlet.taken()


def _name(taken: Taken) -> str:
    return f"{taken.pseudonym}/{taken.study}/{taken.series}/{taken.uid}.dcm"


def _about(project: Project) -> str:
    """How the patients were taken out, for whoever gets the archive."""
    terms = project.terms
    done = [{"code": code, "meaning": meaning} for code, meaning in methods(terms.options)]
    told = {"name": terms.name, "purpose": terms.purpose, "methods": done, "writing": terms.writing}
    return json.dumps(told, ensure_ascii=False, indent=2)
