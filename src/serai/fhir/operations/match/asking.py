"""Candidates by index, weighed one by one, best first.

A candidate shares an identifier, a phone, the date of birth (or a slip of it), or the romanised
name; each is an index lookup with a limit, so the cost does not grow with the number of patients.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from serai.fhir.body import Data, encode
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import given
from serai.fhir.operations.match.scoring import grade, probability, score, swapped
from serai.fhir.operations.operation import Operation
from serai.fhir.search.extract import index
from serai.fhir.search.keys import key, of_token
from serai.fhir.search.romanised import keys_of
from serai.fhir.stored import COLUMNS, Stored, stored
from serai.fhir.visibility import clause, require
from serai.kernel.errors import Invalid, Malformed

MOST: Final = 100
CANDIDATES: Final = 500
GRADE: Final = "http://hl7.org/fhir/StructureDefinition/match-grade"

# OFFSET 0 makes each half start from its index, whatever the planner believes.
_FOUND = f"""WITH named AS MATERIALIZED (
    SELECT {COLUMNS}, r.patients FROM (
        SELECT * FROM fhir_resource r WHERE r.keys && %(keys)s::bigint[] OFFSET 0) r
    WHERE r.type = 'Patient' AND NOT r.deleted AND {{visible}} LIMIT %(most)s
), born AS MATERIALIZED (
    SELECT {COLUMNS}, r.patients FROM fhir_date d
    JOIN fhir_resource r ON r.type = 'Patient' AND r.id = d.id
    WHERE d.type = 'Patient' AND d.param = 'birthdate' AND d.low = ANY (%(born)s::timestamptz[])
      AND NOT r.deleted AND {{visible}} LIMIT %(most)s
)
SELECT {COLUMNS} FROM named r
UNION ALL SELECT {COLUMNS} FROM born r WHERE r.id NOT IN (SELECT id FROM named)"""  # noqa: S608


async def match(scene: Scene, asked: Asked) -> Reply:
    """A searchset with scores; nobody certain is an empty one."""
    require(scene.actor, "s", "Patient")
    params = given(asked).only("resource", "onlyCertainMatches", "count")
    wanted = params.resource("resource")
    if wanted is None:
        raise Malformed("operation.parameter-missing", parameter="resource")
    if wanted.get("resourceType") != "Patient":
        raise Malformed("fhir.other-type", wanted="Patient")
    only_certain = params.boolean("onlyCertainMatches", default=False)
    count = params.integer("count", default=10, most=MOST)
    found = await ranked(scene, wanted)
    shown = [one for one in found if one[1] == "certain" or not only_certain]
    if only_certain and len(shown) > 1:
        raise Invalid("match.several-certain")
    entries = [_entry(asked, *one) for one in shown[:count]]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": len(shown)}
    return Reply(200, encode(bundle | ({"entry": entries} if entries else {})))


async def ranked(scene: Scene, wanted: Data) -> list[tuple[Stored, str, float]]:
    """Every candidate that is at least possible, the likeliest first."""
    weighed = []
    for one in await _candidates(scene, wanted):
        bits = score(wanted, one.data)
        how = grade(bits, wanted, one.data)
        if how != "certainly-not":
            weighed.append((one, how, bits))
    return sorted(weighed, key=lambda one: (-one[2], one[0].id))


async def _candidates(scene: Scene, wanted: Data) -> list[Stored]:
    visible, values = clause(scene.actor)
    values |= {"keys": _keys(wanted), "born": _born(wanted), "most": CANDIDATES}
    statement = _FOUND.format(visible=visible)
    cursor = await scene.connection.execute(statement, values, binary=True)
    return [stored(row) for row in await cursor.fetchall()]


def _keys(wanted: Data) -> list[int]:
    made = set(keys_of(wanted))
    for token in index(wanted).tokens:
        if token.param == "identifier":
            made |= set(of_token("Patient", "identifier", token.system, token.code))
            made -= {key("system", "Patient", "identifier", token.system or "")}
        elif token.param == "telecom":
            made.add(key("code", "Patient", "telecom", token.code))
    return sorted(made)


def _born(wanted: Data) -> list[datetime]:
    """The day, and the same with day and month changed over. Other slips are found by name."""
    try:
        day = date.fromisoformat(str(wanted.get("birthDate")))
    except ValueError:
        return []
    other = swapped(day.isoformat())
    days = {day, date.fromisoformat(other)} if other else {day}
    return [datetime(one.year, one.month, one.day, tzinfo=UTC) for one in days]


def _entry(asked: Asked, one: Stored, how: str, bits: float) -> dict[str, Any]:
    return {
        "fullUrl": f"{asked.base}/{one.reference}",
        "resource": msgspec.Raw(one.raw),
        "search": {
            "extension": [{"url": GRADE, "valueCode": how}],
            "mode": "match",
            "score": probability(bits),
        },
    }


MATCH: Final = Operation(
    name="match",
    handler=match,
    levels=frozenset({"type"}),
    definition="http://hl7.org/fhir/OperationDefinition/Patient-match",
    types=frozenset({"Patient"}),
)
