"""Whatever JSON is held against a profile, there are issues or none, never an exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fhir.profiles.package_files import IPS

from serai.fhir.profiles import contents
from serai.fhir.profiles.compiling import compiled
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.scene import Known, Scope, targets_of
from serai.fhir.validation.findings import top

PROFILES = {
    made.url: made
    for path in sorted(IPS.glob("StructureDefinition-*-uv-ips.json"))
    for made in [compiled(json.loads(path.read_text()))]
}
NAMES = [
    "resourceType", "entry", "resource", "section", "code", "coding", "valueQuantity", "meta",
    "profile", "extension", "url", "reference", "subject", "contained", "id", "system", "_code",
    "modifierExtension", "fullUrl", "name", "status", "category", "component",
]  # fmt: skip
WORDS = ["Bundle", "Composition", "Observation", "Patient/1", "#a", "a", "", *sorted(PROFILES)]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(
    body=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8),
    url=st.sampled_from(sorted(PROFILES)),
)
def test_any_json_gives_issues_or_none(body: dict[str, Any], url: str) -> None:
    data = body | {"resourceType": PROFILES[url].type}
    known = Known(PROFILES, {}, targets_of(data), 300_000)
    report, place = Report(), top(str(data["resourceType"]))
    scope = Scope(data, place, data)
    contents.against(url, scope, known, report)
    contents.check(data, place, scope, known, report)
    assert all(one.path and one.key for one in report.issues)
