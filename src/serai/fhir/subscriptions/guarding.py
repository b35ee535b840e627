"""What a client may ask of a Subscription, and the bookkeeping in the same transaction."""

from __future__ import annotations

from serai.fhir.store import Change, FhirStore
from serai.fhir.subscriptions import queue
from serai.fhir.subscriptions.definition import read
from serai.fhir.visibility import require
from serai.kernel.actor import serai_itself
from serai.kernel.errors import Invalid
from serai.platform.db import Connection


def register_guards(store: FhirStore, *, hosts: str = "") -> None:
    """`hosts` lists, with commas, the private hosts (or host:port) that may be told."""
    allowed = allowed_hosts(hosts)

    async def guard(tx: Connection, change: Change) -> bool:
        await _check(tx, change, allowed, store.base)
        return False

    store.guard("Subscription", guard)


def allowed_hosts(hosts: str) -> frozenset[str]:
    return frozenset(one.strip() for one in hosts.split(",") if one.strip())


async def _check(tx: Connection, change: Change, allowed: frozenset[str], base: str) -> None:
    if change.new is None:
        await queue.forget(tx, change.id)
        return
    if change.actor == serai_itself:
        return
    status = change.new.get("status")
    if status not in ("requested", "off"):
        raise Invalid("subscription.status", place="Subscription.status")
    wanted = read(change.new, allowed=allowed, base=base)
    if status == "off":
        await queue.switch_off(tx, change.id)
        return
    for interaction in "rs":
        require(change.actor, interaction, wanted.type)
    await queue.follow(tx, change.id, wanted, actor=change.actor, now=change.now)
