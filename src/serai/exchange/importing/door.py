"""What every part of an import run needs: the engines, who acts, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from serai.exchange.importing.progress import ProgressLine
from serai.exchange.importing.tally import Tally
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.kernel.actor import Actor
from serai.platform.db import Database


@dataclass(frozen=True)
class Door:
    """One run. `organisation` is the custodian of what comes in, None for the node itself."""

    db: Database
    fhir: FhirStore
    archive: Archive
    actor: Actor
    organisation: str | None
    progress: ProgressLine
    tally: Tally = field(default_factory=Tally)
