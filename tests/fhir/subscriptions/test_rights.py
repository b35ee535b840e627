"""A subscription tells its subscriber nothing that the subscriber could not read."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.fhir.resources import observation, patient
from tests.fhir.subscriptions.conftest import Node, created, ids, status_becomes
from tests.fhir.subscriptions.conftest import subscription as wanting

from serai.fhir.subscriptions import queue
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account, disable_account


async def test_an_organisation_never_hears_of_anothers_patients(
    node: Node, receivers: object
) -> None:
    assert callable(receivers)
    ours, theirs = await receivers(), await receivers()
    county = node.client(await node.machine("county"))
    city = node.client(await node.machine("city"))
    async with node.delivering():
        for client, receiver in ((county, ours), (city, theirs)):
            for kind in ("Patient", "Observation"):
                id = await created(client, wanting(kind, receiver.url))
                await status_becomes(client, id, "active")
        mine = await created(county, patient())
        value = await created(county, observation(f"Patient/{mine}"))
        other = await created(city, patient("Wang"))
        await ours.until(2)
        await theirs.until(1)
        await asyncio.sleep(0.3)
    assert sorted(ids(ours.heard)) == sorted([mine, value])
    assert ids(theirs.heard) == [other]


async def test_a_revoked_token_is_told_nothing_more(node: Node, receivers: object) -> None:
    assert callable(receivers)
    receiver = await receivers()
    actor = await node.machine()
    client, other = node.client(actor), node.client(await node.machine())
    async with node.delivering():
        id = await created(client, wanting("Observation", receiver.url))
        await status_becomes(client, id, "active")
        await created(client, observation())
        await receiver.until(1)
        async with node.db.transaction() as tx:
            await tx.execute(
                "UPDATE access_token SET revoked_at = now() WHERE id = %s", (actor.id,)
            )
        await created(other, observation())
        await asyncio.sleep(0.5)
    assert len(receiver.heard) == 1


async def test_a_closed_account_is_told_nothing_more(node: Node, receivers: object) -> None:
    assert callable(receivers)
    receiver = await receivers()
    async with node.db.transaction() as tx:
        account = await create_account(
            tx,
            login="li",
            password="a long enough secret",
            name="Li",
            role="doctor",
            organisation="county",
        )
    # No clinical role may subscribe; the rights at delivery are the account's own.
    client = node.client(replace(account.actor, scopes=frozenset({"user/*.crus"})))
    async with node.delivering():
        id = await created(client, wanting("Patient", receiver.url))
        await status_becomes(client, id, "active")
        await created(client, patient())
        await receiver.until(1)
        async with node.db.transaction() as tx:
            await disable_account(tx, account, utc_now())
        await created(client, patient())
        await asyncio.sleep(0.5)
    assert len(receiver.heard) == 1


async def test_who_may_not_search_a_type_cannot_subscribe_to_it(node: Node) -> None:
    client = node.client(await node.machine(None, "system/Subscription.cruds system/Patient.r"))
    answer = await client.post("Subscription", json=wanting("Observation", "https://example.org/"))
    assert answer.status_code == 403


async def test_another_organisation_cannot_see_or_change_a_subscription(node: Node) -> None:
    county = node.client(await node.machine("county"))
    city = node.client(await node.machine("city"))
    asked = wanting("Observation", "https://example.org/hook", header=["Authorization: secret"])
    id = await created(county, asked)
    assert (await city.get(f"Subscription/{id}")).status_code == 404
    assert (await city.get("Subscription")).json().get("entry") is None
    assert (await city.put(f"Subscription/{id}", json=asked | {"id": id})).status_code == 409


@pytest.mark.parametrize("role", ["doctor", "expert", "desk"])
async def test_clinical_roles_have_no_right_on_subscriptions(node: Node, role: str) -> None:
    client = node.client(await staff(node, role))
    asked = wanting("Organization", "https://example.org/")
    assert (await client.post("Subscription", json=asked)).status_code == 403
    assert (await client.get("Subscription")).status_code == 403


async def test_an_administrator_keeps_the_own_organisations_subscriptions(node: Node) -> None:
    county, city = await node.machine("county"), await node.machine("city")
    asked = wanting("Observation", "https://example.org/hook")
    ours = await created(node.client(county), asked)
    theirs = await created(node.client(city), asked)
    client = node.client(await staff(node, "admin"))
    found = (await client.get("Subscription")).json()
    assert [one["resource"]["id"] for one in found["entry"]] == [ours]
    assert (await client.get(f"Subscription/{theirs}")).status_code == 404
    # Switching is the administrator's, what patients' records say is not.
    for status in ("off", "requested"):
        said = (await client.get(f"Subscription/{ours}")).json() | {"status": status}
        assert (await client.put(f"Subscription/{ours}", json=said)).status_code == 200
    elsewhere = said | {"criteria": "Patient"}
    assert (await client.put(f"Subscription/{ours}", json=elsewhere)).status_code == 403
    assert (await client.post("Subscription", json=asked)).status_code == 403
    async with node.db.connection() as connection:
        one = await queue.listener(connection, ours)
    assert one is not None
    assert (one.subscriber, one.status) == (county.id, "requested")


async def staff(node: Node, role: str) -> Actor:
    async with node.db.transaction() as tx:
        account = await create_account(
            tx,
            login=role,
            password="a long enough secret",
            name=role,
            role=role,
            organisation="county",
        )
    return account.actor
