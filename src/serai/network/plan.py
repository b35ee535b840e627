"""What a network file asks for: parsed once, with every mistake noted at its line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serai.network.model import PARENT_TIER, SPECIALTIES, Tier
from serai.network.yaml_places import Place, read
from serai.platform.auth.roles import ROLES

CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
LOGIN = re.compile(r"[a-z0-9][a-z0-9.-]{1,60}")
COUNTRY = re.compile(r"[A-Z]{2}")
AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
ADDRESS = re.compile(r"(?P<host>[^\s:]+|\[[0-9a-fA-F:]+\])(:(?P<port>\d{1,5}))?")

TOP_FIELDS = ("network", "initial_password", "organisations")
ORGANISATION_FIELDS = (
    "code", "tier", "part_of", "name", "country", "city", "address", "phone", "email",
    "specialties", "staff", "modalities", "under", "townships", "villages",
)  # fmt: skip
STAFF_FIELDS = ("login", "name", "role", "specialty", "title", "phone", "password")
MODALITY_FIELDS = ("ae_title", "address")
# What an application entity may do here; one that is told nothing else works as a modality does.
DICOM_SERVICES = ("store", "find", "retrieve", "worklist", "mpps", "commitment")
CHILDREN = {"under": None, "townships": Tier.TOWNSHIP, "villages": Tier.VILLAGE}


@dataclass(frozen=True, slots=True)
class WantedStaff:
    login: str
    names: Mapping[str, str]
    role: str
    specialty: str | None
    titles: Mapping[str, str]
    phone: str | None
    password: str | None
    place: Place = field(repr=False)


@dataclass(frozen=True, slots=True)
class Modality:
    """A DICOM peer of an organisation: AE title (PS3.5 §6.2), where it calls from and, unless
    it only sends, the port it answers on."""

    organisation: str
    ae_title: str
    host: str
    port: int | None
    services: tuple[str, ...] = ()
    tls: bool = False


@dataclass(frozen=True, slots=True)
class WantedOrganisation:
    """`part_of` is the code of the organisation above, in this file or loaded before."""

    code: str
    tier: Tier
    names: Mapping[str, str]
    part_of: str | None
    facts: Mapping[str, str]
    specialties: tuple[str, ...]
    staff: tuple[WantedStaff, ...]
    modalities: tuple[Modality, ...]
    place: Place = field(repr=False)


@dataclass(frozen=True, slots=True)
class WantedNetwork:
    title: str
    initial_password: str | None
    organisations: tuple[WantedOrganisation, ...]
    root: Place = field(repr=False)


def read_plan(path: Path) -> WantedNetwork:
    """The file's content; Invalid with every mistake and its line, or Malformed YAML."""
    root = read(path)
    fields = root.fields(*TOP_FIELDS)
    if "organisations" not in fields:
        root.refuse("network.field-missing", name="organisations")
        root.findings.raise_if_any()
    found = [
        one
        for entry in fields["organisations"].items()
        for one in _organisations(entry, parent=None, tier=None)
    ]
    _refuse_repeats(found)
    _refuse_wrong_parents(found)
    root.findings.raise_if_any()
    password = fields.get("initial_password")
    title = fields.get("network")
    return WantedNetwork(
        title=title.text() if title else path.stem,
        initial_password=password.text() if password else None,
        organisations=tuple(found),
        root=root,
    )


def _organisations(
    entry: Place, *, parent: str | None, tier: Tier | None
) -> Iterator[WantedOrganisation]:
    """One entry and everything under it, parents first."""
    if entry.is_text and tier and parent:
        yield from _short_organisation(entry, parent=parent, tier=tier)
        return
    fields = entry.fields(*ORGANISATION_FIELDS)
    if not fields:
        return
    one = _organisation(entry, fields, parent=parent, tier=tier)
    if one is None:
        return
    yield one
    for name, child_tier in CHILDREN.items():
        children = fields[name].items() if name in fields else []
        for child in children:
            yield from _organisations(child, parent=one.code, tier=child_tier)


def _short_organisation(entry: Place, *, parent: str, tier: Tier) -> Iterator[WantedOrganisation]:
    """`Willow Bend / 柳湾村`: the English name, which makes the code, then the Chinese one."""
    english, _, chinese = entry.text().partition("/")
    names = {"en": english.strip(), "zh": chinese.strip()}
    code = _derived_code(entry, english, parent)
    if code is None:
        return
    yield WantedOrganisation(
        code=code,
        tier=tier,
        names={language: name for language, name in names.items() if name},
        part_of=parent,
        facts={},
        specialties=(),
        staff=(),
        modalities=(),
        place=entry,
    )


def _organisation(
    entry: Place, fields: Mapping[str, Place], *, parent: str | None, tier: Tier | None
) -> WantedOrganisation | None:
    if "name" not in fields:
        entry.refuse("network.field-missing", name="name")
        return None
    names = fields["name"].names()
    own_tier = _tier(entry, fields, implied=tier)
    code = _code(entry, fields, names, parent=parent)
    if own_tier is None or code is None:
        return None
    facts = ("country", "city", "address", "phone", "email")
    return WantedOrganisation(
        code=code,
        tier=own_tier,
        names=names,
        part_of=parent or (fields["part_of"].text() if "part_of" in fields else None),
        facts={name: _fact(name, fields[name]) for name in facts if name in fields},
        specialties=_specialties(fields),
        staff=tuple(_staff(fields)),
        modalities=tuple(_modalities(fields, code)),
        place=entry,
    )


def _tier(entry: Place, fields: Mapping[str, Place], *, implied: Tier | None) -> Tier | None:
    if "tier" in fields:
        value = fields["tier"].one_of(tuple(Tier))
        return Tier(value) if value else None
    if implied is None:
        entry.refuse("network.field-missing", name="tier")
    return implied


def _code(
    entry: Place, fields: Mapping[str, Place], names: Mapping[str, str], *, parent: str | None
) -> str | None:
    if "code" not in fields:
        if parent and "en" in names:
            return _derived_code(entry, names["en"], parent)
        entry.refuse("network.field-missing", name="code")
        return None
    code = fields["code"].text()
    if code and not CODE.fullmatch(code):
        fields["code"].refuse("network.code-malformed", value=code)
        return None
    return code or None


def _derived_code(entry: Place, english: str, parent: str) -> str | None:
    slug = _slug(english)
    code = f"{parent}-{slug}"
    if not slug or not CODE.fullmatch(code):
        entry.refuse("network.code-needed", value=english.strip())
        return None
    return code


def _fact(name: str, place: Place) -> str:
    value = place.text()
    if name == "country" and value and not COUNTRY.fullmatch(value):
        place.refuse("network.country-malformed", value=value)
    return value


def _specialties(fields: Mapping[str, Place]) -> tuple[str, ...]:
    if "specialties" not in fields:
        return ()
    known = tuple(SPECIALTIES)
    return tuple(filter(None, (entry.one_of(known) for entry in fields["specialties"].items())))


def _staff(fields: Mapping[str, Place]) -> Iterator[WantedStaff]:
    for entry in fields["staff"].items() if "staff" in fields else ():
        given = entry.fields(*STAFF_FIELDS)
        missing = [name for name in ("login", "name", "role") if name not in given]
        for name in missing:
            entry.refuse("network.field-missing", name=name)
        if missing:
            continue
        login = given["login"].text()
        if login and not LOGIN.fullmatch(login):
            given["login"].refuse("network.login-malformed", value=login)
        specialty = given["specialty"].one_of(tuple(SPECIALTIES)) if "specialty" in given else None
        texts = {
            name: given[name].text() if name in given else None for name in ("phone", "password")
        }
        yield WantedStaff(
            login=login,
            names=given["name"].names(),
            role=given["role"].one_of(ROLES),
            specialty=specialty or None,
            titles=given["title"].names() if "title" in given else {},
            phone=texts["phone"],
            password=texts["password"],
            place=entry,
        )


def _modalities(fields: Mapping[str, Place], organisation: str) -> Iterator[Modality]:
    for entry in fields["modalities"].items() if "modalities" in fields else ():
        given = entry.fields(*MODALITY_FIELDS, "services", "tls")
        if not set(given) >= set(MODALITY_FIELDS):
            entry.refuse("network.field-missing", name=", ".join(MODALITY_FIELDS))
            continue
        ae_title, address = given["ae_title"].text(), given["address"].text()
        where = ADDRESS.fullmatch(address)
        if not AE_TITLE.fullmatch(ae_title):
            given["ae_title"].refuse("network.ae-title-malformed", value=ae_title)
        elif where is None or not 0 < int(where["port"] or 1) < 65536:
            given["address"].refuse("network.address-malformed", value=address)
        else:
            port = int(where["port"]) if where["port"] else None
            host = where["host"].strip("[]")
            services, tls = _services(given), "tls" in given and _is_true(given["tls"])
            yield Modality(organisation, ae_title, host, port, services, tls)


def _services(given: Mapping[str, Place]) -> tuple[str, ...]:
    entries = given["services"].items() if "services" in given else ()
    return tuple(filter(None, (entry.one_of(DICOM_SERVICES) for entry in entries)))


def _is_true(place: Place) -> bool:
    return place.one_of(("true", "false")) == "true"


def _refuse_repeats(found: list[WantedOrganisation]) -> None:
    organisations = ((one.code, one.place) for one in found)
    staff = ((person.login, person.place) for one in found for person in one.staff)
    for key, named in (("network.code-twice", organisations), ("network.login-twice", staff)):
        lines: dict[str, int] = {}
        for value, place in named:
            if value in lines:
                place.refuse(key, value=value, line=lines[value])
            lines.setdefault(value, place.line)


def _refuse_wrong_parents(found: list[WantedOrganisation]) -> None:
    """Parents that are not in the file are looked up in the network when it is loaded."""
    tiers = {one.code: one.tier for one in found}
    for one in found:
        wanted = PARENT_TIER[one.tier]
        if one.part_of is None:
            if wanted is not None:
                one.place.refuse("network.no-parent", tier=one.tier, wanted=wanted)
        elif one.part_of in tiers:
            refuse_wrong_parent(one, tiers[one.part_of])


def refuse_wrong_parent(one: WantedOrganisation, parent: Tier | None) -> None:
    wanted = PARENT_TIER[one.tier]
    if wanted is None:
        one.place.refuse("network.parent-not-allowed", tier=one.tier)
    elif parent is not wanted:
        one.place.refuse(
            "network.wrong-parent", tier=one.tier, wanted=wanted, parent=str(parent or "?")
        )


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "-".join(filter(None, re.split(r"[^a-z0-9]+", plain)))
