"""The topics that can be subscribed to, as data.

https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html#subscription-topics
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from serai.fhir.body import Data
from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.search.criteria import honoured

BASE = "https://serai.health/fhir/SubscriptionTopic/"
ANY = "any-"


@dataclass(frozen=True, slots=True)
class Topic:
    """A change of one type. `moved` names an element whose value must have changed, `into` the
    only values that count; `filters` are the search parameters a subscriber may narrow it by."""

    url: str
    type: str
    filters: frozenset[str]
    moved: str | None = None
    into: frozenset[str] = frozenset()
    deletes: bool = False

    def happened(self, before: Data | None, after: Data | None) -> bool:
        """Whether this step from one version to the next is an event of the topic."""
        if after is None:
            return self.deletes
        if self.moved is None:
            return True
        new = after.get(self.moved)
        return new != (before or {}).get(self.moved) and (not self.into or new in self.into)


_NETWORK = (
    Topic(
        BASE + "task-moved",
        "Task",
        frozenset({"owner", "requester", "patient", "status", "code", "focus"}),
        moved="status",
    ),
    Topic(
        BASE + "report-final",
        "DiagnosticReport",
        frozenset({"patient", "subject", "code", "category", "performer"}),
        moved="status",
        into=frozenset({"final", "amended", "corrected", "appended"}),
    ),
)

NAMED: Mapping[str, Topic] = MappingProxyType({one.url: one for one in _NETWORK})


def topic(url: str) -> Topic | None:
    """The topic of this canonical address: one of the network's own, or any change of a type."""
    bare = url.partition("|")[0]
    name = bare.removeprefix(BASE + ANY)
    if name != bare and name in RESOURCE_TYPES:
        filters = frozenset(honoured(name)) - {"_has"}
        return Topic(bare, name, filters, deletes=True)
    return NAMED.get(bare)


def canonicals() -> list[str]:
    """Every topic that can be subscribed to."""
    return [*NAMED, *(BASE + ANY + kind for kind in sorted(RESOURCE_TYPES))]
