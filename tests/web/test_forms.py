"""What people type is parsed once, and what is wrong is noted where it stands."""

from __future__ import annotations

from datetime import date

import pytest
from starlette.datastructures import FormData, UploadFile

from serai.web.forms import Form
from serai.web.rendering import environment


def test_text_is_trimmed_and_never_carries_what_the_database_refuses() -> None:
    form = Form.blank(reason="  head\0ache \r\nsince Monday ")
    assert form.text("reason") == "headache \nsince Monday"


def test_a_missing_and_a_too_long_text_are_noted() -> None:
    form = Form.blank(reason="", question="x" * 11)
    form.text("reason", required=True)
    form.text("question", longest=10)
    assert {name: error.key for name, error in form.errors.items()} == {
        "reason": "form.missing",
        "question": "form.too-long",
    }
    assert form.errors["question"].text == "Too long: at most 10 characters."


def test_only_offered_choices_are_taken() -> None:
    form = Form.blank(urgency="whenever", kind="ct")
    assert form.choice("urgency", ("routine", "urgent")) == ""
    assert form.choice("kind", ("ct", "mr")) == "ct"
    assert form.choice("colour", ("red",), required=False) == ""
    assert list(form.errors) == ["urgency"]


@pytest.mark.parametrize("typed", ["1970-13-01", "yesterday", "01/02/1970"])
def test_a_date_that_is_none_is_noted(typed: str) -> None:
    form = Form.blank(born=typed)
    assert form.date("born") is None
    assert form.errors["born"].key == "form.not-a-date"


def test_a_date_is_a_date() -> None:
    assert Form.blank(born="1970-05-23").date("born") == date(1970, 5, 23)
    assert Form.blank(born="").date("born") is None


def test_the_first_error_of_a_field_stays() -> None:
    form = Form.blank()
    form.refuse("login", "form.missing")
    form.refuse("login", "form.too-long", longest=3)
    assert form.errors["login"].key == "form.missing"


def test_repeated_fields_and_really_chosen_files_are_lists() -> None:
    chosen, empty = UploadFile(None, filename="ct.dcm"), UploadFile(None, filename="")  # type: ignore[arg-type]
    data = FormData([("record", "a"), ("record", "b"), ("study", chosen), ("study", empty)])
    form = Form(data)
    assert form.list("record") == ["a", "b"]
    assert form.files("study") == [chosen]
    assert form.file("record") is None


def test_what_was_typed_is_shown_again_but_never_as_markup() -> None:
    form = Form.blank(reason='"><script>alert(1)</script>')
    form.refuse("reason", "form.too-long", longest=5)
    fields = environment().get_template("fields.html").module
    shown = str(fields.text(form, "reason", "Reason"))  # type: ignore[attr-defined]
    assert "<script>" not in shown
    assert 'aria-invalid="true"' in shown
    assert 'id="f-reason-error"' in shown


def test_a_password_is_never_shown_again() -> None:
    fields = environment().get_template("fields.html").module
    form = Form.blank(password="caravanserai-demo")
    shown = str(fields.text(form, "password", "Password", type="password"))  # type: ignore[attr-defined]
    assert "caravanserai" not in shown
