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
from serai.fhir.operations.match.scoring import WEIGHTS, grade, probability, score, swapped
from serai.fhir.operations.operation import Operation
from serai.fhir.search.extract import index
from serai.fhir.search.keys import key
from serai.fhir.search.romanised import keys_of
from serai.fhir.stored import COLUMNS, Stored, stored
from serai.fhir.visibility import clause, require
from serai.kernel.errors import Invalid, Malformed

MOST: Final = 100
CANDIDATES: Final = 500
# Of a name or day that more people share, nobody could be told from the others anyway.
EXAMINED: Final = 20_000
GRADE: Final = "http://hl7.org/fhir/StructureDefinition/match-grade"

# What the index alone tells of how likely a row is, so that the likeliest survive the limit.
_LIKELY: Final = """(SELECT coalesce(sum(w.bits), 0)
    FROM unnest(%(weighed)s::bigint[], %(bits)s::float8[]) AS w(key, bits)
    WHERE w.key = ANY (r.keys))"""
_BORN: Final = """d.type = 'Patient' AND d.param = 'birthdate'
    AND d.low = ANY (%(born)s::timestamptz[])"""

# OFFSET 0 makes each half start from its index, whatever the planner believes.
_FOUND = f"""WITH named AS MATERIALIZED (
    SELECT * FROM (
        SELECT {COLUMNS}, r.keys FROM (
            SELECT * FROM fhir_resource r WHERE r.keys && %(keys)s::bigint[] OFFSET 0) r
        WHERE r.type = 'Patient' AND NOT r.deleted AND {{visible}} LIMIT %(examined)s) r
    ORDER BY {_LIKELY} + CASE WHEN EXISTS (
        SELECT FROM fhir_date d WHERE d.id = r.id AND {_BORN}) THEN %(same_day)s ELSE 0 END DESC,
        r.id LIMIT %(most)s
), born AS MATERIALIZED (
    SELECT * FROM (
        SELECT {COLUMNS}, r.keys FROM fhir_date d
        JOIN fhir_resource r ON r.type = 'Patient' AND r.id = d.id
        WHERE {_BORN} AND NOT r.deleted AND {{visible}} LIMIT %(examined)s) r
    ORDER BY {_LIKELY} DESC, r.id LIMIT %(most)s
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
    weighed = _weighed(wanted)
    gender = key("code", "Patient", "gender", str(wanted.get("gender")))
    values |= {
        "keys": sorted(weighed),
        "weighed": [*weighed, gender],
        "bits": [*weighed.values(), WEIGHTS["gender", "same"]],
        "born": _born(wanted),
        "same_day": WEIGHTS["birthDate", "same"],
        "examined": EXAMINED,
        "most": CANDIDATES,
    }
    statement = _FOUND.format(visible=visible)
    cursor = await scene.connection.execute(statement, values, binary=True)
    return [stored(row) for row in await cursor.fetchall()]


def _weighed(wanted: Data) -> dict[int, float]:
    """The keys that make a candidate, with what each says for it."""
    made = dict.fromkeys(keys_of(wanted), WEIGHTS["name", "same"])
    for token in index(wanted).tokens:
        if token.param == "identifier" and token.code is not None:
            # Of another system it says little, but an identifier is often sent without one.
            made.setdefault(key("code", "Patient", "identifier", token.code), 0.0)
            kind = "both" if token.system else "bare"
            parts = (token.system, token.code) if token.system else (token.code,)
            made[key(kind, "Patient", "identifier", *parts)] = WEIGHTS["identifier", "same"]
        elif token.param == "telecom" and token.code is not None:
            made[key("code", "Patient", "telecom", token.code)] = WEIGHTS["phone", "same"]
    return made


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
