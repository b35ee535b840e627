"""Orders as scheduled procedure steps (PS3.4 Table K.6-1): ServiceRequest, Appointment, Patient."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from serai.fhir.search import page
from serai.fhir.search.query import Query
from serai.fhir.store import FhirStore
from serai.imaging.archive.imaging_study import DCM, DICOM_UID
from serai.imaging.dataset.model_json import Attributes, vr_of
from serai.imaging.dimse.narrowing import AE_TITLE, SHORT, Narrowing, token
from serai.kernel.actor import Actor
from serai.platform.db import Connection

Resource = Mapping[str, Any]

ACTIVE: Final = ("status", "active")
RECORD_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
REPRESENTATION: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
GROUPS: Final = {"ABC": "Alphabetic", "SYL": "Phonetic", "IDE": "Ideographic"}
SEX: Final = {"male": "M", "female": "F", "other": "O"}
PRIORITY: Final = {"routine": "ROUTINE", "urgent": "HIGH", "asap": "HIGH", "stat": "STAT"}
STANDING: Final = ("booked", "arrived", "checked-in", "pending", "proposed")
IDS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One scheduled procedure step and the order that it belongs to."""

    order: Resource
    modality: str
    study_uid: str
    id: str
    attributes: Attributes


async def steps(
    fhir: FhirStore, connection: Connection, actor: Actor, wanted: Narrowing
) -> list[Step]:
    """Active orders for pictures that the actor may see, with their patients, as far as they can
    be wanted."""
    always: list[tuple[str, str]] = [ACTIVE, *wanted.always]
    if wanted.patient:
        patients = await _numbered_patients(fhir, connection, wanted.patient, actor)
        if not patients:
            return []
        always.append(("subject", ",".join(f"Patient/{id}" for id in patients)))
    found: dict[str, Resource] = {}
    for way in wanted.orders or ((),):
        rows = await fhir.find(connection, "ServiceRequest", *always, *way, actor=actor)
        found |= {row["id"]: row for row in rows}
    for way in wanted.visits:
        visits = await fhir.find(connection, "Appointment", *way, actor=actor)
        based_on = {
            _id(each, "ServiceRequest") for row in visits for each in row.get("basedOn", [])
        }
        for some in _portions(sorted(based_on - found.keys() - {""})):
            ids = ("_id", ",".join(some))
            rows = await fhir.find(connection, "ServiceRequest", *always, ids, actor=actor)
            found |= {row["id"]: row for row in rows}
    return await _of_orders(fhir, connection, list(found.values()), actor)


async def some_steps(
    fhir: FhirStore, connection: Connection, actor: Actor, after: Query | None
) -> tuple[list[Step], Query | None]:
    """Of every active order the next few, and where to go on; by when they are to be done."""
    if after is None:
        asked = [ACTIVE, ("_sort", "occurrence"), ("_count", str(IDS_AT_ONCE))]
        one = await fhir.search(connection, "ServiceRequest", asked, actor=actor)
    else:
        one = await page.run(connection, after, actor=actor)
    orders = [match.data for match in one.matches]
    return await _of_orders(fhir, connection, orders, actor), one.next


async def _of_orders(
    fhir: FhirStore, connection: Connection, orders: Sequence[Resource], actor: Actor
) -> list[Step]:
    wanted = [(order, modality) for order in orders if (modality := _modality(order))]
    patients = await _patients(fhir, connection, [order for order, _ in wanted], actor)
    visits = await _appointments(fhir, connection, [order for order, _ in wanted], actor)
    made = []
    for order, modality in wanted:
        patient = patients.get(_id(order.get("subject"), "Patient"))
        if patient is not None:
            made.append(_step(order, modality, patient, visits.get(order["id"])))
    return made


async def _numbered_patients(
    fhir: FhirStore, connection: Connection, number: str, actor: Actor
) -> list[str]:
    """Those who have the number; one who has none is known by the record's own id."""
    rows = await fhir.find(connection, "Patient", ("identifier", token(number)), actor=actor)
    if RECORD_ID.fullmatch(number):
        rows += await fhir.find(connection, "Patient", ("_id", number), actor=actor)
    return sorted({row["id"] for row in rows})


def study_uid(order: Resource) -> str:
    """The UID the order names, or one made of its id, the same each time (PS3.5 §B.2)."""
    for identifier in order.get("identifier", []):
        if identifier.get("system") == DICOM_UID:
            return str(identifier.get("value", "")).removeprefix("urn:oid:")
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, str(order['id'])).int}"


def _modality(order: Resource) -> str:
    """The DICOM modality an order states; without one it is no order for pictures."""
    concepts = [*order.get("orderDetail", []), order.get("code", {}), *order.get("category", [])]
    for concept in concepts:
        for coding in concept.get("coding", []):
            if coding.get("system") == DCM:
                return str(coding.get("code", ""))
    return ""


async def _patients(
    fhir: FhirStore, connection: Connection, orders: Sequence[Resource], actor: Actor
) -> dict[str, Resource]:
    ids = sorted({id for order in orders if (id := _id(order.get("subject"), "Patient"))})
    found: dict[str, Resource] = {}
    for some in _portions(ids):
        rows = await fhir.find(connection, "Patient", ("_id", ",".join(some)), actor=actor)
        found |= {row["id"]: row for row in rows}
    return found


async def _appointments(
    fhir: FhirStore, connection: Connection, orders: Sequence[Resource], actor: Actor
) -> dict[str, Resource]:
    """The appointment of each order that has a standing one."""
    found: dict[str, Resource] = {}
    for some in _portions([order["id"] for order in orders]):
        based_on = ",".join(f"ServiceRequest/{id}" for id in some)
        rows = await fhir.find(connection, "Appointment", ("based-on", based_on), actor=actor)
        for row in rows:
            for reference in row.get("basedOn", []):
                if row.get("status") in STANDING:
                    found[_id(reference, "ServiceRequest")] = row
    return found


def _step(order: Resource, modality: str, patient: Resource, visit: Resource | None) -> Step:
    uid, accession = study_uid(order), _numbered(order, "ACSN")
    id = _short(accession or str(order["id"]))
    day, time = _when(order, visit)
    description = _said(order.get("code", {}))
    scheduled = {
        "00080060": modality,
        "00400001": list(_stations(order, visit)),
        "00400002": day,
        "00400003": time,
        "00400006": _doctor(order.get("performer", [])),
        "00400007": description[:64],
        "00400009": id,
        "00400010": "",
        "00400020": "SCHEDULED",
    }
    attributes = _filled(
        {
            "00080050": accession[:SHORT],
            "00080090": _named(order.get("requester")),
            "0020000D": uid,
            "00321032": _named(order.get("requester")),
            "00321060": description[:64],
            "00380010": "",
            "00401001": id,
            "00401002": "; ".join(map(_said, order.get("reasonCode", [])))[:64],
            "00401003": PRIORITY.get(order.get("priority", ""), "ROUTINE"),
            "00402016": _numbered(order, "PLAC"),
            "00402017": _numbered(order, "FILL"),
            **_demographics(patient),
        }
    )
    attributes["00321064"] = {"vr": "SQ", "Value": list(map(_code, _codings(order)))}
    attributes["00400100"] = {"vr": "SQ", "Value": [_filled(scheduled)]}
    return Step(order, modality, uid, id, attributes)


def _demographics(patient: Resource) -> dict[str, Any]:
    number, issuer = _number(patient)
    return {
        "00100010": person_name(patient.get("name", [])),
        "00100020": number,
        "00100021": issuer,
        "00100030": str(patient.get("birthDate", "")).replace("-", ""),
        "00100040": SEX.get(patient.get("gender", ""), ""),
    }


def person_name(names: Sequence[Resource]) -> dict[str, str]:
    """The component groups of a PN: by the representation stated, else by the script used."""
    groups: dict[str, str] = {}
    for name in names:
        given = " ".join(name.get("given", []))
        text = "^".join((name.get("family", ""), given)).strip("^") or name.get("text", "")
        stated = [
            GROUPS.get(extension.get("valueCode", ""))
            for extension in name.get("extension", [])
            if extension.get("url") == REPRESENTATION
        ]
        by_script = "Ideographic" if _ideographic(text) else "Alphabetic"
        groups.setdefault((stated and stated[0]) or by_script, text)
    return {group: text for group, text in groups.items() if text}


def _ideographic(text: str) -> bool:
    return any("\u3400" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" for char in text)


def _number(patient: Resource) -> tuple[str, str]:
    """The medical record number, else the first that is there, and who issued it."""
    identifiers = patient.get("identifier", [])
    record = [each for each in identifiers if _is_type(each, "MR")] or identifiers[:1]
    if not record:
        return str(patient["id"]), ""
    issuer = record[0].get("assigner", {}).get("display") or record[0].get("system", "")
    return str(record[0].get("value", "")), issuer.removeprefix("urn:oid:")


def _numbered(order: Resource, kind: str) -> str:
    return next(
        (str(each["value"]) for each in order.get("identifier", [])
         if _is_type(each, kind) and "value" in each),
        "",
    )  # fmt: skip


def _is_type(identifier: Resource, code: str) -> bool:
    codings = identifier.get("type", {}).get("coding", [])
    return any(coding.get("code") == code for coding in codings)


def _when(order: Resource, visit: Resource | None) -> tuple[str, str]:
    """Date and time on the clock of who wrote them; an order nobody scheduled is for its day."""
    text = str(
        (visit or {}).get("start")
        or order.get("occurrenceDateTime")
        or order.get("occurrencePeriod", {}).get("start")
        or order.get("authoredOn", "")[:10]
    )
    day, _, time = text.partition("T")
    return day.replace("-", ""), time[:8].replace(":", "")


def _stations(order: Resource, visit: Resource | None) -> Iterable[str]:
    """AE titles of devices, named by identifier where they are asked to take part."""
    takers = [each.get("actor", {}) for each in (visit or {}).get("participant", [])]
    for reference in [*takers, *order.get("performer", [])]:
        identifier = reference.get("identifier", {})
        if identifier.get("system") == AE_TITLE:
            yield str(identifier.get("value", ""))


def _doctor(references: Sequence[Resource]) -> dict[str, str]:
    people = [each for each in references if "identifier" not in each]
    return _named(people[0] if people else None)


def _named(reference: Resource | None) -> dict[str, str]:
    text = " ".join(str((reference or {}).get("display", "")).split())
    if not text:
        return {}
    return {"Ideographic" if _ideographic(text) else "Alphabetic": text}


def _codings(order: Resource) -> Iterable[Resource]:
    return (each for each in order.get("code", {}).get("coding", []) if each.get("code"))


def _code(coding: Resource) -> Attributes:
    """A code sequence item; the scheme is a name of at most 16 characters (PS3.3 §8.1)."""
    scheme = {"http://snomed.info/sct": "SCT", "http://loinc.org": "LN", DCM: "DCM"}
    return _filled(
        {
            "00080100": str(coding["code"])[:SHORT],
            "00080102": scheme.get(coding.get("system", ""), "99LOCAL"),
            "00080104": str(coding.get("display") or coding["code"])[:64],
        }
    )


def _said(concept: Resource) -> str:
    codings = concept.get("coding", [{}])
    return str(concept.get("text") or codings[0].get("display") or codings[0].get("code") or "")


def _short(text: str) -> str:
    """SH has 16 characters; longer ids are told apart by their digest."""
    return text if len(text) <= SHORT else hashlib.sha256(text.encode()).hexdigest()[:SHORT]


def _filled(values: Mapping[str, Any]) -> Attributes:
    filled: Attributes = {}
    for tag, value in values.items():
        some = value if isinstance(value, list) else [value]
        some = [each for each in some if each]
        vr = vr_of(int(tag, 16))
        filled[tag] = {"vr": vr, "Value": some} if some else {"vr": vr}
    return filled


def _id(reference: Resource | None, kind: str) -> str:
    text = str((reference or {}).get("reference", ""))
    return text.removeprefix(f"{kind}/") if text.startswith(f"{kind}/") else ""


def _portions(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + IDS_AT_ONCE] for at in range(0, len(ids), IDS_AT_ONCE))
