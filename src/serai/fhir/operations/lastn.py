"""`Observation/$lastn`: the newest observations of each code (R4 Observation §10.1.20.1)."""

from __future__ import annotations

from typing import Final

import msgspec

from serai.fhir.body import Data, encode
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import Given, given
from serai.fhir.operations.operation import Operation
from serai.fhir.outcome import of_issues
from serai.fhir.search.keys import key
from serai.fhir.visibility import clause, require
from serai.kernel.errors import Issue, Malformed

MOST_OF_A_CODE: Final = 100
MOST: Final = 2000

# One patient's observations come by the index of keys; OFFSET 0 makes it start there. Without
# a coding the text is the code.
NEWEST: Final = """SELECT id, content FROM (
    SELECT r.id, r.content, r.code, r.at,
           row_number() OVER (PARTITION BY r.code ORDER BY r.at DESC NULLS LAST, r.id) AS place
    FROM (SELECT r.id, r.content,
                 coalesce(c.code #>> '{{coding,0,system}}', '') || '|'
                     || coalesce(c.code #>> '{{coding,0,code}}', c.code ->> 'text', '') AS code,
                 (SELECT max(d.high) FILTER (WHERE TRUE) FROM fhir_date d
                  WHERE d.type = r.type AND d.id = r.id AND d.param = 'date') AS at
          FROM (SELECT * FROM fhir_resource r WHERE r.keys @> %(subject)s::bigint[] OFFSET 0) r
          CROSS JOIN LATERAL (
              SELECT convert_from(r.content, 'UTF8')::jsonb -> 'code' AS code) c
          WHERE r.type = 'Observation' AND NOT r.deleted AND {tests} AND {visible}) r
) r WHERE place <= %(most)s ORDER BY code, at DESC NULLS LAST, id LIMIT %(limit)s"""


async def lastn(scene: Scene, asked: Asked) -> Reply:
    """Grouped by code, the newest first; of equal dates all up to `max`."""
    require(scene.actor, "s", "Observation")
    params = given(asked).only("max", "patient", "subject", "category", "code")
    most = params.integer("max", default=1, most=MOST_OF_A_CODE)
    visible, values = clause(scene.actor)
    values |= {"subject": [_subject(params)], "most": most, "limit": MOST + 1}
    tests = ["TRUE"]
    for name in ("category", "code"):
        for text in params.all(name):
            values[f"{name}{len(tests)}"] = [_token(name, one) for one in str(text).split(",")]
            tests.append(f"r.keys && %({name}{len(tests)})s::bigint[]")
    statement = NEWEST.format(tests=" AND ".join(tests), visible=visible)
    cursor = await scene.connection.execute(statement, values, binary=True)
    rows = await cursor.fetchall()
    entries: list[Data] = [
        {
            "fullUrl": f"{asked.base}/Observation/{id}",
            "resource": msgspec.Raw(content),
            "search": {"mode": "match"},
        }
        for id, content in rows[:MOST]
    ]
    bundle: Data = {"resourceType": "Bundle", "type": "searchset"}
    if len(rows) > MOST:
        # Codes that come later are missing altogether.
        cut = Issue("too-costly", "lastn.cut", severity="warning", details={"most": MOST})
        outcome = msgspec.Raw(of_issues((cut,)))
        entries.append({"resource": outcome, "search": {"mode": "outcome"}})
    else:
        bundle["total"] = len(entries)
    return Reply(200, encode(bundle | ({"entry": entries} if entries else {})))


def _subject(params: Given) -> int:
    """The key of the subject: without one every observation of everybody would be ranked."""
    patient, subject = params.text("patient"), params.text("subject")
    if (patient is None) == (subject is None):
        raise Malformed("operation.parameter-missing", parameter="patient")
    reference = subject if subject is not None else f"Patient/{str(patient).split('/')[-1]}"
    if "/" not in reference:
        reference = f"Patient/{reference}"
    return key("ref", "Observation", "subject", reference)


def _token(name: str, text: str) -> int:
    system, bar, code = text.partition("|")
    if not bar:
        return key("code", "Observation", name, text)
    if not code:
        return key("system", "Observation", name, system)
    if not system:
        return key("bare", "Observation", name, code)
    return key("both", "Observation", name, system, code)


LASTN: Final = Operation(
    name="lastn",
    handler=lastn,
    levels=frozenset({"type"}),
    definition="http://hl7.org/fhir/OperationDefinition/Observation-lastn",
    types=frozenset({"Observation"}),
)
