"""Whatever is done to an example of HL7, validation tells places in it or nothing, and soon."""

from __future__ import annotations

import copy
import time
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fhir.profiles.held_against import definition, shelved, told

from serai.fhir.body import parse_json
from serai.fhir.outcome import of_issues
from serai.fhir.validation import validate

EXAMPLES = Path("node_modules/hl7.fhir.r4.examples")
STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["", "2020-02-30", "Patient/1", "#", "urn:uuid:x", "1e999", "\0"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "extension", "url", "_id", "coding", "x"]), inner),
    max_leaves=8,
)  # fmt: skip
ACTS = st.sampled_from(["replace", "remove", "repeat", "wrap", "nest"])
PROFILE: dict[str, list[dict[str, Any]]] = {
    "Observation": [
        {"path": "Observation.component", "slicing": {
            "discriminator": [{"type": "pattern", "path": "code"}], "rules": "closed"}},
        {"path": "Observation.component", "sliceName": "one", "min": 1},
        {"path": "Observation.component.code", "patternCodeableConcept": {
            "coding": [{"system": "http://loinc.org", "code": "8480-6"}]}},
        {"path": "Observation.value[x]", "type": [{"code": "Quantity"}]},
    ],
}  # fmt: skip


@cache
def examples() -> list[Path]:
    return sorted(one for one in EXAMPLES.glob("*-*.json") if one.stat().st_size < 30_000)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each member of each object and list, as its holder and its key."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def mutate(holder: Any, key: Any, act: str, strange: Any) -> None:
    value = holder[key]
    match act:
        case "remove":
            del holder[key]
        case "repeat":
            holder[key] = [value, copy.deepcopy(value), strange]
        case "wrap":
            holder[key] = {"extension": [strange], "value": value}
        case "nest" if isinstance(holder, dict):
            holder[f"_{key}"] = strange
        case _:
            holder[key] = strange


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_a_mutated_example_is_told_where_it_is_wrong(data: st.DataObject) -> None:
    observations = [one for one in examples() if one.name.startswith("Observation-")]
    path = data.draw(st.sampled_from(examples()) | st.sampled_from(observations))
    _, resource = parse_json(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places(resource) or [(resource, "id")]))
        if key in holder or isinstance(holder, list):
            mutate(holder, key, data.draw(ACTS), data.draw(STRANGE))
    began = time.monotonic()
    issues = validate(resource)
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    assert all(issue.path for issue in issues)
    of_issues(tuple(issues))
    if isinstance(kind, str) and kind in PROFILE:
        found = told(shelved(definition("it", kind, *PROFILE[kind])), "it", resource)
        assert all(place for _, _, place in found)
    assert time.monotonic() - began < 5
