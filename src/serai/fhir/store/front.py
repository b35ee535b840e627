"""What the rest of the house calls. The transaction, the actor and the time always come first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from serai.fhir.body import Body, Data
from serai.fhir.search import page, parsing
from serai.fhir.search.keys import key
from serai.fhir.search.page import Page
from serai.fhir.search.parsing import Pairs
from serai.fhir.search.places import Place
from serai.fhir.search.vocabulary import Expand, resolved
from serai.fhir.store import history, reading, refusals, sharing
from serai.fhir.store.changes import Guard, Guards, Prepare, Write
from serai.fhir.store.parameters import Watch
from serai.fhir.store.together import Reads
from serai.fhir.store.writing import Writer
from serai.fhir.stored import Stored
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed, Stale
from serai.kernel.ids import new_id
from serai.platform.db import Connection, Database
from serai.platform.encryption.keyring import Keyring
from serai.platform.trail import Trail

# Serialises creates with the same condition, or two of them would both find nothing.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(wanted) FROM unnest(%s::bigint[]) AS wanted"


class FhirStore:
    """One per process; `base` is this server's FHIR address, for references that spell it out."""

    def __init__(self, *, base: str = "") -> None:
        self.base = base.rstrip("/")
        self.trail = Trail()
        self._guards = Guards()
        self.parameters = Watch()
        self.guard("SearchParameter", self.parameters.guard)
        self.guard("Consent", refusals.keep_in_step)
        self._reads: Reads | None = None
        # What a terminology knows: value sets and hierarchies behind token modifiers.
        self.expand: Expand | None = None
        # What seals the secrets that resources hold; without it they are stored as they come.
        self.keys: Keyring | None = None

    def guard(self, resource_type: str, guard: Guard) -> None:
        """From now on `guard` is asked before every write of that type."""
        self._guards.add(resource_type, guard)

    def prepare(self, resource_type: str, prepare: Prepare) -> None:
        """From now on this is stored of resources of that type."""
        self._guards.preparing[resource_type] = prepare

    def guarded(self, resource_type: str) -> bool:
        """Whether a guard wants to see writes of that type, in a transaction."""
        return self._guards.watch(resource_type)

    # Reading

    async def read(self, connection: Connection, type: str, id: str, *, actor: Actor) -> Stored:
        return await reading.read(connection, type, id, actor=actor)

    def reads(self, db: Database) -> Reads:
        """Reads that share a connection with others asked for at the same moment."""
        if self._reads is None:
            self._reads = Reads(db, self.trail)
        return self._reads

    async def read_to_change(self, tx: Connection, type: str, id: str, *, actor: Actor) -> Stored:
        return await reading.read_to_change(tx, type, id, actor=actor)

    async def vread(
        self, connection: Connection, type: str, id: str, version: int, *, actor: Actor
    ) -> Stored:
        return await reading.vread(connection, type, id, version, actor=actor)

    async def history(
        self, connection: Connection, asked: history.Asked, *, actor: Actor
    ) -> history.Versions:
        return await history.history(connection, asked, actor=actor)

    async def search(
        self,
        connection: Connection,
        where: str | Place,
        params: Pairs,
        *,
        actor: Actor,
        now: datetime | None = None,
        handling: str = "strict",
        base: str | None = None,
    ) -> Page:
        """One page; `now` only widens ``ap`` dates, `base` is our address to this client."""
        query = parsing.parse(
            where, params, now=now or utc_now(), base=base or self.base, handling=handling
        )
        query = await resolved(connection, query, self.expand)
        return await page.run(connection, query, actor=actor)

    async def find(
        self, connection: Connection, type: str, *params: tuple[str, str], actor: Actor
    ) -> list[Data]:
        """Every match, decoded, over all pages."""
        found: list[Data] = []
        wanted = [("_count", str(parsing.MAX_COUNT)), *params]
        query = parsing.parse(type, wanted, now=utc_now(), base=self.base)
        query = await resolved(connection, query, self.expand)
        while True:
            one = await page.run(connection, query, actor=actor)
            found += [match.data for match in one.matches]
            if one.next is None:
                return found
            query = one.next

    # Writing

    async def write(
        self, tx: Connection, writes: Sequence[Write], *, actor: Actor, now: datetime
    ) -> list[Stored]:
        """Several writes at once, each resource at most once."""
        if len({(one.type, one.id) for one in writes}) != len(writes):
            raise Malformed("fhir.written-twice")
        writer = Writer(tx, self._guards, actor, now, self.base)
        return await writer.write(writes)

    async def create(
        self,
        tx: Connection,
        body: Body,
        *,
        actor: Actor,
        now: datetime,
        id: str | None = None,
        if_none_exist: Pairs | None = None,
    ) -> Stored:
        """A new resource; with `if_none_exist`, the one already there instead (its version is
        then older than this call)."""
        if if_none_exist is not None:
            found = await self.existing(tx, body.type, if_none_exist, actor=actor)
            if found is not None:
                return found
        wanted = Write("POST", body.type, id or new_id(), body, fresh=id is None)
        return (await self.write(tx, [wanted], actor=actor, now=now))[0]

    async def update(
        self,
        tx: Connection,
        body: Body,
        *,
        actor: Actor,
        now: datetime,
        if_match: int | None = None,
    ) -> Stored:
        """A new version of `body.id`, its first one included (update as create)."""
        if body.id is None:
            raise Malformed("fhir.no-id")
        wanted = Write("PUT", body.type, body.id, body, if_match)
        return (await self.write(tx, [wanted], actor=actor, now=now))[0]

    async def delete(
        self,
        tx: Connection,
        type: str,
        id: str,
        *,
        actor: Actor,
        now: datetime,
        if_match: int | None = None,
    ) -> Stored:
        """The tombstone; deleting what is not there changes nothing (version 0)."""
        wanted = Write("DELETE", type, id, if_match=if_match)
        return (await self.write(tx, [wanted], actor=actor, now=now))[0]

    async def existing(
        self, tx: Connection, type: str, criteria: Pairs, *, actor: Actor
    ) -> Stored | None:
        """The only match of a condition, None without one, Stale with several (R4 §3.1.0.8.1).

        Until the transaction ends nobody else gets an answer to the same condition.
        """
        await self.hold_conditions(tx, [(type, criteria)])
        return await self.only_match(tx, type, criteria, actor=actor)

    async def hold_conditions(
        self, tx: Connection, conditions: Iterable[tuple[str, Pairs]]
    ) -> None:
        """Several at once are held in one order, so that two transactions cannot deadlock."""
        locks = {
            key("condition", type, *(text for pair in sorted(criteria) for text in pair))
            for type, criteria in conditions
        }
        await tx.execute(ONE_AT_A_TIME, (sorted(locks),))

    async def only_match(
        self, connection: Connection, type: str, criteria: Pairs, *, actor: Actor
    ) -> Stored | None:
        """The only match, None without one, Stale with several."""
        found = await self.matches(connection, type, criteria, actor=actor, most=2)
        if len(found) > 1:
            raise Stale("search.several-matches", type=type)
        return found[0] if found else None

    async def matches(
        self, connection: Connection, type: str, criteria: Pairs, *, actor: Actor, most: int
    ) -> list[Stored]:
        """The first matches of a condition, which must name something."""
        query = parsing.parse(type, criteria, now=utc_now(), base=self.base)
        if not query.conditions:
            raise Malformed("search.no-condition")
        query = await resolved(connection, query, self.expand)
        plain = replace(query, count=most, includes=(), cursor=None, total=False)
        return (await page.run(connection, plain, actor=actor)).matches

    # Sharing

    async def share(
        self,
        tx: Connection,
        organisation: str,
        refs: Iterable[str],
        reason: str,
        now: datetime,
    ) -> None:
        await sharing.share(tx, organisation, refs, reason, now)

    async def close_shares(self, tx: Connection, reason: str, now: datetime) -> None:
        await sharing.close_shares(tx, reason, now)
