"""PS3.15 Table E.1-1 as the server carries it."""

from __future__ import annotations

import re

import pytest
from pydicom.datadict import DicomDictionary, dictionary_has_tag

from serai.deidentify.profile.options import CODES, Option, chosen, methods
from serai.deidentify.profile.table import COLUMNS, rule_for, settled, table
from serai.deidentify.scrubbing.plan import Plan
from serai.kernel.errors import Invalid, SeraiError, Unsupported

CT = "1.2.840.10008.5.1.4.1.1.2"
ACTIONS = re.compile(r"[DZXU]|X/Z|X/D|Z/D|X/Z/D|X/Z/U\*")


def test_the_table_is_whole() -> None:
    """621 rows, each with an action of the standard's, each about an attribute that exists."""
    rows = table()
    assert len(rows) == 621
    assert [one.tag for one in rows.values() if not ACTIONS.fullmatch(one.basic)] == []
    assert {said for one in rows.values() for said in one.by_option.values()} == {"K", "C"}
    plain = [tag for tag in rows if re.fullmatch("[0-9A-F]{8}", tag)]
    assert set(rows) - set(plain) == {"private", "50xxxxxx", "60xx3000", "60xx4000"}
    assert [tag for tag in plain if not dictionary_has_tag(int(tag, 16))] == []


def test_every_option_that_keeps_or_cleans_attributes_has_a_column() -> None:
    in_pixels = {Option.CLEAN_PIXEL_DATA, Option.CLEAN_VISUAL_FEATURES}
    assert set(COLUMNS.values()) == set(Option) - in_pixels
    counts = {
        option: sum(option in one.by_option for one in table().values())
        for option in COLUMNS.values()
    }
    assert counts == {
        Option.RETAIN_SAFE_PRIVATE: 1,
        Option.RETAIN_UIDS: 59,
        Option.RETAIN_DEVICE_IDENTITY: 57,
        Option.RETAIN_INSTITUTION_IDENTITY: 10,
        Option.RETAIN_PATIENT_CHARACTERISTICS: 13,
        Option.RETAIN_FULL_DATES: 165,
        Option.RETAIN_MODIFIED_DATES: 165,
        Option.CLEAN_DESCRIPTORS: 125,
        Option.CLEAN_STRUCTURED_CONTENT: 3,
        Option.CLEAN_GRAPHICS: 4,
    }


def test_no_name_date_or_address_of_the_dictionary_is_let_through() -> None:
    """With or without a row of its own, whatever the table has forgotten."""
    plan = Plan(frozenset(), CT)
    kept = [
        keyword
        for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
        if vr in ("PN", "DA", "DT", "TM", "AE", "UR", "LT", "ST", "UT")
        and plan.action(tag, vr, nested=False) in ("K", "C", "W")
    ]
    assert kept == []


@pytest.mark.parametrize(
    ("tag", "sop_class", "action"),
    [
        (0x00080022, CT, "X"),  # Acquisition Date: type 3 in CT
        (0x00080020, CT, "Z"),  # Study Date: type 2
        (0x00080023, CT, "Z"),  # Content Date: type 2C in CT, Z/D in the table
        (0x00100020, CT, "Z"),  # Patient ID
        (0x00400555, "1.2.3.4", "Z"),  # of an IOD nobody knows, the least that could be required
    ],
)
def test_where_the_table_leaves_a_choice_the_iod_decides(
    tag: int, sop_class: str, action: str
) -> None:
    rule = rule_for(tag)
    assert rule
    assert settled(rule.basic, tag, sop_class, nested=False) == action


@pytest.mark.parametrize(
    ("options", "error", "key"),
    [
        (["clean-recognizable-visual-features"], Unsupported, "deidentify.faces-not-removed"),
        (["retain-full-dates", "retain-modified-dates"], Invalid, "deidentify.dates-both-ways"),
        (["retain-everything"], Invalid, "deidentify.unknown-option"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    options: list[str], error: type[SeraiError], key: str
) -> None:
    with pytest.raises(error) as raised:
        chosen(options)
    assert raised.value.key == key


def test_every_option_has_its_code_of_cid_7050() -> None:
    assert set(CODES) == set(Option)
    assert methods([]) == [("113100", "Basic Application Confidentiality Profile")]
    assert sorted(code for code, _ in CODES.values()) == [str(n) for n in range(113101, 113113)]
