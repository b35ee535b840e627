"""$import of files that the server fetches: the kick-off of the Bulk Data Import proposal
(https://github.com/smart-on-fhir/bulk-import), as its JSON or as a Parameters resource.

NDJSON that is sent along is taken as it streams in (`http.uploads`).
"""

from __future__ import annotations

from typing import Any, NoReturn

from serai.fhir.body import Data, parse, parse_json
from serai.fhir.bulk.inputs import Hosts, Input
from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.interaction.asked import Asked, Scene
from serai.fhir.operations.given import Given, named_parts
from serai.fhir.operations.operation import Operation
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden, Malformed, TooLarge, Unsupported

FORMAT = "application/fhir+ndjson"
KNOWN = ("inputFormat", "inputSource", "storageDetail", "input")
MOST_INPUTS = 1000
LONGEST_URL = 4096


async def refuse(_scene: Scene, _asked: Asked) -> NoReturn:
    """An entry of a Bundle, or another level: a job is asked for by a request of its own."""
    raise Unsupported("bulk.import-type")


def wanted(raw: bytes, *, actor: Actor, hosts: Hosts) -> dict[str, Any]:
    """The parameters of the job; refused is what could not or must not be fetched."""
    given = _given(raw).only(*KNOWN)
    if given.required("inputFormat") != FORMAT:
        raise Malformed("bulk.input-format")
    source = given.required("inputSource")
    _require_https(given.one("storageDetail"))
    inputs = [_input(one) for one in given.all("input")]
    if not inputs:
        raise Malformed("operation.parameter-missing", parameter="input")
    if len(inputs) > MOST_INPUTS:
        raise TooLarge("bulk.too-many-inputs", most=MOST_INPUTS)
    for one in inputs:
        if not (actor.may("c", one.type) or actor.may("u", one.type)):
            raise Forbidden("fhir.scope", interaction="c", type=one.type)
        hosts.read(one.url)
    return {
        "inputSource": source,
        "inputs": [{"type": one.type, "url": one.url} for one in inputs],
    }


def _given(raw: bytes) -> Given:
    """The manifest's members, or the parameters of the resource, as pairs alike."""
    _, data = parse_json(raw)
    if isinstance(data, dict) and "resourceType" in data:
        body = parse(raw)
        if body.type != "Parameters":
            raise Malformed("bulk.parameters")
        return Given(tuple(named_parts(body.data.get("parameter"))))
    if not isinstance(data, dict):
        raise Malformed("fhir.not-an-object")
    inputs = data.get("input", [])
    if not isinstance(inputs, list):
        raise Malformed("operation.bad-parameter", parameter="input", expected="a list")
    others = [(name, value) for name, value in data.items() if name != "input"]
    return Given((*others, *(("input", one) for one in inputs)))


def _members(value: object, name: str, known: frozenset[str]) -> Data:
    """An object of the JSON, or the parts of a parameter."""
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list):
        raise Malformed("operation.bad-parameter", parameter=name, expected="an object")
    found: Data = {}
    for part, said in pairs:
        if part not in known or part in found:
            raise Malformed("operation.unknown-parameter", parameter=f"{name}.{part}"[:64])
        found[part] = said
    return found


def _require_https(value: object) -> None:
    detail = {} if value is None else _members(value, "storageDetail", frozenset({"type"}))
    if detail.get("type", "https") != "https":
        raise Malformed("bulk.storage")


def _input(value: object) -> Input:
    found = _members(value, "input", frozenset({"type", "url"}))
    for part in ("type", "url"):
        said = found.get(part)
        if not isinstance(said, str) or not said or len(said) > LONGEST_URL:
            raise Malformed("operation.bad-parameter", parameter=f"input.{part}", expected="text")
    if found["type"] not in RESOURCE_TYPES:
        raise Malformed("fhir.unknown-type", type=found["type"][:64])
    return Input(found["type"], found["url"])


OPERATION = Operation(
    name="import",
    handler=refuse,
    levels=frozenset({"system"}),
    definition="https://serai.health/fhir/OperationDefinition/import",
    writes=True,
    documentation="Resources as application/fhir+ndjson, or a list of files to fetch from hosts "
    "that this server's settings name, as JSON or Parameters, with Prefer: respond-async.",
)
