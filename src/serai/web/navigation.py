"""The entries of the main menu. Rooms with pages export theirs; `app.py` puts them in order."""

from __future__ import annotations

from dataclasses import dataclass, field

from serai.kernel.actor import Actor, Kind

# Where somebody lands for whose role no entry claims to be the home.
FALLBACK_HOME = "/organisations"


@dataclass(frozen=True, slots=True)
class NavItem:
    """`label` is marked with N_; no `roles` means all; roles in `home_for` land here."""

    label: str
    href: str
    icon: str
    roles: frozenset[str] = field(default_factory=frozenset)
    home_for: frozenset[str] = field(default_factory=frozenset)

    def shown_to(self, actor: Actor) -> bool:
        return actor.kind is Kind.STAFF and (not self.roles or actor.role in self.roles)

    def covers(self, path: str) -> bool:
        return path == self.href or path.startswith(self.href.rstrip("/") + "/")


def home_of(actor: Actor, navigation: tuple[NavItem, ...]) -> str:
    """The page a role starts its day on."""
    for item in navigation:
        if actor.role in item.home_for:
            return item.href
    return FALLBACK_HOME
