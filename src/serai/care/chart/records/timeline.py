"""The patient's record in the order it happened, as far as the actor may see it."""

from __future__ import annotations

from dataclasses import dataclass

from serai.care.chart.model import Entry, Kind, Summary
from serai.care.chart.records.entries import KINDS, Resource, to_entry
from serai.fhir import visibility
from serai.fhir.body import decode
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor
from serai.platform.db import Connection

PAGE = 40

# The day something happened is one of these search parameters; what has none is dated by its
# arrival. An encounter or a course of treatment stands where it began.
DATES = (
    "date", "onset-date", "recorded-date", "issued", "started", "authored-on", "authoredon",
    "effective",
)  # fmt: skip
RECORD = """
    SELECT r.content
    FROM fhir_resource r
    LEFT JOIN LATERAL (SELECT min(d.low) AS low FROM fhir_date d
                       WHERE d.type = r.type AND d.id = r.id AND d.param = ANY (%(dates)s)
                         AND d.low > '-infinity') AS happened ON true
    WHERE r.type = ANY (%(types)s) AND NOT r.deleted AND r.patients @> ARRAY[%(patient)s]
      AND {visible}
    ORDER BY coalesce(happened.low, r.last_updated) DESC, r.type, r.id DESC
    LIMIT %(limit)s OFFSET %(offset)s"""
COUNTS = """
    SELECT r.type, count(*) FROM fhir_resource r
    WHERE r.type = ANY (%(types)s) AND NOT r.deleted AND r.patients @> ARRAY[%(patient)s]
      AND {visible}
    GROUP BY r.type"""


@dataclass(frozen=True, slots=True)
class Timeline:
    entries: tuple[Entry, ...]
    counts: dict[Kind, int]
    more: bool


def _types(kind: Kind | None) -> list[str]:
    return [name for name, its_kind in KINDS.items() if kind is None or its_kind is kind]


async def timeline(
    c: Connection, patient: str, kind: Kind | None, page: int, *, actor: Actor
) -> Timeline:
    """One page of the record, newest first, of one kind or of all."""
    visible, parameters = visibility.clause(actor)
    parameters = parameters | {
        "patient": patient,
        "dates": list(DATES),
        "types": [name for name in _types(kind) if actor.may("r", name)],
        "limit": PAGE + 1,
        "offset": PAGE * (max(page, 1) - 1),
    }
    cursor = await c.execute(RECORD.format(visible=visible).encode(), parameters)
    rows = await cursor.fetchall()
    return Timeline(
        entries=tuple(to_entry(decode(row[0])) for row in rows[:PAGE]),
        counts=await _counts(c, patient, actor=actor),
        more=len(rows) > PAGE,
    )


async def _counts(c: Connection, patient: str, *, actor: Actor) -> dict[Kind, int]:
    visible, parameters = visibility.clause(actor)
    types = [name for name in _types(None) if actor.may("r", name)]
    cursor = await c.execute(
        COUNTS.format(visible=visible).encode(),
        parameters | {"patient": patient, "types": types},
    )
    counts = dict.fromkeys(Kind, 0)
    for name, count in await cursor.fetchall():
        counts[KINDS[name]] += count
    return counts


async def summary(fhir: FhirStore, c: Connection, patient: str, *, actor: Actor) -> Summary:
    """Problems that are not over, allergies, and medicines being taken."""

    async def found(resource_type: str, *more: tuple[str, str]) -> list[Resource]:
        if not actor.may("s", resource_type):
            return []
        about = ("patient", f"Patient/{patient}")
        return await fhir.find(c, resource_type, about, *more, actor=actor)

    problems = [one for one in await found("Condition") if _active(one)]
    allergies = [one for one in await found("AllergyIntolerance") if _active(one)]
    medicines = await found("MedicationRequest", ("status", "active"))
    medicines += await found("MedicationStatement", ("status", "active"))
    return Summary(_entries(problems), _entries(allergies), _entries(medicines))


def _active(resource: Resource) -> bool:
    """Without a clinical status a problem counts as active: better named twice than missed."""
    codings = resource.get("clinicalStatus", {}).get("coding", ())
    codes = {coding.get("code") for coding in codings}
    return not codes or bool(codes & {"active", "recurrence", "relapse"})


def _entries(resources: list[Resource]) -> tuple[Entry, ...]:
    """Newest first, each title once: the same diagnosis is coded at many visits."""
    entries = sorted(map(to_entry, resources), key=lambda entry: entry.at, reverse=True)
    return tuple({entry.title: entry for entry in reversed(entries)}.values())[::-1]
