"""Parts gathered into transactions: enough to share the cost of a commit, none that must wait
for another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

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
    waiting = _Waiting()
    for part in parts:
        if waiting.parts and not waiting.fits(part):
            yield Chunk(waiting.parts, last=False)
            waiting = _Waiting()
        waiting.add(part)
    if waiting.parts:
        yield Chunk(waiting.parts, last=True)


@dataclass(slots=True)
class _Waiting:
    """The chunk being filled."""

    parts: list[Part] = field(default_factory=list)
    targets: set[str] = field(default_factory=set)
    size: int = 0

    def add(self, part: Part) -> None:
        self.parts.append(part)
        self.targets |= part.targets
        self.size += part.size

    def fits(self, part: Part) -> bool:
        """Two writes to the same resource, or under the same condition, cannot share one."""
        return (
            part.alone
            and self.parts[0].alone
            and len(self.parts) < limits.RESOURCES_AT_ONCE
            and self.size + part.size <= BYTES_AT_ONCE
            and not self.targets & part.targets
        )
