"""Objects encrypted at rest, beside those that are not yet.

The sealed form of an object is itself an object, in a place of its own (`sealed/`), named by a
keyed hash of its digest: who has the disk but no key cannot tell what is kept, or whether a known
picture is. Everything else is as for plain objects, the log that makes small ones durable included.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.hmac import HMAC

from serai.kernel.errors import NotFound, Unavailable
from serai.platform.blobs import Blobs, Damaged, Digest, storage_errors
from serai.platform.encryption import chunks
from serai.platform.encryption.chunks import CHUNK, HEADER, STEP, Opened
from serai.platform.encryption.keyring import DataKey, Keyring
from serai.platform.encryption.spooling import Lock, SealedFiles, Spool
from serai.platform.settings import Settings

FOLDER = "sealed"
OBJECTS, NAMES = "objects", "object names"
# An object sealed anew while it is read looks damaged to who has the old header.
TRIES = 3

T = TypeVar("T")


def opened(settings: Settings, home: Path, address: str | None) -> EncryptedBlobs:
    algorithm = None if settings.blob_encryption == "off" else settings.blob_encryption
    return EncryptedBlobs(home, address, keys=Keyring.of(settings), algorithm=algorithm)


class EncryptedBlobs(Blobs):
    """As `Blobs`. Nothing is `local`: no file here is what a reader wants to see."""

    def __init__(
        self, home: Path, address: str | None, *, keys: Keyring, algorithm: str | None
    ) -> None:
        """Without an algorithm what was encrypted is read, and nothing more is encrypted."""
        super().__init__(home, address)
        self.keys = keys
        self.algorithm = algorithm
        self.plain = Blobs(home, address)
        self.sealed = SealedFiles(
            home / FOLDER,
            f"{address.rstrip('/')}/{FOLDER}" if address else None,
            self._is_whole_form,
        )
        self._locks = home / FOLDER / "locks"
        self._locks.mkdir(mode=0o700, exist_ok=True)

    # What is put

    async def put(self, data: bytes | AsyncIterable[bytes]) -> Digest:
        if self.algorithm is None:
            return await self.plain.put(data)
        if isinstance(data, bytes):
            return await asyncio.to_thread(self.put_sync, data)
        path = self.sealed.unfinished_file()
        try:
            digest = await self.spooled(data, path)
            name = await asyncio.to_thread(self.name_of, digest)
            await asyncio.to_thread(self.sealed.keep, path, name)
        finally:
            path.unlink(missing_ok=True)
        return digest

    def put_sync(self, data: bytes) -> Digest:
        if self.algorithm is None:
            return self.plain.put_sync(data)
        digest = hashlib.sha256(data).hexdigest()
        name = self.name_of(digest)
        if self.sealed.holds(name, chunks.size_of(len(data))):
            return Digest(digest)
        path = self.sealed.unfinished_file()
        try:
            with storage_errors(), path.open("xb") as file:
                file.write(chunks.sealed(self.key(), digest, data))
                file.flush()
                os.fsync(file.fileno())
            self.sealed.keep(path, name)
        finally:
            path.unlink(missing_ok=True)
        return Digest(digest)

    @property
    def is_local(self) -> bool:
        return self.algorithm is None and self.plain.is_local

    @property
    def has_log(self) -> bool:
        return self.plain.is_local

    def keep_logged(self, *objects: tuple[str, bytes]) -> None:
        if self.algorithm is None:
            self.plain.keep_logged(*objects)
            return
        key = self.key()
        forms = [
            (self.name_of(digest), chunks.sealed(key, digest, data)) for digest, data in objects
        ]
        self.sealed.keep_logged(*forms)

    def is_wanted(self, digest: str) -> bool:
        if self.algorithm is None:
            return self.plain.is_wanted(digest)
        return self.sealed.is_wanted(self.name_of(digest))

    def keep_synced(self, path: Path, digest: str) -> None:
        if self.algorithm is None:
            self.plain.keep_synced(path, digest)
            return
        aside = self.sealed.unfinished_file()
        try:
            with storage_errors(), path.open("rb") as source:
                self._seal_file(source.fileno(), aside, digest)
            self.sealed.keep(aside, self.name_of(digest))
            path.unlink()
        finally:
            aside.unlink(missing_ok=True)

    def replay_log(self) -> int:
        return self.plain.replay_log() + self.sealed.replay_log()

    def sync(self) -> None:
        self.plain.sync()
        self.sealed.sync()

    def close(self) -> None:
        self.plain.close()
        self.sealed.close()

    def remove_unfinished(self) -> None:
        super().remove_unfinished()
        self.sealed.remove_unfinished()

    # What is read

    def local(self, digest: str) -> Path | None:
        return self.plain.local(digest) if self.algorithm is None else None

    async def has(self, digest: str) -> bool:
        async def sealed() -> bool:
            for name in await self.names(digest):
                if await self.sealed.has(name):
                    return True
            raise NotFound("blob.missing")

        async def plain() -> bool:
            if not await self.plain.has(digest):
                raise NotFound("blob.missing")
            return True

        try:
            return await self._either(sealed, plain)
        except NotFound:
            return False

    async def get(self, digest: str) -> bytes:
        return await self._either(
            lambda: self._part(digest, 0, None), lambda: self.plain.get(digest)
        )

    async def get_range(self, digest: str, start: int, length: int) -> bytes:
        return await self._either(
            lambda: self._part(digest, start, length),
            lambda: self.plain.get_range(digest, start, length),
        )

    async def stream(self, digest: str) -> AsyncIterator[bytes]:
        """What is sealed anew or goes elsewhere meanwhile is read on from where it was."""

        async def sealed() -> tuple[bytes, AsyncIterator[bytes]]:
            for name in await self.names(digest):
                if await self.sealed.has(name):
                    return await _begun(self.opened_stream(name, digest))
            raise NotFound("blob.missing")

        async def plain() -> tuple[bytes, AsyncIterator[bytes]]:
            return await _begun(self.plain.stream(digest))

        first, rest = await self._either(sealed, plain)
        yield first
        async for part in rest:
            yield part

    async def listed(self, first: str) -> AsyncIterator[tuple[str, datetime]]:
        """Plain objects by their digest, sealed ones by their name; either way the digest."""
        async for found in self.plain.listed(first):
            yield found
        async for name, at in self.sealed.listed(first):
            try:
                yield (await self.header(name)).digest, at
            except (NotFound, Damaged):
                continue

    async def delete(self, digest: str) -> None:
        with await asyncio.to_thread(self.alone, digest):
            await self.plain.delete(digest)
            for name in await asyncio.to_thread(self._all_names, digest):
                if await self.sealed.has(name):
                    await self.sealed.delete(name)

    # Keys and names

    def key(self) -> DataKey:
        """What to seal with now; for threads."""
        return self.keys.current_sync(OBJECTS, self.algorithm)

    def name_of(self, digest: str) -> str:
        """The name that an object gets now; for threads."""
        return _name(self.keys.current_sync(NAMES, self.algorithm), digest)

    async def header(self, name: str, digest: str | None = None) -> Opened:
        """Of a sealed form; Damaged when it is not genuine."""
        head = await self.sealed.get_range(name, 0, HEADER)
        return chunks.opened(await self.keys.by_id(chunks.key_of(head)), head, digest)

    async def names(self, digest: str) -> Sequence[str]:
        """Under which the object may be kept, by keys that this process knows of."""
        return [_name(key, digest) for key in await self.keys.known(NAMES)]

    def _names(self, digest: str) -> Sequence[str]:
        return [_name(key, digest) for key in self.keys.known_sync(NAMES)]

    def _all_names(self, digest: str) -> Sequence[str]:
        """Those of keys that another process has just made included."""
        self.keys.rows()
        return self._names(digest)

    async def _either(
        self, sealed: Callable[[], Awaitable[T]], plain: Callable[[], Awaitable[T]]
    ) -> T:
        """Once more sealed: it may be encrypted just now, or by a key that is new to us."""
        for read in (sealed, plain):
            try:
                return await read()
            except NotFound:
                continue
        await asyncio.to_thread(self.keys.rows)
        return await sealed()

    async def _part(self, digest: str, start: int, length: int | None) -> bytes:
        for name in await self.names(digest):
            for left in reversed(range(TRIES)):
                try:
                    return await self._part_of(name, digest, start, length)
                except NotFound:
                    break
                except Damaged:
                    if not left:
                        raise
        raise NotFound("blob.missing")

    async def _part_of(self, name: str, digest: str, start: int, length: int | None) -> bytes:
        if start == 0 and length is None:
            form = await self.sealed.get(name)
            key = await self.keys.by_id(chunks.key_of(form[:HEADER]))
            found = chunks.opened(key, form[:HEADER], digest)
            content: bytes | memoryview = memoryview(form)[HEADER:]
        else:
            found = await self.header(name, digest)
            first, end = found.span(start, length)
            if not end:
                return b""
            content = await self.sealed.get_range(name, *found.place(first, end))
        if len(content) > found.at_once:
            return await asyncio.to_thread(found.part, content, start, length)
        return found.part(content, start, length)

    async def verify(self, name: str, digest: str) -> None:
        """Damaged unless all of it opens."""
        async for _ in self.opened_stream(name, digest):
            pass

    async def opened_stream(self, name: str, digest: str) -> AsyncIterator[bytes]:
        found: Opened | None = None
        waiting, first = bytearray(), 0
        async for part in self.sealed.stream(name):
            waiting += part
            if found is None and len(waiting) >= HEADER:
                key = await self.keys.by_id(chunks.key_of(bytes(waiting[:HEADER])))
                found = chunks.opened(key, bytes(waiting[:HEADER]), digest)
                del waiting[:HEADER]
            if found is None or len(waiting) < STEP:
                continue
            whole = len(waiting) // STEP * STEP
            taken = bytes(waiting[:whole])
            del waiting[:whole]
            yield await asyncio.to_thread(_plain, found, first, taken)
            first += whole // STEP
        if found is None:
            raise Damaged
        if waiting:
            yield _plain(found, first, bytes(waiting))
            first += 1
        if first != chunks.count_of(found.length):
            raise Damaged

    # Files on their way in

    async def spooled(self, data: AsyncIterable[bytes], path: Path) -> Digest:
        """Seal a stream into a synced file, in flat memory; nothing plain touches the disk."""
        key = await self.keys.current(OBJECTS, self.algorithm)
        with storage_errors(), await asyncio.to_thread(path.open, "xb") as file:
            spool = Spool(file.fileno(), key)
            async for part in data:
                if spool.takes(part):
                    await asyncio.to_thread(spool.write)
            return Digest(await asyncio.to_thread(spool.finish))

    def _seal_file(self, descriptor: int, path: Path, digest: str) -> None:
        with path.open("xb") as file:
            spool = Spool(file.fileno(), self.key())
            while part := os.read(descriptor, CHUNK * 16):
                if spool.takes(part):
                    spool.write()
            if spool.finish() != digest:
                raise Damaged

    def alone(self, digest: str) -> Lock:
        """Around looking whether an object is there and putting it in place; for threads."""
        return Lock(self._locks / digest[:2])

    def _is_whole_form(self, name: str, form: bytes) -> bool:
        """The log asks; that keys are not to be had just now is for it like a disk that fails."""
        try:
            found = chunks.opened(self.keys.by_id_sync(chunks.key_of(form[:HEADER])), form[:HEADER])
            if len(form) != chunks.size_of(found.length):
                return False
            for _ in found.chunks(0, memoryview(form)[HEADER:]):
                pass
            return name in self._names(found.digest) or name in self._all_names(found.digest)
        except Damaged:
            return False
        except Unavailable as error:
            raise OSError(errno.EIO, error.key) from error


async def _begun(stream: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """Its first part, so that it is known to be there, and the rest."""
    return await anext(stream, b""), stream


def _plain(found: Opened, first: int, content: bytes) -> bytes:
    return b"".join(found.chunks(first, content))


def _name(key: DataKey, digest: str) -> str:
    made = HMAC(key.material, key.algorithm.digest())
    made.update(bytes.fromhex(digest))
    return made.finalize().hex()
