"""Load a network file: check everything, then write what differs, all in one transaction.

Loading a file again changes nothing; loading a changed file changes what differs. What the file
no longer names stays, because records refer to it; a specialty it no longer names is closed.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from serai.fhir import body
from serai.fhir.body import Data
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import serai_itself
from serai.kernel.errors import Invalid, NotFound
from serai.network import records
from serai.network.directory import from_organization
from serai.network.model import Tier
from serai.network.plan import (
    Modality,
    WantedNetwork,
    WantedOrganisation,
    WantedStaff,
    read_plan,
    refuse_wrong_parent,
)
from serai.platform.auth.accounts import change_account, create_account, find_account
from serai.platform.db import Connection, Database

TYPES = ("Organization", "HealthcareService", "Practitioner", "PractitionerRole")

# Few round trips, and statements of a size that PostgreSQL plans quickly.
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did. `new_passwords` are shown once to whoever loaded the file; `modalities`
    are the DICOM peers the file names, for the imaging archive to register."""

    organisations: Mapping[Tier, int]
    created: int
    updated: int
    unchanged: int
    new_accounts: int
    new_passwords: Mapping[str, str]
    modalities: tuple[Modality, ...]


async def load(path: Path, *, db: Database, store: FhirStore, now: datetime) -> Loaded:
    """Everything in the file, or nothing and every mistake with its line."""
    wanted = read_plan(path)
    async with db.transaction() as tx:
        present = await _present(tx, store)
        _refuse_unknown_parents(wanted, present)
        writes = _writes(wanted, present)
        for start in range(0, len(writes), AT_ONCE):
            part = writes[start : start + AT_ONCE]
            await store.write(tx, part, actor=serai_itself, now=now)
        passwords, new_accounts = await _accounts(tx, wanted, now)
    created = sum(1 for one in writes if (one.type, one.id) not in present)
    total = sum(1 for one in wanted.organisations for _ in records.resources(one))
    return Loaded(
        organisations=Counter(one.tier for one in wanted.organisations),
        created=created,
        updated=len(writes) - created,
        unchanged=max(total - len(writes), 0),
        new_accounts=new_accounts,
        new_passwords=passwords,
        modalities=tuple(peer for one in wanted.organisations for peer in one.modalities),
    )


async def _present(tx: Connection, store: FhirStore) -> dict[tuple[str, str], Data]:
    found: dict[tuple[str, str], Data] = {}
    for resource_type in TYPES:
        for data in await store.find(tx, resource_type, actor=serai_itself):
            found[resource_type, data["id"]] = data
    return found


def _refuse_unknown_parents(wanted: WantedNetwork, present: Mapping[tuple[str, str], Data]) -> None:
    """`part_of` may name an organisation that an earlier file brought."""
    in_file = {one.code for one in wanted.organisations}
    for one in wanted.organisations:
        if one.part_of is None or one.part_of in in_file:
            continue
        parent = present.get(("Organization", one.part_of))
        if parent is None:
            one.place.refuse("network.parent-unknown", value=one.part_of)
        else:
            refuse_wrong_parent(one, from_organization(parent).tier)
    wanted.root.findings.raise_if_any()


def _writes(wanted: WantedNetwork, present: Mapping[tuple[str, str], Data]) -> list[Write]:
    """Only what is new or differs; parents come first."""
    desired: list[Data] = []
    for one in wanted.organisations:
        desired += records.resources(one)
        desired += _closed_services(one, present)
    return [
        Write("PUT", data["resourceType"], data["id"], body.of(data))
        for data in desired
        if _facts(present.get((data["resourceType"], data["id"]))) != _facts(data)
    ]


def _closed_services(
    one: WantedOrganisation, present: Mapping[tuple[str, str], Data]
) -> Iterable[Data]:
    offered = {records.service_id(one.code, specialty) for specialty in one.specialties}
    provider = {"reference": f"Organization/{one.code}"}
    for (resource_type, id_), data in present.items():
        if resource_type != "HealthcareService" or data.get("providedBy") != provider:
            continue
        if id_ not in offered:
            yield records.closed(data)


def _facts(data: Data | None) -> Data | None:
    return {name: value for name, value in data.items() if name != "meta"} if data else None


async def _accounts(
    tx: Connection, wanted: WantedNetwork, now: datetime
) -> tuple[dict[str, str], int]:
    """Open accounts for staff who have none; passwords of existing ones are never touched."""
    made_up: dict[str, str] = {}
    opened = 0
    for one in wanted.organisations:
        for person in one.staff:
            if await _has_account(tx, one, person):
                continue
            password = person.password or wanted.initial_password
            if password is None:
                password = made_up[person.login] = secrets.token_urlsafe(12)
            await _open_account(tx, one, person, password, now)
            opened += 1
    return made_up, opened


async def _has_account(tx: Connection, one: WantedOrganisation, person: WantedStaff) -> bool:
    """Whether the account was there; from now on it says what the file says."""
    try:
        account = await find_account(tx, person.login)
    except NotFound:
        return False
    wanted = _account_facts(one, person)
    if any(getattr(account, name) != value for name, value in wanted.items()):
        await change_account(tx, account, **wanted)
    return True


async def _open_account(
    tx: Connection,
    one: WantedOrganisation,
    person: WantedStaff,
    password: str,
    now: datetime,
) -> None:
    try:
        await create_account(
            tx,
            login=person.login,
            password=password,
            **_account_facts(one, person),
            now=now,
        )
    except Invalid as error:
        person.place.refuse(error.key, **error.details)
        person.place.findings.raise_if_any()


def _account_facts(one: WantedOrganisation, person: WantedStaff) -> dict[str, str]:
    return {
        "name": " ".join(person.names.values()),
        "role": person.role,
        "organisation": one.code,
        "practitioner": records.practitioner_id(person.login),
    }
