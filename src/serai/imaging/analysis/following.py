"""What analysers observed follows its study when people correct whom the study shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from serai.fhir import body
from serai.fhir.store import Change, FhirStore
from serai.kernel.actor import serai_itself
from serai.kernel.errors import NotFound
from serai.platform.db import Connection

OBSERVED = """SELECT DISTINCT observation FROM imaging_analysis
    WHERE study_uid = (SELECT uid FROM imaging_study WHERE resource = %s)
      AND observation IS NOT NULL ORDER BY observation"""
# What a person has signed is a person's to correct.
UNSIGNED = ("preliminary", "cancelled")


def register_guards(fhir: FhirStore) -> None:
    fhir.guard("ImagingStudy", _following(fhir))


def _following(fhir: FhirStore) -> Callable[[Connection, Change], Awaitable[bool]]:
    async def follow(tx: Connection, change: Change) -> bool:
        if change.old is None or change.new is None:
            return False
        subject = change.new.get("subject")
        if subject is None or subject == change.old.get("subject"):
            return False
        for (id,) in await (await tx.execute(OBSERVED, (change.id,))).fetchall():
            try:
                found = await fhir.read_to_change(tx, "Observation", id, actor=serai_itself)
            except NotFound:
                continue
            if found.data.get("status") in UNSIGNED:
                moved = body.of({**found.data, "subject": subject})
                await fhir.update(tx, moved, actor=serai_itself, now=change.now)
        return False

    return follow
