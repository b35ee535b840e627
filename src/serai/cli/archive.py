"""`serai archive …`: how long pictures are kept, how many, where, and whether they are whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from serai.cli.database import opened_database, require
from serai.cli.settings import read_settings
from serai.imaging.archive.quota import quota_of, used_by
from serai.imaging.keeping import rules, tiers
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform import jobs
from serai.platform.db import Connection

MEGABYTE = 1_000_000
command = typer.Typer(no_args_is_help=True)

Organisation = Annotated[str, typer.Argument(help="Id of the organisation.")]
ForOne = Annotated[str, typer.Option("--organisation", help="Only for this one; else for all.")]


@command.callback()
def archive() -> None:
    """The pictures' bytes: checks, tiers, retention and quotas."""


@command.command()
def scrub(
    *,
    delete_orphans: Annotated[
        bool, typer.Option("--delete-orphans", help="Delete what nothing refers to for a week.")
    ] = False,
) -> None:
    """Read everything and tell what is missing or damaged: a job for the running server."""
    _queue("scrub", {"delete_orphans": True} if delete_orphans else {})


@command.command("tier")
def tier_(
    days: Annotated[int | None, typer.Argument(help="Cold after so many days; 0 lifts.")] = None,
    organisation: ForOne = "",
) -> None:
    """Set when studies go cold; without a number, move now what is due."""
    if days is None:
        _queue("tier", {})
        return

    async def act(tx: Connection) -> str:
        await _known(tx, organisation)
        await tiers.set_rule(
            tx, days or None, owner=organisation, actor=serai_itself, now=utc_now()
        )
        return f"cold {days} days after the last look" if days else "the rule is lifted"

    _do(act)


@command.command()
def retention(
    days: Annotated[int, typer.Argument(help="Keep for so many days; 15 years are 5479.")],
    organisation: ForOne = "",
) -> None:
    """Keep everything so long. A rule can be made longer, never shorter."""

    async def act(tx: Connection) -> str:
        await _known(tx, organisation)
        await rules.retain(tx, days, owner=organisation, actor=serai_itself, now=utc_now())
        return f"kept for {days} days"

    _do(act)


@command.command()
def quota(
    organisation: Organisation,
    megabytes: Annotated[int | None, typer.Argument(help="At most so many; -1 lifts.")] = None,
) -> None:
    """Show or set how much an organisation may keep."""

    async def act(tx: Connection) -> str:
        await _known(tx, organisation)
        if megabytes is not None:
            size = megabytes * MEGABYTE if megabytes >= 0 else None
            await rules.limit(tx, size, owner=organisation, actor=serai_itself, now=utc_now())
        used, limit = await used_by(tx, organisation), await quota_of(tx, organisation)
        most = "without a limit" if limit is None else f"of {limit // MEGABYTE:,} MB"
        return f"{used / MEGABYTE:,.1f} MB used, {most}"

    _do(act)


async def _known(tx: Connection, organisation: str) -> None:
    if organisation:
        await require(tx, "Organization", organisation)


def _queue(kind: str, parameters: dict[str, bool]) -> None:
    async def act(tx: Connection) -> str:
        id = await jobs.join(tx, kind, parameters, actor=serai_itself, now=utc_now())
        return f"job {id} is queued; the running server works it off"

    _do(act)


def _do(act: Callable[[Connection], Awaitable[str]]) -> None:
    typer.echo(asyncio.run(_done(act)))


async def _done(act: Callable[[Connection], Awaitable[str]]) -> str:
    async with opened_database(read_settings()) as db, db.transaction() as tx:
        return await act(tx)
