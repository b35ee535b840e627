"""How fast objects are written and read encrypted, as a ratio to plain: for the decision record.

PYTHONPATH=src python tools/measure_encryption.py FOLDER postgresql://…
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from serai.platform.blobs import Blobs
from serai.platform.settings import Settings

PICTURE, FILM = 512 * 1024, 64 * 1024 * 1024
FRAME = 256 * 1024
ROUNDS = 5


async def main(folder: Path, database_url: str) -> None:
    found: dict[str, dict[str, float]] = {}
    for encryption in ("off", "aes-256-gcm", "sm4-gcm"):
        home = folder / encryption
        home.mkdir(parents=True, exist_ok=True)
        settings = Settings(
            home=home,
            blob_encryption=encryption,
            database_url=database_url,
            master_key_file=folder / "master.key",
        )
        found[encryption] = await _measured(Blobs.at(settings))
    print(f"{'MB/s':<22}" + "".join(f"{name:>24}" for name in found))
    for act, plain in found["off"].items():
        row = [f"{each[act]:9.0f} ({each[act] / plain:4.2f})" for each in found.values()]
        print(f"{act:<22}" + "".join(f"{one:>24}" for one in row))


async def _measured(blobs: Blobs) -> dict[str, float]:
    pictures = [os.urandom(PICTURE) for _ in range(60)]
    digests = [hashlib.sha256(each).hexdigest() for each in pictures]
    film = os.urandom(FILM)
    await blobs.put(b"warm")
    logged = _best_of_writes(blobs, pictures, digests)
    stream = await _rate(FILM, lambda: blobs.put(_parts(os.urandom(16) + film)))
    kept = await blobs.put(film)

    async def read_pictures() -> None:
        for digest in digests:
            await blobs.get(digest)

    async def read_frames() -> None:
        for at in range(0, FILM, FILM // 60):
            await blobs.get_range(kept, at, FRAME)

    async def read_stream() -> None:
        async for _ in blobs.stream(kept):
            pass

    return {
        "write pictures (log)": logged,
        "write a film": stream,
        "read pictures": await _rate(60 * PICTURE, read_pictures),
        "read frames of a film": await _rate(60 * FRAME, read_frames),
        "read a film": await _rate(FILM, read_stream),
    }


def _best_of_writes(blobs: Blobs, pictures: list[bytes], digests: list[str]) -> float:
    blobs.keep_logged((digests[0], pictures[0]))
    began = time.perf_counter()
    for digest, picture in zip(digests, pictures, strict=True):
        blobs.keep_logged((digest, picture))
    return 60 * PICTURE / 1e6 / (time.perf_counter() - began)


async def _parts(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 1 << 20):
        yield content[at : at + (1 << 20)]


async def _rate(size: int, act: Callable[[], Awaitable[object]]) -> float:
    """Megabytes a second, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await act()
        best = min(best, time.perf_counter() - began)
    return size / 1e6 / best


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
