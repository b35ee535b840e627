"""`serai keys …`: what seals secrets and objects, and new keys without a standstill."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated

import typer

from serai.cli.database import opened_database
from serai.cli.settings import read_settings
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict
from serai.platform import audit, jobs
from serai.platform.db import Database
from serai.platform.encryption.keyring import Keyring, KeyRow
from serai.platform.encryption.master import BY_KEY, FINGERPRINT_BYTES
from serai.platform.encryption.objects import NAMES, OBJECTS
from serai.platform.encryption.renewing import KIND
from serai.platform.settings import Settings

LAST = """SELECT id, status, done, total FROM fhir_job WHERE kind = %s
    ORDER BY asked_at DESC LIMIT 1"""

command = typer.Typer(no_args_is_help=True)


@command.callback()
def keys() -> None:
    """The keys that seal secrets, pictures and documents."""


@command.command("list")
def list_() -> None:
    """Every key: what it is for, its cipher, since when, and whether something still needs it."""

    async def act(db: Database, keys: Keyring, _settings: Settings) -> str:
        rows = await asyncio.to_thread(keys.rows)
        async with db.connection() as connection:
            job = await (await connection.execute(LAST, (KIND,))).fetchone()
        lines = [f"master  {keys.masters.current().name}"]
        lines += [
            f"{row.id}  {row.purpose:<16}  {row.algorithm:<11}  {row.made_at:%Y-%m-%d}  "
            f"{_state(row)}, wrapped by {row.master}"
            for row in rows
        ]
        if job:
            id, status, done, total = job
            lines.append(f"job {id} brings everything under the keys of now: {status}, {done}")
            lines[-1] += f" of {total}" if total else ""
        return "\n".join(lines)

    _do(act)


@command.command()
def rotate(
    *,
    master: Annotated[
        bool, typer.Option("--master", help="A new master key in its file, too.")
    ] = False,
) -> None:
    """New keys from now on; the running server brings everything under them."""

    async def act(db: Database, keys: Keyring, settings: Settings) -> str:
        if master:
            new = await asyncio.to_thread(keys.masters.add_to_file, settings.key_algorithm)
            await asyncio.to_thread(keys.wrap_anew)
        wanted = _wanted(await asyncio.to_thread(keys.rows), settings)
        rotated = await asyncio.to_thread(keys.rotate, wanted) if wanted else []
        async with db.transaction() as tx:
            await audit.record(tx, actor=serai_itself, act="keys.rotate", at=utc_now())
        said = f"new keys for {', '.join(rotated) or 'nothing yet'}; {await _queued(db)}"
        return f"master key {new.name}, all keys wrapped anew\n{said}" if master else said

    _do(act)


@command.command()
def rewrap() -> None:
    """Wrap every data key by the master key of now, after it was changed or has moved; old master
    keys that nothing needs go from the file."""

    async def act(db: Database, keys: Keyring, _settings: Settings) -> str:
        count = await asyncio.to_thread(keys.wrap_anew)
        needed = {_by(row) for row in await asyncio.to_thread(keys.rows) if row.wrapped}
        dropped = await asyncio.to_thread(keys.masters.drop_from_file, needed)
        async with db.transaction() as tx:
            await audit.record(tx, actor=serai_itself, act="keys.rewrap", at=utc_now())
        name = keys.masters.current().name
        return f"{count} keys wrapped by {name}; {dropped} old master keys dropped"

    _do(act)


@command.command()
def renew() -> None:
    """Bring everything under the keys of now: a job for the running server."""

    async def act(db: Database, _keys: Keyring, _settings: Settings) -> str:
        return await _queued(db)

    _do(act)


@command.command()
def destroy(key: Annotated[str, typer.Argument(help="Id of a key that is retired.")]) -> None:
    """Forget a retired key for ever: what older backups hold under it is then lost."""

    async def act(db: Database, keys: Keyring, _settings: Settings) -> str:
        if not await asyncio.to_thread(keys.destroy, key):
            raise Conflict("keys.still-needed", id=key[:40])
        async with db.transaction() as tx:
            await audit.record(tx, actor=serai_itself, act="keys.destroy", at=utc_now())
        return f"{key} is destroyed"

    _do(act)


def _wanted(rows: Sequence[KeyRow], settings: Settings) -> dict[str, str]:
    """The cipher that the settings name for each purpose there is."""
    wanted = {row.purpose: settings.key_algorithm for row in rows}
    for purpose in {OBJECTS, NAMES} & wanted.keys():
        if settings.blob_encryption == "off":
            del wanted[purpose]
        else:
            wanted[purpose] = settings.blob_encryption
    return wanted


def _by(row: KeyRow) -> bytes:
    """The fingerprint of the master key that a row needs; empty for a program's."""
    wrapped = row.wrapped or b""
    at = len(BY_KEY)
    return wrapped[at : at + FINGERPRINT_BYTES] if wrapped.startswith(BY_KEY) else b""


def _state(row: KeyRow) -> str:
    def day(at: datetime) -> str:
        return f"{at:%Y-%m-%d}"

    if row.wrapped is None:
        return "destroyed"
    if row.retired_at:
        return f"retired {day(row.retired_at)}"
    return f"replaced {day(row.replaced_at)}" if row.replaced_at else "in use"


async def _queued(db: Database) -> str:
    async with db.transaction() as tx:
        id = await jobs.join(tx, KIND, {}, actor=serai_itself, now=utc_now())
    return f"job {id} is queued; the running server works it off"


def _do(act: Callable[[Database, Keyring, Settings], Awaitable[str]]) -> None:
    typer.echo(asyncio.run(_done(act)))


async def _done(act: Callable[[Database, Keyring, Settings], Awaitable[str]]) -> str:
    settings = read_settings()
    async with opened_database(settings) as db:
        return await act(db, Keyring.of(settings), settings)
