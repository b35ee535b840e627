"""What an import run has done so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from serai.exchange.importing.ledger import Counts, Progress, Refusal

NONE = Counts()


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal with the file it belongs to."""

    file: str
    place: str
    key: str
    reason: str


@dataclass
class Tally:
    """`now` is what this run did, `before` what earlier runs had done to the same files."""

    files: int = 0
    files_before: int = 0
    resources: Counts = NONE
    pictures: Counts = NONE
    before: Counts = NONE
    refusals: dict[tuple[str, int], Refused] = field(default_factory=dict)

    def saw(self, progress: Progress) -> None:
        """A file begins; what the ledger knows of it counts as done before."""
        self.files += 1
        self.files_before += progress.complete
        self.before += progress.counts

    def refused(self, file: str, refusal: Refusal) -> None:
        self.refusals[file, refusal.position] = Refused(
            file, refusal.place, refusal.key, refusal.reason
        )

    def accepted(self, file: str, position: int) -> None:
        self.refusals.pop((file, position), None)

    @property
    def done(self) -> int:
        return (self.resources + self.pictures).total
