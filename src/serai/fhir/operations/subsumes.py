"""CodeSystem/$subsumes (R4 §4.9.16.3, OperationDefinition CodeSystem-subsumes)."""

from __future__ import annotations

from typing import Final

from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.coded import Code, admitted, canonical, coding
from serai.fhir.operations.given import Given, parameters
from serai.fhir.operations.operation import Operation
from serai.fhir.terminology.artifacts import split
from serai.fhir.terminology.concept import subsumption
from serai.fhir.terminology.known import resolve
from serai.kernel.errors import Invalid, Malformed, NotFound

PARAMETERS: Final = ("codeA", "codeB", "system", "version", "codingA", "codingB")


async def subsumes(scene: Scene, asked: Asked) -> Reply:
    wanted = admitted(scene, asked, "CodeSystem", PARAMETERS)
    a, b = _code(wanted, "A"), _code(wanted, "B")
    url = await canonical(scene, asked, wanted, "system", "version") or a.canonical or b.canonical
    if url is None:
        raise Malformed("operation.parameter-missing", parameter="system")
    if {one.system for one in (a, b)} - {None, split(url)[0]}:
        raise Invalid("terminology.other-system")
    system = (await resolve(scene.connection, systems=[url])).systems.get(url)
    if system is None:
        raise NotFound("terminology.unknown-system", url=url[:200])
    outcome = await subsumption(scene.connection, system, a.code, b.code)
    if outcome is None:
        code = f"{a.code}, {b.code}"[:100]
        raise NotFound("terminology.unknown-code", code=code, system=url[:200])
    return parameters([{"name": "outcome", "valueCode": outcome}])


def _code(wanted: Given, which: str) -> Code:
    code, given_coding = wanted.text(f"code{which}"), wanted.one(f"coding{which}")
    if (code is None) == (given_coding is None):
        raise Malformed("operation.parameter-missing", parameter=f"code{which}")
    return Code(code) if code else coding(given_coding, f"coding{which}") or Code("")


SUBSUMES: Final = Operation(
    name="subsumes",
    handler=subsumes,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes",
    types=frozenset({"CodeSystem"}),
)
