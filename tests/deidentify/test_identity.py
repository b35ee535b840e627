"""What counts as naming the patient, in text and in what was read from a picture."""

from __future__ import annotations

import pytest

from serai.deidentify.scrubbing.identity import Collected, Identity


def patient(name: str, number: str = "", born: str = "") -> Identity:
    known = Collected()
    known.name(name)
    known.number(number)
    known.date(born)
    return known.made()


LI_NA = patient("Li^Na=李^娜", "MRN 0771234 (ward 3)", "19580402")
ABU = patient("Abu-Bakr^Al Hassan")


@pytest.mark.parametrize(
    "text",
    ["Li Na", "LINA", "ni_li_x", "李娜", "李娜女士", "0771234", "MRN-0771234", "07-71-234",
     "1958-04-02", "02.04.1958", "04/02/1958", "19580402", "1958年04月02日", "LI", "ｌｉ ｎａ"],
)  # fmt: skip
def test_a_text_that_names_the_patient_is_known(text: str) -> None:
    assert LI_NA.is_in(text)


@pytest.mark.parametrize(
    "text",
    ["", "LINAC", "liver", "ORIGINAL PRIMARY", "771", "李医生", "2026-04-02"],
)
def test_a_text_that_only_looks_like_it_is_not(text: str) -> None:
    assert not LI_NA.is_in(text)


@pytest.mark.parametrize("text", ["Abu Bakr", "ABUBAKR", "bakr, a.", "Hassan"])
def test_each_part_of_a_double_name_counts(text: str) -> None:
    assert ABU.is_in(text)


@pytest.mark.parametrize("text", ["LINA5512", "A6u-Bakr", "ABU BAKF"])
def test_letters_that_a_reader_mistakes_do_not_hide_a_name(text: str) -> None:
    assert LI_NA.is_read_in(text) or ABU.is_read_in(text)


def test_nobody_is_in_everything() -> None:
    """Names that say nothing, and none at all, must not make every text suspicious."""
    nobody = patient("Anonymous^Unknown", "none")
    assert not any(nobody.is_in(text) for text in ("anonymous", "unknown", "none", "chest"))
    assert not Identity().is_in("chest")
