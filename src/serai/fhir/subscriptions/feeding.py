"""What one websocket is told of one subscription, and with whose rights, each time anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from serai.fhir.store import FhirStore
from serai.fhir.subscriptions import queue
from serai.fhir.subscriptions.definition import Definition, read
from serai.fhir.subscriptions.notifications import Told, bundle
from serai.fhir.subscriptions.queue import Event, Listener
from serai.fhir.subscriptions.subscribers import subscriber
from serai.fhir.subscriptions.telling import what_may_be_told
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden, Invalid, NotFound
from serai.platform.db import Connection


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription stands now. Something is told only if both may read it: whoever made
    the subscription, and whoever holds the socket."""

    listener: Listener
    wanted: Definition
    maker: Actor
    holder: Actor


@dataclass(frozen=True, slots=True)
class Message:
    """Frames to send, and the numbers that are told by them."""

    frames: tuple[str, ...]
    numbers: tuple[int, ...] = ()


@dataclass(slots=True)
class Feed:
    """One subscription on one socket: told of everything up to `sent`, and of everything that
    is not waiting up to `newest`."""

    id: str
    holder: str
    kind: str
    until: datetime | None
    newest: int = 0
    sent: int = 0
    last: datetime | None = None
    heartbeat: timedelta = field(default_factory=timedelta)

    async def standing(
        self, connection: Connection, store: FhirStore, now: datetime
    ) -> Standing | str:
        """Or the key of why nothing is told any more."""
        if self.until is not None and now >= self.until:
            return "subscription.binding-expired"
        holder = await subscriber(connection, self.holder, self.kind, now=now)
        if holder is None:
            return "subscription.no-access"
        try:
            found = await store.read(connection, "Subscription", self.id, actor=holder)
            wanted = read(found.data, allowed=None, base=store.base)
        except (NotFound, Forbidden, Invalid):
            return "subscription.not-listening"
        one = await queue.listener(connection, self.id)
        if one is None or one.status == "off" or wanted.channel != "websocket":
            return "subscription.not-listening"
        if wanted.is_over(now):
            return "subscription.not-listening"
        maker = await subscriber(connection, one.subscriber, one.kind, now=now)
        if maker is None:
            return "subscription.no-access"
        self.heartbeat = timedelta(seconds=wanted.heartbeat_s)
        return Standing(one, wanted, maker, holder)

    def begin(self, at: Standing, store: FhirStore, now: datetime) -> Message:
        """The answer to being bound. A topic's says how many events there have been: from this
        a client that was away knows what to ask `$events` for."""
        self.newest, self.sent, self.last = at.listener.last_number, 0, now
        if at.wanted.topic:
            text = bundle("handshake", at.listener, at.wanted, base=store.base).decode()
            return Message((text,))
        return Message((f"bound {self.id}",))

    async def next(
        self, connection: Connection, store: FhirStore, at: Standing, now: datetime
    ) -> Message | None:
        """The next events, in order; else a heartbeat when one is due."""
        while events := await queue.untold(
            connection, self.id, self.sent, self.newest, at.wanted.most
        ):
            told = await self._allowed(connection, store, at, events, now)
            if told:
                return self._message(store, at, told, now)
            self._passed(events[-1].number)
        if self.heartbeat and (self.last is None or now - self.last >= self.heartbeat):
            self.last = now
            return Message((bundle("heartbeat", at.listener, at.wanted, base=store.base).decode(),))
        return None

    async def _allowed(
        self,
        connection: Connection,
        store: FhirStore,
        at: Standing,
        events: Sequence[Event],
        now: datetime,
    ) -> list[Told]:
        told, withheld = await what_may_be_told(connection, store, events, at.maker)
        if withheld:
            await queue.settle(
                connection, self.id, withheld, "withheld", "subscription.no-access", now
            )
        if at.holder.id == at.maker.id:
            return told
        both, _ = await what_may_be_told(connection, store, [one.event for one in told], at.holder)
        return both

    def _message(
        self, store: FhirStore, at: Standing, told: Sequence[Told], now: datetime
    ) -> Message:
        numbers = tuple(one.event.number for one in told)
        self.last = now
        if not at.wanted.topic:
            return Message(tuple(f"ping {self.id}" for _ in told), numbers)
        last = max(at.listener.last_number, numbers[-1])
        one = replace(at.listener, last_number=last)
        content = bundle("event-notification", one, at.wanted, told, base=store.base)
        return Message((content.decode(),), numbers)

    def _passed(self, number: int) -> None:
        self.sent = max(self.sent, number)
        self.newest = max(self.newest, number)

    async def was_told(self, connection: Connection, message: Message, now: datetime) -> None:
        """Only after it was handed over: whoever dies before is told again."""
        if message.numbers:
            numbers = list(message.numbers)
            await queue.settle(connection, self.id, numbers, "delivered", None, now)
            self._passed(numbers[-1])
        await connection.execute(queue.SENT, {"id": self.id, "now": now})

    def due(self) -> datetime | None:
        """When something is to be done though nothing happens."""
        beat = self.last + self.heartbeat if self.heartbeat and self.last else None
        return min((one for one in (beat, self.until) if one), default=None)
