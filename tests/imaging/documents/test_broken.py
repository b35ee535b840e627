"""Reports are written by many hands; none of them breaks the page."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serai.imaging.documents import content
from serai.imaging.documents.dose import dose_of, of_image
from serai.imaging.documents.selection import selection_of
from serai.kernel.errors import SeraiError

TAGS = st.sampled_from(
    [
        content.CONTENT, content.VALUE_TYPE, content.CONCEPT, content.MEASURED, content.NUMERIC,
        content.UNITS, content.CONCEPT_CODE, content.REFERENCED_SOP, content.FRAMES,
        content.GRAPHIC_DATA, content.BY_REFERENCE, "0040A160", "0040A123", "00080100", "00080102",
        "00080104", "0040A375", "00081115", "0018115E", "00189345",
    ]
)  # fmt: skip
PLAIN = st.one_of(
    st.none(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["NUM", "CODE", "CONTAINER", "TEXT", "IMAGE", "SCOORD", "DCM", "113701",
                     "113819", "113830", "113838", "10.50/ 15.00", "1e999", "²"]),
    st.just({"Alphabetic": "Li^Wei"}),
)  # fmt: skip
OBJECTS: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(TAGS, st.fixed_dictionaries({"vr": st.just("UN"), "Value": st.lists(PLAIN)})),
    lambda inner: st.dictionaries(
        TAGS, st.fixed_dictionaries({"vr": st.just("SQ"), "Value": st.lists(inner, max_size=2)})
    ),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None)
@given(OBJECTS)
def test_whatever_a_report_holds_is_read_or_refused(attributes: Any) -> None:
    try:
        report = content.read(attributes)
        for total in dose_of(report).sums:
            assert total.agrees in (True, False, None)
        selection_of(attributes)
        of_image(attributes)
    except SeraiError as error:
        assert error.key == "report.too-long"  # noqa: PT017 - being read is the other outcome
