"""Who acts: a person in one role at one organisation, a patient or guardian, somebody of a
partner company, a machine, or the server itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

INTERACTIONS = "cruds"


class Kind(StrEnum):
    STAFF = "staff"
    PARTNER = "partner"
    PATIENT = "patient"
    MACHINE = "machine"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """`organisation` and `practitioner` are logical FHIR ids; `scopes` SMART v2 strings.

    `only` is the type and id of the one resource that somebody with a link to it may see.
    Somebody without an organisation is system-wide only as machine or system;
    staff without one see nothing. `proved_at` is when the person behind a session last proved
    who they are; whoever has no session has none. `patients` are the ids of those whose record a
    patient (their own) or guardian sees; of everybody else it is empty. `app` is the registered
    app that acts in their name, and `patient` whose record alone its `patient/` scopes open.
    """

    id: str
    kind: Kind
    name: str
    role: str
    organisation: str | None = None
    practitioner: str | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    only: tuple[str, str] | None = None
    proved_at: datetime | None = None
    patients: tuple[str, ...] = ()
    app: str | None = None
    patient: str | None = None

    @property
    def system_wide(self) -> bool:
        return self.organisation is None and self.kind in (Kind.MACHINE, Kind.SYSTEM)

    def may(self, interaction: str, resource_type: str) -> bool:
        """Whether a scope allows one of c(reate) r(ead) u(pdate) d(elete) s(earch) on a type."""
        return any(_allows(scope, interaction, resource_type) for scope in self.scopes)


def _allows(scope: str, interaction: str, resource_type: str) -> bool:
    _, _, grant = scope.partition("?")[0].partition("/")
    granted_type, _, interactions = grant.partition(".")
    return granted_type in ("*", resource_type) and interaction in interactions


serai_itself = Actor(
    id="serai",
    kind=Kind.SYSTEM,
    name="Serai",
    role="system",
    scopes=frozenset({"system/*.cruds"}),
)
