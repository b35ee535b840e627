"""What is about to change, and the guards that may refuse it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from serai.fhir.body import Body, Data
from serai.fhir.store.ahead import Ahead
from serai.kernel.actor import Actor
from serai.platform.db import Connection


@dataclass(frozen=True, slots=True)
class Change:
    """One resource before and after; None where it does not exist."""

    type: str
    id: str
    old: Data | None
    new: Data | None
    actor: Actor
    now: datetime


# A guard is asked once everything of the request is written, and sees it on the connection; it
# refuses by raising. True means that it vouches for the change: then it may also come
# from somebody with whom the record is only shared.
Guard = Callable[[Connection, Change], Awaitable[bool]]
# What is stored of a resource with this id in the place of what was sent.
Prepare = Callable[[str, Body], Awaitable[Body]]


@dataclass(frozen=True, slots=True)
class Write:
    """One wanted write. `fresh` says that the id was made just now: nothing can be
    there. `place` names it in the outcome of a larger request. `ahead` takes the place of the body
    for what was checked before; it is the first version should there be none yet."""

    method: str
    type: str
    id: str
    body: Body | None = None
    if_match: int | None = None
    fresh: bool = False
    place: str = ""
    ahead: Ahead | None = None


class Guards:
    """Capabilities register rules here; they hold for pages, jobs and FHIR clients alike."""

    def __init__(self) -> None:
        self._by_type: defaultdict[str, list[Guard]] = defaultdict(list)
        self.preparing: dict[str, Prepare] = {}

    def add(self, resource_type: str, guard: Guard) -> None:
        self._by_type[resource_type].append(guard)

    def watch(self, resource_type: str) -> bool:
        return bool(self._by_type.get(resource_type))

    async def check(self, tx: Connection, change: Change) -> bool:
        """Whether a guard vouches for the change. Any of them refuses by raising a SeraiError;
        the caller's transaction then rolls back."""
        return any([await guard(tx, change) for guard in self._by_type.get(change.type, ())])
