"""Data keys: wrapped in the table, open in the memory of the processes that use them.

Every process looks at the table anew after `LOOK_EVERY_S`, so that a new key is used everywhere
without a restart; a key that a box names and nobody has seen yet is looked for at once. The table
is read by a connection of its own, in a thread, whichever transaction is under way.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import psycopg

from serai.kernel.errors import Unavailable
from serai.platform.encryption.algorithms import Algorithm, Sealer, named
from serai.platform.encryption.master import Masters
from serai.platform.postgres import Cluster
from serai.platform.settings import Settings

ID_BYTES = 8
LOOK_EVERY_S = 2.0

ALL = """SELECT id, purpose, algorithm, master, wrapped, made_at, replaced_at, retired_at
    FROM encryption_key ORDER BY purpose, made_at, id"""
# The first process that needs a key makes it; the others find it.
ADD = """INSERT INTO encryption_key (id, purpose, algorithm, master, wrapped)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (purpose, algorithm) WHERE replaced_at IS NULL DO NOTHING"""
REPLACE = """UPDATE encryption_key SET replaced_at = now()
    WHERE purpose = %s AND replaced_at IS NULL"""
WRAP_ANEW = "UPDATE encryption_key SET master = %s, wrapped = %s WHERE id = %s"
RETIRE = """UPDATE encryption_key SET retired_at = now()
    WHERE id = ANY(%s) AND replaced_at IS NOT NULL AND retired_at IS NULL"""
# In use after all: something came in late, or an older backup was played back.
CALL_BACK = "UPDATE encryption_key SET retired_at = NULL WHERE id = ANY(%s) AND wrapped IS NOT NULL"
DESTROY = """UPDATE encryption_key SET wrapped = NULL
    WHERE id = %s AND retired_at IS NOT NULL AND wrapped IS NOT NULL"""
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('encryption keys', 0))"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as the table has it."""

    id: str
    purpose: str
    algorithm: str
    master: str
    wrapped: bytes | None = field(repr=False)
    made_at: datetime
    replaced_at: datetime | None
    retired_at: datetime | None

    @property
    def context(self) -> bytes:
        return context_of(self.id, self.purpose, self.algorithm)


@dataclass(frozen=True)
class DataKey:
    """A key in use."""

    id: str
    purpose: str
    algorithm: Algorithm
    material: bytes = field(repr=False)

    @cached_property
    def sealer(self) -> Sealer:
        return self.algorithm.sealer(self.material)


class Keyring:
    """One per process, for any thread."""

    def __init__(self, masters: Masters, address: Callable[[], str], algorithm: str) -> None:
        """`address` is asked for when keys are first needed: the database may start later."""
        self.masters = masters
        self.algorithm = algorithm
        self._address = address
        self._loading = threading.Lock()
        self._rows: dict[str, KeyRow] = {}
        self._open: dict[str, DataKey] = {}
        self._looked_at = float("-inf")

    @classmethod
    def of(cls, settings: Settings) -> Keyring:
        return cls(
            Masters.of(settings),
            lambda: settings.database_url or Cluster(settings.home).url,
            settings.key_algorithm,
        )

    async def current(self, purpose: str, algorithm: str | None = None) -> DataKey:
        """What to seal with now."""
        key = self._fresh(purpose, algorithm or self.algorithm)
        if key is not None:
            return key
        return await asyncio.to_thread(self.current_sync, purpose, algorithm)

    async def by_id(self, id: str) -> DataKey:
        """What a box names; Unavailable when there is no such key any more."""
        if key := self._open.get(id):
            return key
        return await asyncio.to_thread(self.by_id_sync, id)

    def current_sync(self, purpose: str, algorithm: str | None = None) -> DataKey:
        wanted = algorithm or self.algorithm
        with self._loading:
            key = self._fresh(purpose, wanted)
            if key is None:
                with self._transaction() as tx:
                    self._look(tx)
                    key = self._current(purpose, wanted) or self._made(tx, purpose, wanted)
        return key

    def by_id_sync(self, id: str) -> DataKey:
        if key := self._open.get(id):
            return key
        with self._loading:
            if id not in self._rows or self._rows[id].wrapped is None:
                with self._transaction() as tx:
                    self._look(tx)
            return self._opened(id)

    async def known(self, purpose: str) -> Sequence[DataKey]:
        """Every key of this purpose that this process knows of, the newest first."""
        ids = self._ids(purpose)
        if ids and all(id in self._open for id in ids):
            return [self._open[id] for id in ids]
        return await asyncio.to_thread(self.known_sync, purpose)

    def known_sync(self, purpose: str) -> Sequence[DataKey]:
        if not self._ids(purpose):
            self.rows()
        with self._loading:
            return [self._opened(id) for id in self._ids(purpose)]

    def rows(self) -> Sequence[KeyRow]:
        """Every key there ever was."""
        with self._loading, self._transaction() as tx:
            self._look(tx)
            return list(self._rows.values())

    def rotate(self, wanted: Mapping[str, str] | None = None) -> list[str]:
        """New keys from now on: the cipher by purpose, or for every purpose the one it has; the
        purposes. What was sealed before stays readable."""
        with self._loading, self._transaction() as tx:
            tx.execute(ONE_AT_A_TIME)
            self._look(tx)
            current = [row for row in self._rows.values() if row.replaced_at is None]
            new = wanted or {row.purpose: row.algorithm for row in current}
            for purpose, algorithm in new.items():
                tx.execute(REPLACE, (purpose,))
                self._add(tx, purpose, algorithm)
            self._look(tx)
        return sorted(new)

    def wrap_anew(self) -> int:
        """Every data key under the master key of now, all or none; how many."""
        with self._loading, self._transaction() as tx:
            tx.execute(ONE_AT_A_TIME)
            self._look(tx)
            live = [row for row in self._rows.values() if row.wrapped is not None]
            for row in live:
                name, wrapped = self.masters.wrap(self._opened(row.id).material, row.context)
                tx.execute(WRAP_ANEW, (name, wrapped, row.id))
            self._look(tx)
        return len(live)

    def settle(self, used: set[str], unused: set[str]) -> None:
        """Keys found in use are kept; replaced ones that nothing needs are marked so."""
        with self._loading, self._transaction() as tx:
            tx.execute(CALL_BACK, (sorted(used),))
            tx.execute(RETIRE, (sorted(unused - used),))

    def destroy(self, id: str) -> bool:
        """For ever. False when something may still need it."""
        with self._loading, self._transaction() as tx:
            gone = tx.execute(DESTROY, (id,)).rowcount == 1
            self._look(tx)
        return gone

    def _fresh(self, purpose: str, algorithm: str) -> DataKey | None:
        if time.monotonic() - self._looked_at > LOOK_EVERY_S:
            return None
        row = self._current_row(purpose, algorithm)
        return self._open.get(row.id) if row else None

    def _current(self, purpose: str, algorithm: str) -> DataKey | None:
        row = self._current_row(purpose, algorithm)
        return self._opened(row.id) if row else None

    def _current_row(self, purpose: str, algorithm: str) -> KeyRow | None:
        for row in list(self._rows.values()):
            if (row.purpose, row.algorithm, row.replaced_at) == (purpose, algorithm, None):
                return row
        return None

    def _ids(self, purpose: str) -> list[str]:
        """Of keys that can be opened, the newest first."""
        rows = [row for row in list(self._rows.values()) if row.purpose == purpose and row.wrapped]
        return [row.id for row in reversed(rows)]

    def _made(self, tx: psycopg.Connection, purpose: str, algorithm: str) -> DataKey:
        self._add(tx, purpose, algorithm)
        self._look(tx)
        key = self._current(purpose, algorithm)
        if key is None:
            raise Unavailable("keys.unknown")
        return key

    def _add(self, tx: psycopg.Connection, purpose: str, algorithm: str) -> None:
        id = secrets.token_bytes(ID_BYTES).hex()
        material = secrets.token_bytes(named(algorithm).key_bytes)
        master, wrapped = self.masters.wrap(material, context_of(id, purpose, algorithm))
        tx.execute(ADD, (id, purpose, algorithm, master, wrapped))

    def _look(self, tx: psycopg.Connection) -> None:
        self._rows = {row[0]: KeyRow(*row) for row in tx.execute(ALL).fetchall()}
        for id in [id for id in self._open if self._is_destroyed(id)]:
            del self._open[id]
        self._looked_at = time.monotonic()

    def _is_destroyed(self, id: str) -> bool:
        return id not in self._rows or self._rows[id].wrapped is None

    def _opened(self, id: str) -> DataKey:
        if key := self._open.get(id):
            return key
        row = self._rows.get(id)
        if row is None or row.wrapped is None:
            raise Unavailable("keys.unknown")
        material = self.masters.unwrap(row.wrapped, row.context)
        key = self._open[id] = DataKey(id, row.purpose, named(row.algorithm), material)
        return key

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection]:
        """On a connection of its own."""
        try:
            with psycopg.connect(self._address(), connect_timeout=5) as connection:
                yield connection
        except (psycopg.OperationalError, OSError) as error:
            raise Unavailable("database.unreachable") from error


def context_of(id: str, purpose: str, algorithm: str) -> bytes:
    return "\x00".join(("serai data key", id, purpose, algorithm)).encode()
