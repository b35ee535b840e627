"""https: a real TLS receiver under a private authority, and certificates that are refused."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fhir.certificates import authority_in, identity
from tests.fhir.resources import observation
from tests.fhir.subscriptions.conftest import Node, created, ids, subscription
from tests.fhir.subscriptions.workers import until

from serai.fhir.subscriptions.delivering import trust
from serai.fhir.subscriptions.telling import Pace

IMPATIENT = Pace(first_pause_s=0.02, tries=2, look_every_s=0.2)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return authority_in(tmp_path)


async def given_up(client: httpx.AsyncClient, id: str) -> bool:
    """Whether a letter is dead, and the subscription says why."""
    answer = await client.get(f"Subscription/{id}/$dead-letters")
    said = await client.get(f"Subscription/{id}")
    return "parameter" in answer.json() and "error" in said.json()


async def reason(node: Node, receivers: Any, shown: ssl.SSLContext, known: Path | None) -> str:
    """Why the only letter was given up."""
    receiver = await receivers(shown)
    client = node.client(await node.machine())
    id = await created(client, subscription("Observation", receiver.url))
    await created(client, observation())

    async with node.delivering(IMPATIENT, authorities=known):
        await until(lambda: given_up(client, id))
        answer = await client.get(f"Subscription/{id}/$dead-letters")
    assert receiver.heard == []
    said = (await client.get(f"Subscription/{id}")).json()
    (letter,) = answer.json()["parameter"]
    found: str = letter["part"][-1]["valueString"]
    assert said["error"] == found
    return found


async def test_a_receiver_under_a_private_authority_is_told(
    node: Node, receivers: Any, authority: Path
) -> None:
    receiver = await receivers(identity(authority, "IP:127.0.0.1"))
    client = node.client(await node.machine())
    async with node.delivering(authorities=authority):
        await created(client, subscription("Observation", receiver.url))
        made = await created(client, observation())
        assert ids(await receiver.until(1)) == [made]


async def test_a_certificate_nobody_vouches_for_is_refused_with_the_reason(
    node: Node, receivers: Any, authority: Path
) -> None:
    found = await reason(node, receivers, identity(authority, "IP:127.0.0.1"), None)
    assert found.startswith("certificate refused: ")
    assert "issuer" in found


async def test_a_certificate_for_another_name_is_refused_with_the_reason(
    node: Node, receivers: Any, authority: Path
) -> None:
    found = await reason(node, receivers, identity(authority, "DNS:other.example"), authority)
    assert found.startswith("certificate refused: ")
    assert "mismatch" in found


def test_an_unreadable_file_of_authorities_is_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        trust(tmp_path / "ca.pem")
    (tmp_path / "empty.pem").write_text("nothing\n")
    with pytest.raises(ssl.SSLError):
        trust(tmp_path / "empty.pem")


async def test_a_certificate_proven_for_one_name_vouches_for_no_other_at_the_same_address(
    node: Node, receivers: Any, authority: Path
) -> None:
    receiver = await receivers(identity(authority, "IP:127.0.0.1"))
    other = receiver.url.replace("127.0.0.1", "localhost")
    client = node.client(await node.machine())
    async with node.delivering(IMPATIENT, authorities=authority):
        proven = await created(client, subscription("Observation", receiver.url))
        first = await created(client, observation())
        assert ids(await receiver.until(1)) == [first]
        await client.delete(f"Subscription/{proven}")
        unproven = await created(client, subscription("Observation", other))
        await created(client, observation())
        await until(lambda: given_up(client, unproven))
        said = (await client.get(f"Subscription/{unproven}")).json()
    assert said["error"].startswith("certificate refused")
    assert ids(receiver.heard) == [first]
