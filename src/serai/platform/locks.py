"""`SERAI_HOME`: made and tried before anything else, and held by one server at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serai.kernel.errors import Conflict, Unavailable

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


def prepare_home(home: Path) -> None:
    """Make the folder if need be and prove that it takes a file; Unavailable says why not."""
    try:
        # Others may pass: the database's account lives inside, in a folder of its own.
        home.mkdir(mode=0o711, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
        next(home.iterdir(), None)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise Unavailable("storage.full", path=str(home)) from error
        reason = error.strerror or type(error).__name__
        raise Unavailable("home.unusable", path=str(home), reason=reason) from error


@contextmanager
def only_server(home: Path) -> Iterator[None]:
    """Hold `home` for one server; Conflict while another one does.

    The lock belongs to the open file, so a killed server frees it by dying.
    """
    descriptor = os.open(home / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
            raise Conflict("home.in-use", path=str(home), process=holder) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
