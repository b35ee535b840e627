"""ValueSet/$expand (R4 §4.10.6, OperationDefinition ValueSet-expand)."""

from __future__ import annotations

from typing import Any, Final

from serai.fhir.body import Data, encode
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.coded import admitted, canonical, inline
from serai.fhir.operations.given import Given
from serai.fhir.operations.operation import Operation
from serai.fhir.terminology import expansion, value_sets
from serai.fhir.terminology.artifacts import split
from serai.fhir.terminology.known import Definition, resolve
from serai.kernel.clock import instant
from serai.kernel.errors import Malformed
from serai.kernel.ids import new_id

PARAMETERS: Final = (
    "url", "valueSet", "valueSetVersion", "context", "contextDirection", "filter", "date",
    "offset", "count", "includeDesignations", "designation", "includeDefinition", "activeOnly",
    "excludeNested", "excludeNotForUI", "excludePostCoordinated", "displayLanguage",
    "exclude-system", "system-version", "check-system-version", "force-system-version",
)  # fmt: skip
NOT_OFFERED: Final = ("context", "contextDirection", "date")
INLINE = "urn:serai:given"
_RECORDED: Final = (
    "filter", "activeOnly", "includeDesignations", "displayLanguage", "excludeNested",
    "excludeNotForUI", "exclude-system", "system-version", "force-system-version", "designation",
)  # fmt: skip


async def expand(scene: Scene, asked: Asked) -> Reply:
    wanted = admitted(scene, asked, "ValueSet", PARAMETERS, not_offered=NOT_OFFERED)
    if wanted.boolean("includeDefinition", default=False):
        raise Malformed("terminology.not-offered", parameter="includeDefinition")
    given_set = inline(wanted, "valueSet", "ValueSet") if len(asked.path) < 3 else None
    url = await canonical(scene, asked, wanted, version="valueSetVersion")
    if (url is None) == (given_set is None):
        raise Malformed("operation.parameter-missing", parameter="url")
    return Reply(200, encode(await _expanded(scene, wanted, url, given_set)))


async def _expanded(scene: Scene, wanted: Given, url: str | None, given_set: Data | None) -> Data:
    asked_for = _wish(wanted)
    if given_set is not None:
        url = INLINE
        definition = inline_definition(given_set)
        artifact = value_sets.artifact(given_set, "resource")
        known = await resolve(
            scene.connection,
            sets=artifact.imports,
            systems=artifact.systems,
            versions=_versions(wanted, "system-version"),
            forced=_versions(wanted, "force-system-version"),
        )
        known = known.with_inline(INLINE, definition)
    else:
        assert url is not None
        known = await resolve(
            scene.connection,
            sets=[url],
            versions=_versions(wanted, "system-version"),
            forced=_versions(wanted, "force-system-version"),
        )
    found = await expansion.expand(scene.connection, known, url, asked_for)
    head = known.value_set(url)
    assert head is not None
    made: Data = {
        "identifier": f"urn:uuid:{new_id()}",
        "timestamp": instant(scene.now),
        "total": found.total,
    }
    if asked_for.paged:
        made["offset"] = asked_for.offset
    made["parameter"] = [*_recorded(wanted), *found.used]
    if found.contains:
        made["contains"] = found.contains
    named = {name: value for name, value in head.head.items() if name not in ("meta", "extension")}
    return {"resourceType": "ValueSet", "status": "active", **named, "expansion": made}


def inline_definition(data: Data) -> Definition:
    return Definition(
        value_sets.rules(data), data_head(data), inline=tuple(value_sets.members(data))
    )


def data_head(data: Data) -> Data:
    return {name: value for name, value in data.items() if name not in ("compose", "expansion")}


def _wish(wanted: Given) -> expansion.Wish:
    count = wanted.integer("count", default=0, most=expansion.MOST) if wanted.all("count") else None
    return expansion.Wish(
        filter=wanted.text("filter"),
        offset=wanted.integer("offset", default=0, most=100_000_000),
        count=count,
        designations=wanted.boolean("includeDesignations", default=False),
        designation=tuple(map(str, wanted.all("designation"))),
        active_only=wanted.boolean("activeOnly", default=False),
        nested=not wanted.boolean("excludeNested", default=True),
        selectable_only=wanted.boolean("excludeNotForUI", default=False),
        language=wanted.text("displayLanguage"),
        without=tuple(map(str, wanted.all("exclude-system"))),
        checked=_versions(wanted, "check-system-version"),
    )


def _versions(wanted: Given, name: str) -> dict[str, str]:
    found = {}
    for one in wanted.all(name):
        url, version = split(str(one))
        if version is None:
            raise Malformed("operation.bad-parameter", parameter=name, expected="system|version")
        found[url] = version
    return found


def _recorded(wanted: Given) -> list[Data]:
    """What affects the content is said in the answer."""
    return [_parameter(name, value) for name in _RECORDED for value in wanted.all(name)]


def _parameter(name: str, value: Any) -> Data:
    if isinstance(value, bool) or value in ("true", "false"):
        return {"name": name, "valueBoolean": value in (True, "true")}
    return {"name": name, "valueString": str(value)}


EXPAND: Final = Operation(
    name="expand",
    handler=expand,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/OperationDefinition/ValueSet-expand",
    types=frozenset({"ValueSet"}),
)
