"""The processes beside an import: started for the first large file, over with the import."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import Process
from contextlib import suppress

from serai.exchange.importing.preparing import LENGTH, Answer, answered, asked

# Not by -m: the package's own imports have the module before it would run.
PREPARING = "from serai.exchange.importing.preparing import serve; serve()"
MOST_PROCESSES = 4
# They pay for their start with a file this large.
WORTH_IT = 2 << 20
# One more each than it works on, so that none waits for the next lines.
ASKED_AHEAD = 2


class Beside:
    """Lines in, rows out, on the processors that the import itself leaves idle."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._processes: list[Process] = []
        self._free: asyncio.Queue[Process] = asyncio.Queue()
        self.most = min(os.cpu_count() or 1, MOST_PROCESSES)

    async def __aenter__(self) -> Beside:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
        for process in self._processes:
            await process.communicate()

    async def start(self) -> None:
        """Does nothing the second time."""
        while len(self._processes) < self.most:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", PREPARING, self._base,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
            self._processes.append(process)
            self._free.put_nowait(process)

    async def prepare(self, lines: list[bytes]) -> Answer:
        """An answer for every line; none of a process that was ended from outside."""
        process = await self._free.get()
        try:
            return await _exchanged(process, asked(lines))
        except (asyncio.IncompleteReadError, ConnectionError):
            return [None] * len(lines)
        finally:
            self._free.put_nowait(process)


async def _exchanged(process: Process, request: bytes) -> Answer:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    await process.stdin.drain()
    (size,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    return answered(await process.stdout.readexactly(size))
