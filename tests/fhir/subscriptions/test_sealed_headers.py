"""What a webhook is told in headers is its receiver's secret: kept sealed, sent in the clear."""

from __future__ import annotations

import asyncio

import psycopg
from psycopg import sql
from tests.fhir.resources import observation
from tests.fhir.subscriptions.conftest import Node, Receiver, created, status_becomes
from tests.fhir.subscriptions.conftest import subscription as wanting
from tests.imaging.keeping.working import begun

from serai.fhir import body
from serai.fhir.subscriptions import sealing
from serai.platform.encryption import renewing
from serai.platform.encryption.columns import seal_what_is_plain
from serai.platform.encryption.keyring import Keyring

SECRET = "Bearer CANARY-of-the-webhook"
HEADER = [f"Authorization: {SECRET}", "X-Ward: three"]
ANY = "Observation?status=final"


def dumped(url: str) -> str:
    """Every row of the tables that hold what a client wrote."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT convert_from(content, 'UTF8') FROM fhir_resource WHERE content IS NOT NULL"
            " UNION ALL SELECT convert_from(content, 'UTF8') FROM fhir_version"
            " WHERE content IS NOT NULL UNION ALL SELECT content::text FROM fhir_text"
        ).fetchall()
    return "\n".join(row[0] for row in tables)


def unseal(url: str, id: str) -> None:
    """As an earlier version kept it."""
    with psycopg.connect(url) as connection:
        for table in ("fhir_resource", "fhir_version"):
            name = sql.Identifier(table)
            read = sql.SQL("SELECT version, content FROM {} WHERE type = 'Subscription'")
            write = sql.SQL("UPDATE {} SET content = %s WHERE id = %s AND version = %s")
            for version, content in connection.execute(read.format(name)).fetchall():
                data = body.decode(content)
                data["channel"]["header"] = HEADER
                connection.execute(write.format(name), (body.encode(data), id, version))
        connection.execute("INSERT INTO encryption_due VALUES ('Subscription')")
        connection.execute("INSERT INTO fhir_text VALUES ('Subscription', %s, '', 'CANARY')", (id,))


async def test_the_secret_is_sent_and_never_stored_or_shown(
    node: Node, receiver: Receiver, database_url: str
) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        id = await created(client, wanting(ANY, receiver.url, header=HEADER))
        await status_becomes(client, id, "active")
        await created(client, observation(status="final"))
        (heard,) = await receiver.until(1)
    assert heard.headers["authorization"] == SECRET
    assert heard.headers["x-ward"] == "three"
    shown = (await client.get(f"Subscription/{id}")).text
    shown += (await client.get(f"Subscription/{id}/_history")).text
    assert "Authorization: serai-sealed:" in shown
    assert "CANARY" not in shown + dumped(database_url)


async def test_what_was_read_can_be_written_back(node: Node, receiver: Receiver) -> None:
    client = node.client(await node.machine())
    async with node.delivering():
        id = await created(client, wanting(ANY, receiver.url, header=HEADER))
        await status_becomes(client, id, "active")
        read = (await client.get(f"Subscription/{id}")).json()
        answer = await client.put(f"Subscription/{id}", json=read | {"status": "requested"})
        assert answer.status_code == 200
        assert answer.json()["channel"]["header"] == read["channel"]["header"]
        await status_becomes(client, id, "active")
        await created(client, observation(status="final"))
        (heard,) = await receiver.until(1)
    assert heard.headers["authorization"] == SECRET


async def test_a_sealed_secret_goes_to_no_other_endpoint_subscription_or_header(
    node: Node, receiver: Receiver
) -> None:
    client = node.client(await node.machine())
    id = await created(client, wanting(ANY, receiver.url, header=HEADER))
    read = (await client.get(f"Subscription/{id}")).json() | {"status": "requested"}
    elsewhere = read["channel"] | {"endpoint": receiver.url + "/thief"}
    line = read["channel"]["header"][0]
    renamed = read["channel"] | {"header": [line.replace("Authorization", "X-Other")]}
    garbled = read["channel"] | {"header": ["Authorization: serai-sealed:AAAA"]}
    for channel in (elsewhere, renamed, garbled):
        answer = await client.put(f"Subscription/{id}", json=read | {"channel": channel})
        assert answer.status_code == 422
        assert "CANARY" not in answer.text
    del read["id"]
    assert (await client.post("Subscription", json=read)).status_code == 422


async def test_headers_of_an_earlier_version_are_sealed_and_come_under_new_keys(
    node: Node, receiver: Receiver, database_url: str, keys: Keyring
) -> None:
    client = node.client(await node.machine())
    id = await created(client, wanting(ANY, receiver.url, header=HEADER))
    read = (await client.get(f"Subscription/{id}")).json() | {"status": "requested"}
    await client.put(f"Subscription/{id}", json=read)
    unseal(database_url, id)
    assert "CANARY" in dumped(database_url)
    await seal_what_is_plain(node.db, keys, {"Subscription": sealing.seal_anew})
    assert "CANARY" not in dumped(database_url)

    old = (await keys.current("subscriptions")).id
    await asyncio.to_thread(keys.rotate)
    job = await begun(node.db, renewing.KIND)
    await renewing.renew(job, keys=keys, stores=[], sealers=[sealing.seal_anew], settled_s=0)
    assert old in {row.id for row in keys.rows() if row.retired_at}
    assert keys.destroy(old)
    async with node.delivering():
        await status_becomes(client, id, "active")
        await created(client, observation(status="final"))
        (heard,) = await receiver.until(1)
    assert heard.headers["authorization"] == SECRET
