"""What a client may ask of a Subscription, and the bookkeeping in the same transaction."""

from __future__ import annotations

from functools import partial

from serai.fhir.body import Data
from serai.fhir.store import Change, FhirStore
from serai.fhir.subscriptions import queue, sealing
from serai.fhir.subscriptions.definition import read
from serai.fhir.visibility import require
from serai.kernel.actor import Kind, serai_itself
from serai.kernel.errors import Forbidden, Invalid
from serai.platform import addresses
from serai.platform.db import Connection
from serai.platform.encryption.keyring import Keyring

_STATE = frozenset({"meta", "status", "error"})


def register_guards(store: FhirStore, *, hosts: str = "", keys: Keyring | None = None) -> None:
    """`hosts` lists, with commas, the private hosts (or host:port) that may be told; `keys` seal
    what webhooks are told in headers."""
    allowed = allowed_hosts(hosts)

    async def guard(tx: Connection, change: Change) -> bool:
        await _check(tx, change, allowed, store.base)
        return False

    store.guard("Subscription", guard)
    if keys is not None:
        store.keys = keys
        store.prepare("Subscription", partial(sealing.seal, keys))


def allowed_hosts(hosts: str) -> frozenset[str]:
    return addresses.hosts(hosts)


async def _check(tx: Connection, change: Change, allowed: frozenset[str], base: str) -> None:
    if change.new is None:
        await queue.forget(tx, change.id)
        return
    if change.actor == serai_itself:
        return
    if change.actor.app is not None:
        # What it is told goes on when its token is over, and past what the token covers.
        raise Forbidden("fhir.scope", interaction="c", type="Subscription")
    status = change.new.get("status")
    if status not in ("requested", "off"):
        raise Invalid("subscription.status", place="Subscription.status")
    wanted = read(change.new, allowed=allowed, base=base)
    if status == "off":
        await queue.switch_off(tx, change.id)
        return
    if await _only_switched_on(tx, change):
        await queue.resume(tx, change.id, wanted, now=change.now)
        return
    for interaction in "rs":
        require(change.actor, interaction, wanted.type)
    await queue.follow(tx, change.id, wanted, actor=change.actor, now=change.now)


async def _only_switched_on(tx: Connection, change: Change) -> bool:
    """Staff who switch a program's subscription on again do not become its subscriber: it is
    not their rights that it needs."""
    if change.old is None or change.new is None or change.actor.kind is not Kind.STAFF:
        return False
    before, after = ({k: v for k, v in one.items() if k not in _STATE} for one in _both(change))
    if before != after:
        return False
    one = await queue.listener(tx, change.id)
    return one is not None and one.subscriber != change.actor.id


def _both(change: Change) -> tuple[Data, Data]:
    return change.old or {}, change.new or {}
