"""Who is in the network: organisations, the tree they form, their specialties and staff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from serai.fhir.body import Data
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound
from serai.network.model import BY_SNOMED, SNOMED_CT, STAFF_ROLE_SYSTEM, TIER_SYSTEM, Tier
from serai.network.records import LANGUAGE, TRANSLATION
from serai.platform.db import Connection

# One search names at most so many ids.
IDS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Organisation:
    """`names` maps languages to names, the first being the official one."""

    id: str
    tier: Tier | None
    names: Mapping[str, str]
    parent: str | None = None
    country: str = ""
    city: str = ""
    address: str = ""
    phone: str = ""
    email: str = ""
    active: bool = True

    @property
    def name(self) -> str:
        return next(iter(self.names.values()), self.id)

    def name_in(self, language: str) -> str:
        return self.names.get(language) or self.name

    @property
    def other_names(self) -> tuple[str, ...]:
        return tuple(self.names.values())[1:]

    def matches(self, words: str) -> bool:
        """Whether every word occurs in a name, the place or the id."""
        text = " ".join((*self.names.values(), self.city, self.id)).casefold()
        return all(word in text for word in words.casefold().split())


@dataclass(frozen=True, slots=True)
class StaffMember:
    """Somebody in one role at one organisation; `id` is the PractitionerRole's."""

    id: str
    practitioner: str
    organisation: str
    names: Mapping[str, str]
    role: str
    titles: Mapping[str, str] = field(default_factory=dict)
    specialties: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return next(iter(self.names.values()), self.practitioner)

    def name_in(self, language: str) -> str:
        return self.names.get(language) or self.name

    def matches(self, words: str) -> bool:
        """Whether every word occurs in a name or a title."""
        text = " ".join((*self.names.values(), *self.titles.values())).casefold()
        return all(word in text for word in words.casefold().split())

    def title_in(self, language: str) -> str:
        return self.titles.get(language) or next(iter(self.titles.values()), "")


@dataclass(frozen=True)
class Directory:
    """The whole network at one moment: a few hundred rows, read at once."""

    organisations: tuple[Organisation, ...]
    specialties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> Mapping[str, Organisation]:
        return {one.id: one for one in self.organisations}

    @cached_property
    def _children(self) -> Mapping[str | None, Sequence[Organisation]]:
        children: dict[str | None, list[Organisation]] = {}
        for one in self.organisations:
            parent = one.parent if one.parent and one.parent in self.by_id else None
            children.setdefault(parent, []).append(one)
        return children

    def get(self, organisation_id: str) -> Organisation:
        found = self.by_id.get(organisation_id)
        if found is None:
            raise NotFound("network.organisation-unknown", id=organisation_id)
        return found

    def name(self, organisation_id: str | None, language: str) -> str:
        """For showing a reference; the id itself when it is not (yet) in the network."""
        found = self.by_id.get(organisation_id or "")
        return found.name_in(language) if found else organisation_id or ""

    def children(self, organisation_id: str | None) -> Sequence[Organisation]:
        return self._children.get(organisation_id, ())

    def above(self, organisation_id: str) -> Sequence[Organisation]:
        """From the organisation's parent up to the top."""
        line: list[Organisation] = []
        current = self.by_id.get(organisation_id)
        while current and current.parent:
            current = self.by_id.get(current.parent)
            if current is None or current in line:
                break
            line.append(current)
        return line

    def tree(self) -> Iterator[tuple[int, Organisation]]:
        """Depth and organisation, parents before children."""
        waiting = [(0, one) for one in reversed(self.children(None))]
        while waiting:
            depth, one = waiting.pop()
            yield depth, one
            waiting += [(depth + 1, child) for child in reversed(self.children(one.id))]

    def offering(self, organisation_id: str) -> tuple[str, ...]:
        """Specialty codes in which an organisation gives opinions."""
        return self.specialties.get(organisation_id, ())

    def may_be_asked_by(
        self, organisation_id: str | None, specialty: str | None = None
    ) -> Sequence[Organisation]:
        """Where an organisation may send a consultation: up its own line, to lead hospitals and
        to partners, wherever the (or any) specialty is offered; the nearest first."""
        line = self.above(organisation_id) if organisation_id else ()
        others = [one for one in self.organisations if one.tier in (Tier.LEAD, Tier.PARTNER)]
        ordered = {one.id: one for one in (*line, *others) if one.id != organisation_id}
        return [
            one
            for one in ordered.values()
            if one.active
            and (specialty in self.offering(one.id) if specialty else self.offering(one.id))
        ]


async def directory(c: Connection, store: FhirStore, *, actor: Actor) -> Directory:
    """Every organisation the actor may see, with the specialties it offers."""
    found = await store.find(c, "Organization", actor=actor)
    services = await store.find(c, "HealthcareService", ("active", "true"), actor=actor)
    specialties: dict[str, tuple[str, ...]] = {}
    for service in services:
        offered_by = _id(service.get("providedBy"))
        specialties[offered_by] = (*specialties.get(offered_by, ()), *_specialties(service))
    organisations = sorted((from_organization(data) for data in found), key=_in_order)
    return Directory(tuple(organisations), specialties)


async def staff_of(
    c: Connection,
    store: FhirStore,
    organisation_id: str,
    *,
    actor: Actor,
    role: str | None = None,
    specialty: str | None = None,
) -> list[StaffMember]:
    """Active staff of an organisation, all or those of one role and specialty."""
    wanted = ("organization", f"Organization/{organisation_id}")
    return [
        one
        for one in await _staff(c, store, wanted, actor=actor)
        if (role is None or one.role == role)
        and (specialty is None or specialty in one.specialties)
    ]


async def all_staff(c: Connection, store: FhirStore, *, actor: Actor) -> list[StaffMember]:
    """Everybody active in the network."""
    return await _staff(c, store, actor=actor)


async def _staff(
    c: Connection, store: FhirStore, *wanted: tuple[str, str], actor: Actor
) -> list[StaffMember]:
    roles = await store.find(c, "PractitionerRole", ("active", "true"), *wanted, actor=actor)
    ids = sorted({_id(one.get("practitioner")) for one in roles})
    people: list[Data] = []
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = ",".join(ids[start : start + IDS_AT_ONCE])
        people += await store.find(c, "Practitioner", ("_id", some), actor=actor)
    names = {one["id"]: _person_names(one) for one in people}
    return sorted((_staff_member(one, names) for one in roles), key=lambda one: one.name)


def from_organization(data: Data) -> Organisation:
    address: Data = next(iter(data.get("address", [])), {})
    telecom = {entry.get("system"): entry.get("value", "") for entry in data.get("telecom", [])}
    tier = _code(data.get("type", []), TIER_SYSTEM)
    return Organisation(
        id=data["id"],
        tier=Tier(tier) if tier in tuple(Tier) else None,
        names=_translated(data, "name"),
        parent=_id(data.get("partOf")) or None,
        country=address.get("country", ""),
        city=address.get("city", ""),
        address=", ".join(address.get("line", [])),
        phone=telecom.get("phone", ""),
        email=telecom.get("email", ""),
        active=data.get("active", True),
    )


def _staff_member(data: Data, names: Mapping[str, Mapping[str, str]]) -> StaffMember:
    practitioner = _id(data.get("practitioner"))
    codes = data.get("code", [])
    return StaffMember(
        id=data["id"],
        practitioner=practitioner,
        organisation=_id(data.get("organization")),
        names=names.get(practitioner, {}),
        role=_code(codes, STAFF_ROLE_SYSTEM),
        titles=next((_translated(code, "text") for code in codes if "text" in code), {}),
        specialties=_specialties(data),
    )


def _translated(data: Data, name: str) -> Mapping[str, str]:
    """A string and its translations by the standard extension."""
    texts: dict[str, str] = {"en": str(data.get(name, data.get("id", "")))}
    for translation in data.get(f"_{name}", {}).get("extension", []):
        if translation.get("url") != TRANSLATION:
            continue
        parts = {part["url"]: part for part in translation.get("extension", [])}
        if {"lang", "content"} <= parts.keys():
            content = parts["content"]
            texts[parts["lang"].get("valueCode", "")] = content.get("valueString", "")
    return texts


def _person_names(data: Data) -> Mapping[str, str]:
    names: dict[str, str] = {}
    for name in data.get("name", []):
        marks = {one.get("url"): one.get("valueCode") for one in name.get("extension", [])}
        spelled = " ".join((*name.get("given", []), name.get("family", ""))).strip()
        names.setdefault(str(marks.get(LANGUAGE, "en")), name.get("text", spelled))
    return names


def _specialties(data: Data) -> tuple[str, ...]:
    snomed = [
        coding.get("code")
        for concept in data.get("specialty", [])
        for coding in concept.get("coding", [])
        if coding.get("system") == SNOMED_CT
    ]
    return tuple(BY_SNOMED[code].code for code in snomed if code in BY_SNOMED)


def _code(concepts: Sequence[Data], system: str) -> str:
    codings = (coding for concept in concepts for coding in concept.get("coding", []))
    return next((one["code"] for one in codings if one.get("system") == system), "")


def _id(reference: Data | None) -> str:
    return str((reference or {}).get("reference", "")).rpartition("/")[2]


def _in_order(one: Organisation) -> tuple[int, str]:
    tiers = tuple(Tier)
    return (tiers.index(one.tier) if one.tier else len(tiers), one.name)
