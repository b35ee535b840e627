"""Consents in force as rows that every statement about the record can ask.

Only what the patient's custodian or the whole network's server records counts: an organisation
with which a record is shared must not be able to close it to the one that keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from math import prod
from typing import Any, Final

from serai.fhir.search.keys import label_key
from serai.fhir.store.changes import Change
from serai.platform.access import Act, Provision, denials
from serai.platform.access.policy import ACTIONS
from serai.platform.access.provisions import patient_of
from serai.platform.db import Connection

KEPT_HERE = """SELECT 1 FROM fhir_resource
    WHERE type = 'Patient' AND id = %s AND NOT deleted AND owner = %s"""
FORGET = (
    "DELETE FROM consent_refusal WHERE consent = %s",
    "DELETE FROM consent_exception WHERE consent = %s",
)
KEEP = """INSERT INTO {table} (patient, consent, provision, since, until, actors, types, data,
        reads, changes, purposes, labels)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
REFUSAL = KEEP.format(table="consent_refusal")
EXCEPTION = KEEP.format(table="consent_exception")

# More combinations of labels than anybody writes; beyond, a refusal covers every label and an
# exception none.
MOST_COMBINATIONS: Final = 256


async def keep_in_step(tx: Connection, change: Change) -> bool:
    """The guard of Consent: what it refuses holds from the next statement."""
    for statement in FORGET:
        await tx.execute(statement, (change.id,))
    consent = change.new
    patient = patient_of(consent) if consent is not None else None
    if consent is None or patient is None or not await _may_bind(tx, change, patient):
        return False
    for number, provision in enumerate(denials(consent)):
        start = (patient, change.id, number)
        await _insert(tx, REFUSAL, start, _rows(provision, broad=True))
        for one in provision.exceptions:
            await _insert(tx, EXCEPTION, start, _rows(one, broad=False))
    return False


async def _may_bind(tx: Connection, change: Change, patient: str) -> bool:
    if change.actor.system_wide:
        return True
    found = await tx.execute(KEPT_HERE, (patient, change.actor.organisation))
    return await found.fetchone() is not None


async def _insert(
    tx: Connection, statement: str, start: tuple[Any, ...], rows: Iterable[tuple[Any, ...]]
) -> None:
    for row in rows:
        await tx.execute(statement, (*start, *row))


def _rows(provision: Provision, *, broad: bool) -> Iterator[tuple[Any, ...]]:
    common = (
        provision.since,
        provision.until,
        _sorted(provision.actors),
        _sorted(provision.types),
        _sorted(provision.data),
        all(group & ACTIONS[Act.READ] for group in provision.actions),
        all(group & ACTIONS[Act.CHANGE] for group in provision.actions),
        _sorted(provision.purposes),
    )
    if prod(map(len, provision.labels)) > MOST_COMBINATIONS:
        if broad:
            yield (*common, [])
        return
    for labels in product(*provision.labels):
        yield (*common, sorted({label_key(system, code) for system, code in labels}))


def _sorted(group: frozenset[str] | None) -> list[str] | None:
    return None if group is None else sorted(group)
