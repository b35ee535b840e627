"""R4 §5.1.0.9 Slicing: slices within slices, and a hundred thousand items to sort."""

from __future__ import annotations

import time

import pytest
from tests.fhir.profiles.held_against import EXAMPLE, Data, Told, definition, shelved, told
from tests.fhir.profiles.slices import (
    BY_ENTRY_TYPE,
    C,
    Case,
    coding,
    component,
    element,
    error,
    holds,
    observation,
    patient,
    slice_of_component,
    sliced,
)

from serai.fhir.profiles.report import ENOUGH_GRAVE

RESLICED = [
    sliced(C, ("pattern", "code"), rules="closed"),
    *slice_of_component("pressure", "p", max="3"),
    sliced(C, ("value", "interpretation.text"), rules="closed") | {
        "sliceName": "pressure", "id": f"{C}:pressure"},
    element(C, "pressure/high", max="1", min=1),
    element(f"{C}.interpretation", id=f"{C}:pressure/high.interpretation", min=1),
    element(f"{C}.interpretation.text", id=f"{C}:pressure/high.interpretation.text",
            fixedString="high"),
    element(C, "pressure/low"),
    element(f"{C}.interpretation.text", id=f"{C}:pressure/low.interpretation.text",
            fixedString="low"),
    element(f"{C}.referenceRange", id=f"{C}:pressure/low.referenceRange", min=1),
]  # fmt: skip
RESLICED_TWICE = [
    *RESLICED,
    sliced(C, ("exists", "referenceRange"))
    | {"sliceName": "pressure/low", "id": f"{C}:pressure/low"},
    element(C, "pressure/low/ranged", max="1"),
    element(f"{C}.referenceRange", id=f"{C}:pressure/low/ranged.referenceRange", min=1),
]
HIGH = component("p", interpretation=[{"text": "high"}])
LOW = component("p", interpretation=[{"text": "low"}])
NESTED = [
    sliced(C, ("pattern", "code")),
    *slice_of_component("panel", "p", min=1),
    sliced(f"{C}.extension", ("value", "url"), rules="closed") | {"id": f"{C}:panel.extension"},
    element(f"{C}.extension", "note", min=1, max="1", id=f"{C}:panel.extension:note"),
    element(f"{C}.extension.url", id=f"{C}:panel.extension:note.url", fixedUri="http://x.org/note"),
    element(f"{C}.extension.value[x]", id=f"{C}:panel.extension:note.value[x]",
            type=[{"code": "string"}]),
]  # fmt: skip
NOTE: Data = {"url": "http://x.org/note", "valueString": "n"}

NESTED_CASES: list[Case] = [
    ("re-sliced", RESLICED, observation(component=[HIGH]), []),
    ("re-sliced: the least of an inner slice", RESLICED,
        observation(component=[LOW | {"referenceRange": [{"text": "r"}]}]),
        [error("slice-missing", C)]),
    ("re-sliced: the most of an inner slice", RESLICED, observation(component=[HIGH, HIGH]),
        [error("slice-too-many", C)]),
    ("re-sliced: the most of the outer slice", RESLICED, observation(component=[
        HIGH, *[LOW | {"referenceRange": [{"text": "r"}]}] * 3]), [error("slice-too-many", C)]),
    ("re-sliced: closed inside", RESLICED, observation(component=[HIGH, component("p")]),
        [error("no-slice", f"{C}[1]")]),
    ("re-sliced: the rules of an inner slice", RESLICED, observation(component=[HIGH, LOW]),
        [error("too-few", f"{C}[1].referenceRange")]),
    ("re-sliced twice: the most of the innermost slice", RESLICED_TWICE, observation(component=[
        HIGH, *[LOW | {"referenceRange": [{"text": "r"}]}] * 2]), [error("slice-too-many", C)]),
    ("nested", NESTED, observation(component=[component("p", extension=[NOTE])]), []),
    ("nested: its own least", NESTED, observation(component=[component("p")]),
        [error("slice-missing", f"{C}[0].extension")]),
    ("nested: closed", NESTED, observation(component=[
        component("p", extension=[NOTE, {"url": "http://x.org/other", "valueString": "n"}])]),
        [error("no-slice", f"{C}[0].extension[1]")]),
    ("nested: its own type", NESTED, observation(component=[
        component("p", extension=[{"url": "http://x.org/note", "valueInteger": 1}])]),
        [error("type", f"{C}[0].extension[0].value.ofType(integer)")]),
    ("nested: not outside its slice", NESTED, observation(component=[
        component("p", extension=[NOTE]), component("q", extension=[
            {"url": "http://x.org/other", "valueString": "n"}])]), []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("elements", "instance", "expected"),
    [pytest.param(*case, id=name) for name, *case in NESTED_CASES],
)
def test_slices(elements: list[Data], instance: Data, expected: list[Told]) -> None:
    assert holds(elements, instance, expected)


MANY = 100_000
SEEN = {"resource": observation()}
OTHER = {"resource": {"resourceType": "Group"}}
ENTRIES: dict[str, tuple[list[Data], int]] = {
    "all in slices": ([{"resource": patient()}] + [SEEN] * (MANY - 1), 0),
    "one outside": ([{"resource": patient()}] + [SEEN] * (MANY - 2) + [OTHER], 1),
    "all outside": ([OTHER] * MANY, ENOUGH_GRAVE),
}


@pytest.mark.parametrize("entries", ENTRIES)
def test_a_hundred_thousand_entries_are_sorted_in_seconds(entries: str) -> None:
    shelf = shelved(definition("it", "Bundle", *BY_ENTRY_TYPE))
    listed, expected = ENTRIES[entries]
    began = time.monotonic()
    issues = told(shelf, "it", {"resourceType": "Bundle", "type": "collection", "entry": listed})
    assert time.monotonic() - began < 20
    assert len(issues) == expected


def test_a_hundred_thousand_members_of_a_list_are_followed_in_seconds() -> None:
    to = [{"code": "Reference", "targetProfile": [f"{EXAMPLE}systolic"]}]
    shelf = shelved(
        definition("systolic", "Observation", element(
            "Observation.code", patternCodeableConcept=coding("8480-6"))),
        definition("it", "List",
            sliced("List.entry", ("profile", "item.resolve()"), rules="closed"),
            element("List.entry", "systolic"), element("List.entry.item", type=to)),
    )  # fmt: skip
    entry = [{"item": {"reference": f"Observation/{at}"}} for at in range(MANY)]
    began = time.monotonic()
    issues = told(shelf, "it", {"resourceType": "List", "entry": entry})
    # What the references lead to is not at hand.
    assert {one[:2] for one in issues} == {("warning", "no-slice")}
    assert time.monotonic() - began < 20
