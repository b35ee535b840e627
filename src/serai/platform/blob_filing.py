"""Objects that are durable in a log, and their files, which come behind.

A log may be any process's of this machine: who wants an object that has no file yet makes it from
there. What is deleted while a log still has it is marked, so that no file comes after it.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from serai.platform.blob_files import IsWhole, holds, moved, place, sums_to, sync_file_system
from serai.platform.blob_log import BlobLog, Record, copied, copy_out, is_recorded, replay

GONE = ".gone"


class Filing:
    """One per process and folder of blobs."""

    def __init__(self, folder: Path, spool: Path, logs: Path, is_whole: IsWhole = sums_to) -> None:
        self._is_whole = is_whole
        self._folder = folder
        self._spool = spool
        self._logs = logs
        self._log: BlobLog | None = None
        self._opening = threading.Lock()

    def keep(self, *objects: tuple[str, bytes]) -> None:
        """Durable when it returns; OSError when that cannot be had."""
        for digest, _ in objects:
            self.want(digest)
        self._opened().append(*objects)

    def want(self, digest: str) -> None:
        """What was deleted may be kept again."""
        self._gone(digest).unlink(missing_ok=True)

    def is_wanted(self, digest: str) -> bool:
        """Whether what a log has was not deleted since."""
        return not self._gone(digest).exists()

    def has_made(self, digest: str) -> bool:
        """Whether the object has a file now, made from a log if need be."""
        target = self._folder / place(digest)
        if self._gone(digest).exists():
            return False
        with self._unfinished() as path:
            if copied(self._logs, digest, path, self._is_whole):
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                # Never in the place of the one that the log's owner may have made meanwhile and
                # counts on being synced.
                with suppress(FileExistsError):
                    os.link(path, target)
        return target.exists()

    @contextmanager
    def deleting(self, digest: str) -> Iterator[None]:
        """Around the deletion of its file: none comes after it, unless it is wanted again."""
        gone = self._gone(digest)
        gone.touch()
        yield
        if not gone.exists():
            # Whoever kept it meanwhile counts on a file that may just have been deleted.
            self.has_made(digest)
        elif not is_recorded(self._logs, digest):
            gone.unlink(missing_ok=True)

    def needs(self, path: Path) -> bool:
        """Whether it marks what a log still has."""
        return path.suffix == GONE and is_recorded(self._logs, path.stem)

    def replay(self) -> int:
        """Make the files that a crash has taken of what logs of nobody have; how many."""
        return replay(self._logs, self._restored, self._sync, self._is_whole)

    def wait_until_filed(self) -> None:
        """Until everything kept so far by this process has its file."""
        if self._log:
            self._log.wait_until_filed()

    def close(self) -> None:
        """Make what files are left to make; OSError leaves them to the next start."""
        with self._opening:
            atexit.unregister(self._close_at_exit)
            if self._log:
                log, self._log = self._log, None
                log.close()

    def _close_at_exit(self) -> None:
        with suppress(OSError):
            self.close()

    def _opened(self) -> BlobLog:
        with self._opening:
            if self._log is None:
                self._log = BlobLog(self._logs, self._file, self._sync)
                atexit.register(self._close_at_exit)
            return self._log

    def _file(self, record: Record) -> None:
        target, gone = self._folder / place(record.digest), self._gone(record.digest)
        if gone.exists() or holds(target, record.digest, record.length, self._is_whole):
            return
        with self._unfinished() as path:
            copy_out(record, path)
            moved(path, target)
        if gone.exists():
            target.unlink(missing_ok=True)

    def _restored(self, digest: str, content: bytes) -> bool:
        target = self._folder / place(digest)
        if self._gone(digest).exists() or holds(target, digest, len(content), self._is_whole):
            return False
        with self._unfinished() as path:
            path.write_bytes(content)
            moved(path, target)
        return True

    def _sync(self) -> None:
        sync_file_system(self._folder)

    def _gone(self, digest: str) -> Path:
        return self._spool / f"{digest}{GONE}"

    @contextmanager
    def _unfinished(self) -> Iterator[Path]:
        path = self._spool / uuid4().hex
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
