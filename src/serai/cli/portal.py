"""`serai portal`: accounts of patients, guardians and people of partner companies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any

import typer

from serai.cli.database import opened_database, require
from serai.cli.settings import read_settings
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed
from serai.platform import audit
from serai.platform.auth import accounts, kinds, links
from serai.platform.auth.accounts import Account
from serai.platform.db import Connection
from serai.record import fhir_store
from serai.web.account.passwords import link_address

command = typer.Typer(no_args_is_help=True)

Login = Annotated[str, typer.Argument(help="What the person signs in with.")]
Name = Annotated[str, typer.Option(help="The person's name.")]
Organisation = Annotated[
    str, typer.Option(help="Id of the Organization that checked who the person is.")
]
PatientId = Annotated[str, typer.Option(help="Id of the Patient.")]


@command.callback()
def portal() -> None:
    """Accounts of patients, guardians and people of partner companies."""


@command.command()
def patient(login: Login, name: Name, patient: PatientId, organisation: Organisation) -> None:
    """Open a patient's account and print the link for its password."""

    async def act(tx: Connection) -> Account:
        await require(tx, "Patient", patient)
        return await _opened(tx, login, name, "patient", organisation, patient)

    _print_link(act)


@command.command()
def partner(login: Login, name: Name, organisation: Organisation) -> None:
    """Open the account of somebody of a partner company and print the link for its password."""

    async def act(tx: Connection) -> Account:
        return await _opened(tx, login, name, "partner", organisation, None)

    _print_link(act)


@command.command()
def guardian(login: Login, name: Name, organisation: Organisation) -> None:
    """Open a guardian's account and print the link; `act-for` says for whom."""

    async def act(tx: Connection) -> Account:
        return await _opened(tx, login, name, "guardian", organisation, None)

    _print_link(act)


@command.command("act-for")
def act_for(
    login: Login,
    patient: PatientId,
    basis: Annotated[str, typer.Option(help=" | ".join(kinds.BASES))],
    until: Annotated[str, typer.Option(help="First day on which it no longer holds.")] = "",
) -> None:
    """Let a guardian act for a patient; for a minor until the 18th birthday at the latest."""

    async def act(tx: Connection) -> date | None:
        account = await accounts.find_account(tx, login)
        if account.kind != "guardian":
            raise Malformed("guardian.not-a-guardian", login=login)
        ends = await kinds.make_guardian(
            tx,
            account.id,
            patient,
            basis=basis,
            starts_on=utc_now().date(),
            ends_on=_day(until),
            birth_date=await _birth_date(tx, patient),
        )
        await _note(tx, account, "account.guardian")
        return ends

    ends = _in_transaction(act)
    typer.echo(f"{login} acts for Patient/{patient}" + (f" until {ends}." if ends else "."))


@command.command("end-act-for")
def end_act_for(login: Login, patient: PatientId) -> None:
    """A guardian acts for the patient no more, from the next request."""

    async def act(tx: Connection) -> None:
        account = await accounts.find_account(tx, login)
        await kinds.end_guardianship(tx, account.id, patient, utc_now())
        await _note(tx, account, "account.guardian-end")

    _in_transaction(act)
    typer.echo(f"{login} no longer acts for Patient/{patient}.")


async def _opened(
    tx: Connection, login: str, name: str, kind: str, organisation: str, patient: str | None
) -> Account:
    await require(tx, "Organization", organisation)
    account = await accounts.create_account(
        tx,
        login=login,
        password=None,
        name=name,
        role=kind,
        organisation=organisation,
        kind=kind,
        patient=patient,
    )
    await _note(tx, account, "account.open")
    return account


async def _birth_date(tx: Connection, patient: str) -> str | None:
    store = fhir_store(read_settings())
    found = await store.read(tx, "Patient", patient, actor=serai_itself)
    birth_date: str | None = found.data.get("birthDate")
    return birth_date


async def _note(tx: Connection, account: Account, act: str) -> None:
    resource = f"account/{account.id}"
    await audit.record(tx, actor=serai_itself, act=act, at=utc_now(), resource=resource)


def _print_link(open_account: Callable[[Connection], Awaitable[Account]]) -> None:
    async def act(tx: Connection) -> str:
        account = await open_account(tx)
        return await links.issue(tx, account.id, utc_now())

    typer.echo(link_address(read_settings().public_url, _in_transaction(act)))


def _in_transaction(act: Callable[[Connection], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with opened_database(read_settings()) as db, db.transaction() as tx:
            return await act(tx)

    return asyncio.run(run())


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Malformed("guardian.not-a-day", day=text[:20]) from error
