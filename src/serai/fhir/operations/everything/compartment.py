"""The resources of one compartment in an order that no write disturbs: the focus first, then by
type and id. A page continues behind the last row seen, so nothing is lost or repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.operations.everything.wanted import Wanted
from serai.fhir.search.intervals import EARLIEST, LATEST
from serai.fhir.search.keys import key
from serai.fhir.visibility import clause
from serai.kernel.actor import Actor
from serai.platform.db import Connection

# A page of scanned documents must not fill the memory.
MOST_BYTES: Final = 16 * 1024 * 1024

_COLUMNS = "r.type, r.id, r.content, r.deleted, r.owner, r.patients, r.last_updated"

# OFFSET 0 keeps the planner from walking the primary key of the whole table for its order.
_OF_PATIENT = f"""SELECT {_COLUMNS} FROM fhir_resource r
    WHERE r.patients @> ARRAY[%(focus)s]::text[] OFFSET 0"""  # noqa: S608
_OF_ENCOUNTER = f"""SELECT {_COLUMNS} FROM fhir_resource r WHERE r.keys && %(keys)s::bigint[]
    UNION ALL SELECT {_COLUMNS} FROM fhir_resource r
    WHERE r.type = 'Encounter' AND r.id = %(focus)s"""  # noqa: S608

# One row more than the page holds tells whether there is another; the bytes are summed without
# reading the contents.
PAGE = """SELECT type, id, content, rank, available FROM (
    SELECT r.*, count(*) OVER () AS available, row_number() OVER w AS place,
           sum(octet_length(content)) OVER w AS bytes
    FROM (SELECT r.type, r.id, r.content, r.rank FROM (
              SELECT r.*, CASE WHEN r.type = %(kind)s AND r.id = %(focus)s THEN ''
                               ELSE r.type END AS rank
              FROM ({members}) r) r
          WHERE NOT r.deleted AND {tests} AND {visible}
          ORDER BY r.rank, r.id LIMIT %(limit)s) r
    WINDOW w AS (ORDER BY r.rank, r.id)
) r WHERE place <= %(count)s AND (bytes <= %(most)s OR place = 1) ORDER BY rank, id"""

# What has no date of its own is always in; dates of birth and death are not dates of care.
_IN_CARE_DATES = """coalesce((SELECT bool_or(d.low < %(end)s AND d.high > %(start)s)
    FROM fhir_date d WHERE d.type = r.type AND d.id = r.id
      AND d.param <> ALL ('{_lastUpdated,birthdate,death-date}'::text[])), TRUE)"""

_ENCOUNTER_PARAMS: Final = {
    "ChargeItem": "context", "DocumentManifest": "related-ref",
    "MedicationAdministration": "context",
} | dict.fromkeys(
    (
        "CarePlan", "CareTeam", "Claim", "ClinicalImpression", "Communication",
        "CommunicationRequest", "Composition", "Condition", "DeviceRequest", "DiagnosticReport",
        "DocumentReference", "ExplanationOfBenefit", "Media", "MedicationRequest",
        "NutritionOrder", "Observation", "Procedure", "QuestionnaireResponse", "RequestGroup",
        "ServiceRequest", "VisionPrescription",
    ),
    "encounter",
)  # fmt: skip


class Member(NamedTuple):
    """A row of the page; `rank` and `id` place it."""

    type: str
    id: str
    content: bytes
    rank: str


@dataclass(frozen=True, slots=True)
class Members:
    """`more` when rows follow."""

    rows: list[Member]
    more: bool


@dataclass(frozen=True, slots=True)
class Compartment:
    """Of a Patient or an Encounter (R4 §2.40)."""

    kind: str
    id: str

    async def page(
        self,
        connection: Connection,
        wanted: Wanted,
        *,
        actor: Actor,
        after: tuple[str, str] | None,
        all_types: bool = False,
    ) -> Members:
        """At most `wanted.count` members; `all_types` looks past `_type`."""
        visible, values = clause(actor)
        tests = self._tests(wanted, actor, after, values, all_types=all_types)
        members = _OF_PATIENT if self.kind == "Patient" else _OF_ENCOUNTER
        if self.kind == "Encounter":
            values["keys"] = [
                key("ref", kind, param, f"Encounter/{self.id}")
                for kind, param in _ENCOUNTER_PARAMS.items()
            ]
        values |= {"kind": self.kind, "focus": self.id}
        values |= {"count": wanted.count, "limit": wanted.count + 1, "most": MOST_BYTES}
        statement = PAGE.format(members=members, tests=" AND ".join(tests), visible=visible)
        rows = await (await connection.execute(statement, values, binary=True)).fetchall()
        more = bool(rows) and rows[0][4] > len(rows)
        return Members([Member(*row[:4]) for row in rows], more)

    def _tests(
        self,
        wanted: Wanted,
        actor: Actor,
        after: tuple[str, str] | None,
        values: dict[str, Any],
        *,
        all_types: bool,
    ) -> list[str]:
        tests = ["TRUE"]
        types = readable(actor, frozenset() if all_types else wanted.types)
        if types is not None:
            tests.append("r.type = ANY (%(types)s::text[])")
            values["types"] = types
        if after is not None:
            tests.append("(r.rank, r.id) > (%(last_rank)s, %(last_id)s)")
            values |= {"last_rank": after[0], "last_id": after[1]}
        if wanted.since is not None:
            tests.append("r.last_updated >= %(since)s")
            values["since"] = wanted.since
        if wanted.start or wanted.end:
            tests.append(f"(r.rank = '' OR {_IN_CARE_DATES})")
            values |= {"start": wanted.start or EARLIEST, "end": wanted.end or LATEST}
        return tests


def readable(actor: Actor, types: frozenset[str]) -> list[str] | None:
    """Those of the types (of all, when none are named) the actor's scopes cover; None for all."""
    if not types and actor.may("r", "*"):
        return None
    return sorted(kind for kind in types or RESOURCE_TYPES if actor.may("r", kind))
