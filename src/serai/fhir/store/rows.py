"""A checked write to the rows it makes: content as served, search values, owner, compartment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from serai.fhir.body import Body, Data, stamp
from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.search import romanised
from serai.fhir.search.extract import compartment, index
from serai.fhir.search.folding import fold
from serai.fhir.search.indexed import Indexed, PositionValue, QuantityValue
from serai.fhir.search.intervals import EARLIEST, LATEST
from serai.fhir.search.keys import is_local, label_key, of_index
from serai.fhir.stored import Stored
from serai.fhir.validation import validate
from serai.kernel.errors import Invalid, Malformed

# PostgreSQL text takes a value this long without trouble; nobody types more to find a name.
LONGEST_STRING = 2000


# The keys beside a value that is part of a composite.
Held = tuple[int, ...] | None


class Encoded(NamedTuple):
    """The rows in the tables of search values as JSON objects, commas between."""

    strings: bytes
    dates: bytes
    quantities: bytes
    positions: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """One row of fhir_resource with its rows in the tables of search values; `encoded` stands
    for the latter where another process has made them."""

    stored: Stored
    patients: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()
    strings: tuple[tuple[str, str, str, Held], ...] = ()
    dates: tuple[tuple[str, datetime, datetime, Held], ...] = ()
    quantities: tuple[QuantityValue, ...] = ()
    positions: tuple[PositionValue, ...] = ()
    encoded: Encoded | None = None


def check(body: Body, *, resource_type: str) -> None:
    """Refuses a body of another type, or one that R4 does not allow, with every place."""
    if body.type not in RESOURCE_TYPES:
        raise Malformed("fhir.unknown-type", type=body.type[:64])
    if body.type != resource_type:
        raise Malformed("fhir.other-type", wanted=resource_type)
    issues = validate(body.data)
    if any(issue.severity in ("error", "fatal") for issue in issues):
        raise Invalid("fhir.invalid", issues=tuple(issues))


def make(
    body: Body, *, id: str, version: int, at: datetime, method: str, owner: str | None, base: str
) -> Row:
    """The row of a new version."""
    indexed = index(body.data | {"id": id})
    strings = {
        (one.param, fold(one.value)[:LONGEST_STRING], one.value[:LONGEST_STRING], one.held)
        for one in indexed.strings
    }
    return Row(
        stored=Stored(
            type=body.type,
            id=id,
            version=version,
            last_updated=at,
            deleted=False,
            owner=owner,
            content=stamp(body, id=id, version=version, at=at),
            method=method,
        ),
        patients=patients(body.type, id, indexed, base),
        keys=_keys(body, indexed, base),
        strings=tuple(sorted(strings, key=lambda one: one[:3])),
        dates=tuple(
            (one.param, one.low or EARLIEST, one.high or LATEST, one.held) for one in indexed.dates
        ),
        quantities=indexed.quantities,
        positions=indexed.positions,
    )


def labels_of(data: Data) -> tuple[int, ...]:
    """The keys of its security labels alone."""
    labels = data.get("meta", {}).get("security", ())
    return tuple(
        sorted({label_key(one.get("system", ""), one["code"]) for one in labels if "code" in one})
    )


def _keys(body: Body, indexed: Indexed, base: str) -> tuple[int, ...]:
    """Equality search values; of a Patient also the names in Latin letters."""
    made = of_index(body.type, indexed, base=base)
    if body.type == "Patient":
        made = sorted({*made, *romanised.keys_of(body.data)})
    return tuple(made)


def patients(kind: str, id: str, indexed: Indexed, base: str) -> tuple[str, ...]:
    """Ids of the Patients here whose compartment it is in (R4 §2.40); another server's Patient
    of the same id is another person."""
    params = compartment(kind)
    found = {
        str(one.id)
        for one in indexed.references
        if one.type == "Patient" and one.param in params and is_local(one, base)
    }
    if kind == "Patient":
        found.add(id)
    return tuple(sorted(found))


def managing_organisation(body: Body) -> str | None:
    """The custodian a system-wide writer names for a Patient."""
    if body.type != "Patient":
        return None
    reference = (body.data.get("managingOrganization") or {}).get("reference", "")
    kind, _, id = reference.partition("/")
    return id if kind == "Organization" and id and "/" not in id else None
