"""The one way a consultation moves: load, decide by the model, save, all in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from serai.care.consultation import records
from serai.care.consultation.model import NOTHING, Act, Consultation, Evidence, move
from serai.care.consultation.records import Case, Consultations
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden
from serai.platform.db import Connection


@dataclass(frozen=True, slots=True)
class Opened:
    """A case inside its transaction."""

    tx: Connection
    case: Case

    @property
    def consultation(self) -> Consultation:
        return self.case.consultation


@asynccontextmanager
async def opened(
    kept: Consultations, consultation_id: str, *, version: int | None, actor: Actor
) -> AsyncIterator[Opened]:
    """The case as the actor last saw it; refused when somebody has moved it since."""
    async with kept.db.transaction() as tx:
        case = await records.load(kept.fhir, tx, consultation_id, actor=actor)
        if version is not None and version != case.consultation.version:
            raise records.changed_meanwhile(case.consultation)
        yield Opened(tx, case)


async def moved(
    kept: Consultations,
    case: Opened,
    act: Act,
    *,
    actor: Actor,
    now: datetime,
    evidence: Evidence = NOTHING,
) -> Consultation:
    """Decide and save one move of an opened case."""
    consultation = move(case.consultation, act, actor=actor, at=now, evidence=evidence)
    saved = await records.save(
        kept.fhir,
        case.tx,
        replace(case.case, consultation=consultation),
        act,
        actor=actor,
        now=now,
    )
    return saved.consultation


async def make(
    kept: Consultations,
    consultation_id: str,
    act: Act,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
    evidence: Evidence = NOTHING,
) -> Consultation:
    """A move that brings nothing but words along."""
    async with opened(kept, consultation_id, version=version, actor=actor) as case:
        return await moved(kept, case, act, actor=actor, now=now, evidence=evidence)


def acting_for(actor: Actor) -> tuple[str, str]:
    """Organisation and practitioner of staff; machines and the unplaced cannot ask or answer."""
    if actor.organisation is None or actor.practitioner is None:
        raise Forbidden("consultation.no-practitioner")
    return actor.organisation, actor.practitioner
