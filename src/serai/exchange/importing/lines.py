"""The parts of a large NDJSON file, with their rows made by the processes beside the import."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from serai.exchange.importing import limits
from serai.exchange.importing.beside import ASKED_AHEAD, Beside
from serai.exchange.importing.chunks import Chunk, chunks
from serai.exchange.importing.preparing import Answer
from serai.exchange.importing.reading import Line, Part, lines, of_line, of_made
from serai.exchange.importing.sources import Source

# Lines that go to a process at once: their answer is one transaction.
BYTES_AT_ONCE = 2 << 20


@dataclass(slots=True)
class _Block:
    """Neighbouring lines."""

    lines: list[Line] = field(default_factory=list)
    size: int = 0

    def add(self, line: Line) -> None:
        self.lines.append(line)
        self.size += len(line.raw)

    @property
    def full(self) -> bool:
        return len(self.lines) >= limits.RESOURCES_AT_ONCE or self.size >= BYTES_AT_ONCE


async def chunks_of_lines(
    source: Source, beside: Beside, organisation: str | None
) -> AsyncGenerator[Chunk, None]:
    """As `chunks` of `parts`, but for where a chunk ends."""
    waiting: Chunk | None = None
    position = 0
    async with aclosing(_answered(source, beside)) as blocks:
        async for block, answer in blocks:
            found = list(_parts(block, answer, source, organisation, position))
            position += len(found)
            for chunk in chunks(found):
                if waiting is not None:
                    yield waiting
                waiting = replace(chunk, last=False)
    if waiting is not None:
        yield replace(waiting, last=True)


def _parts(
    block: _Block, answer: Answer, source: Source, organisation: str | None, position: int
) -> Iterator[Part]:
    for line, made in zip(block.lines, answer, strict=True):
        found = of_made(made, line, source, organisation) if made else None
        for part in of_line(line, source.type) if found is None else (found,):
            yield replace(part, position=position)
            position += 1


async def _answered(source: Source, beside: Beside) -> AsyncGenerator[tuple[_Block, Answer], None]:
    """Blocks in their order with what became of them, a few of them under way."""
    blocks = _blocks(source)
    asking: deque[tuple[_Block, asyncio.Task[Answer]]] = deque()
    more = True
    try:
        while more or asking:
            while more and len(asking) < beside.most * ASKED_AHEAD:
                block = await asyncio.to_thread(next, blocks, None)
                if more := block is not None:
                    assert block is not None
                    raws = [line.raw for line in block.lines]
                    asking.append((block, asyncio.create_task(beside.prepare(raws))))
            if asking:
                block, answer = asking[0]
                made = await answer
                asking.popleft()
                yield block, made
    finally:
        for _, answer in asking:
            answer.cancel()
        await asyncio.gather(*(answer for _, answer in asking), return_exceptions=True)


def _blocks(source: Source) -> Iterator[_Block]:
    block = _Block()
    for line in lines(source):
        block.add(line)
        if block.full:
            yield block
            block = _Block()
    if block.lines:
        yield block
