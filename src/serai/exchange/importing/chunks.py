"""Parts gathered into transactions: enough to share the cost of a commit, none that must wait
for another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from serai.exchange.importing import limits
from serai.exchange.importing.reading import Part

BYTES_AT_ONCE = 8 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring parts of a file; `last` when the file ends with them."""

    parts: Sequence[Part]
    last: bool

    @property
    def end(self) -> int:
        return self.parts[-1].position + 1

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


def chunks(parts: Iterable[Part]) -> Iterator[Chunk]:
    """The parts in their order, in chunks that fit one transaction."""
    waiting: list[Part] = []
    for part in parts:
        if waiting and not _fits(waiting, part):
            yield Chunk(waiting, last=False)
            waiting = []
        waiting.append(part)
    if waiting:
        yield Chunk(waiting, last=True)


def _fits(waiting: Sequence[Part], part: Part) -> bool:
    """Two writes to the same resource, or under the same condition, cannot share one."""
    targets = frozenset().union(*(one.targets for one in waiting))
    return (
        part.alone
        and all(one.alone for one in waiting)
        and len(waiting) < limits.RESOURCES_AT_ONCE
        and sum(one.size for one in waiting) + part.size <= BYTES_AT_ONCE
        and not targets & part.targets
    )
