"""Whatever is asked, parsing answers with a query or a refusal."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from tests.fhir.resources import doctor

from serai.fhir.definitions import RESOURCE_TYPES, search_parameters
from serai.fhir.search.parsing import parse
from serai.fhir.search.places import compartment, of_type, system
from serai.fhir.search.sql import count_statement, page_statement
from serai.kernel.actor import serai_itself
from serai.kernel.errors import SeraiError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

TYPES = st.sampled_from(sorted(RESOURCE_TYPES))
VALUES = st.one_of(
    st.text(max_size=40),
    st.from_regex(
        r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?\d{1,5}(-\d\d){0,2}"
        r"(T\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z|[+ -]\d\d:\d\d)?",
        fullmatch=True,
    ),
    st.from_regex(
        r"([a-z0-9]{1,3}[$|])?(eq|sa|ap)?[+-]?\d{1,4}(\.\d+)?(e-?\d{1,4})?", fullmatch=True
    ),
    st.from_regex(r"[a-z:|\\,/$.-]{0,20}", fullmatch=True),
)  # fmt: skip
MODIFIERS = st.sampled_from(
    [
        "",
        ":not",
        ":in",
        ":of-type",
        ":below",
        ":missing",
        ":exact",
        ":contains",
        ":Patient",
        ":x",
        ":",
    ]
)
RESULT_NAMES = st.sampled_from(
    [
        "_sort",
        "_count",
        "_total",
        "_include",
        "_revinclude",
        "_cursor",
        "_summary",
        "_format",
        "_include:iterate",
        "_revinclude:iterate",
        "_elements",
        "_list",
        "_type",
    ]
)


@given(st.data())
def test_parsing_never_fails_but_with_a_refusal(data: st.DataObject) -> None:
    kind = data.draw(TYPES)
    places = [of_type(kind), system([kind, "Patient"]), compartment("Patient", "1", "*")]
    place = data.draw(st.sampled_from(places))
    codes = st.one_of(st.sampled_from(sorted(search_parameters(kind))), st.text(max_size=12))
    heads = st.sampled_from(
        ["", "subject.", "subject:Patient.", "_has:Observation:subject:", "_has:"]
    )
    plain = st.builds(lambda code, more: code + more, codes, MODIFIERS)
    linked = st.builds(
        lambda heads, code: "".join(heads) + code, st.lists(heads, max_size=7), plain
    )
    names = st.one_of(plain, linked, RESULT_NAMES)
    pairs = data.draw(st.lists(st.tuples(names, VALUES), max_size=4))
    handling = data.draw(st.sampled_from(["strict", "lenient"]))
    try:
        query = parse(place, pairs, now=NOON, handling=handling)
        page_statement(query, doctor("o1"))
        count_statement(query, serai_itself)
    except SeraiError:
        pass
