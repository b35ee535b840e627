"""A narrative is shown to clinicians, so nothing in it may act on its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.fhir.validation.narrative import problem


def in_div(inner: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'


@pytest.mark.parametrize(
    "inner",
    [
        "text",
        "<p>Blood pressure <b>120/80</b> &amp; stable&#160;</p>",
        '<table class="grid"><tr><td colspan="2" style="color: red">血压</td></tr></table>',
        '<a href="https://example.org/x?y=1">link</a>',
        '<a href="Patient/1">patient</a><a href="#x" name="x">here</a>',
        '<img src="data:image/png;base64,QUJD" alt="chart"/>',
        '<img src="picture.png" alt=""/>',
        "<p style=\"background: url('data:image/png;base64,QUJD')\">x</p>",
        "<!-- a comment --> text",
    ],
)
def test_plain_formatting_is_accepted(inner: str) -> None:
    assert problem(in_div(inner)) is None


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>x",
        '<p onclick="alert(1)">x</p>',
        '<img src="x" onerror="alert(1)"/>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href=" java&#10;script:alert(1)">x</a>',
        '<a href="JaVaScRiPt:alert(1)">x</a>',
        '<a href="vbscript:x">x</a>',
        '<a href="data:text/html,x">x</a>',
        '<img src="data:image/svg+xml;base64,QUJD"/>',
        '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>x',
        '<p xmlns="http://www.w3.org/2000/svg">x</p>',
        "<iframe/>x",
        "<form/>x",
        '<input type="text"/>x',
        "<object/>x",
        '<link rel="stylesheet" href="x"/>x',
        "<style>p {}</style>x",
        '<meta http-equiv="refresh"/>x',
        '<p style="background: url(http://evil.example/x)">x</p>',
        '<p style="width: expression(alert(1))">x</p>',
        '<p style="position: fixed; top: 0">x</p>',
        '<p style="back\\67round: url(x)">x</p>',
        "<?php echo 1 ?>x",
        '<base href="http://evil.example/"/>x',
    ],
)
def test_whatever_could_act_or_load_is_refused(inner: str) -> None:
    assert problem(in_div(inner)) == "fhir.narrative-unsafe"


@pytest.mark.parametrize(
    ("div", "key"),
    [
        ("", "fhir.narrative-malformed"),
        ("just text", "fhir.narrative-malformed"),
        (in_div("<p>"), "fhir.narrative-malformed"),
        (in_div("a&nbsp;b"), "fhir.narrative-malformed"),
        (in_div("half \ud800"), "fhir.narrative-malformed"),
        (in_div("x") + in_div("y"), "fhir.narrative-malformed"),
        ("<div>x</div>", "fhir.narrative-not-a-div"),
        ('<p xmlns="http://www.w3.org/1999/xhtml">x</p>', "fhir.narrative-not-a-div"),
        (in_div(" \n "), "fhir.narrative-empty"),
        (in_div("<br/>"), "fhir.narrative-empty"),
        ('<!DOCTYPE div [<!ENTITY a "aaaa">]>' + in_div("&a;"), "fhir.narrative-unsafe"),
    ],
)
def test_what_is_no_narrative_is_refused(div: str, key: str) -> None:
    assert problem(div) == key


@given(st.text() | st.text().map(in_div))
def test_any_text_is_judged(text: str) -> None:
    problem(text)
