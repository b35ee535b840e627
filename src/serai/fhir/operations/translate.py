"""ConceptMap/$translate (R4 §4.11.6, OperationDefinition ConceptMap-translate)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from serai.fhir.body import Data
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.coded import admitted, canonical, codes
from serai.fhir.operations.given import parameters
from serai.fhir.operations.operation import Operation
from serai.fhir.terminology.translation import Match, Question, translate

PARAMETERS: Final = (
    "url", "conceptMap", "conceptMapVersion", "code", "system", "version", "source", "coding",
    "codeableConcept", "target", "targetsystem", "dependency", "reverse",
)  # fmt: skip
NOT_OFFERED: Final = ("conceptMap", "dependency")
_NO_TRANSLATION: Final = ("unmatched", "disjoint")


async def answer(scene: Scene, asked: Asked) -> Reply:
    wanted = admitted(scene, asked, "ConceptMap", PARAMETERS, not_offered=NOT_OFFERED)
    url = await canonical(scene, asked, wanted, version="conceptMapVersion")
    found: list[Match] = []
    for one in codes(wanted):
        question = Question(
            code=one.code,
            system=one.system,
            url=url,
            source=wanted.text("source"),
            target=wanted.text("target"),
            target_system=wanted.text("targetsystem"),
            reverse=wanted.boolean("reverse", default=False),
        )
        found += await translate(scene.connection, question)
    return parameters(_parts(found))


def _parts(found: list[Match]) -> Iterator[Data]:
    usable = any(one.equivalence not in _NO_TRANSLATION for one in found)
    yield {"name": "result", "valueBoolean": usable}
    if not usable:
        yield {"name": "message", "valueString": "No map known here translates it."}
    for one in found:
        yield {"name": "match", "part": list(_match(one))}


def _match(one: Match) -> Iterator[Data]:
    yield {"name": "equivalence", "valueCode": one.equivalence}
    fields = {"system": one.system, "code": one.code, "display": one.display}
    coding = {name: value for name, value in fields.items() if value is not None}
    if one.code is not None:
        yield {"name": "concept", "valueCoding": coding}
    for each in one.product:
        concept = {
            name: each[key]
            for name, key in (("system", "system"), ("code", "value"), ("display", "display"))
            if key in each
        }
        yield {
            "name": "product",
            "part": [
                {"name": "element", "valueUri": each.get("property", "")},
                {"name": "concept", "valueCoding": concept},
            ],
        }
    yield {"name": "source", "valueUri": one.map}


TRANSLATE: Final = Operation(
    name="translate",
    handler=answer,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/OperationDefinition/ConceptMap-translate",
    types=frozenset({"ConceptMap"}),
)
