"""Names, doubts and groups: the chart's pure rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from serai.care.chart.model import (
    Entry,
    Identifier,
    Kind,
    OnPictures,
    Person,
    Registration,
    Sex,
    grouped,
    joined,
    same_name,
)
from serai.kernel.errors import Invalid

TODAY = date(2026, 11, 23)
WANG = Registration("王", "小明", Sex.MALE, date(1960, 5, 1))


@pytest.mark.parametrize(
    ("family", "given", "name"),
    [
        ("王", "小明", "王小明"),
        ("Nguyễn", "Văn An", "Văn An Nguyễn"),
        ("", "Suharto", "Suharto"),
        ("김", "민준", "김민준"),
    ],
)
def test_a_name_is_written_in_its_own_order(family: str, given: str, name: str) -> None:
    assert joined(family, given) == name


@pytest.mark.parametrize(
    ("on_pictures", "known"),
    [
        ("WANG XIAO MING", "Wang Xiaoming"),
        ("Wang Xiaoming=王 小明=", "王小明"),
        ("Müller Jörg", "Jorg Muller"),
        ("Nguyen Van An", "Văn An Nguyễn"),
    ],
)
def test_the_same_name_is_recognised_in_other_spelling(on_pictures: str, known: str) -> None:
    assert same_name(on_pictures, [known])


def test_another_name_is_not_the_same() -> None:
    assert not same_name("Wang Daming", ["Wang Xiaoming", "王小明"])


@pytest.mark.parametrize(
    ("registration", "key"),
    [
        (replace(WANG, family="", given=""), "chart.name-missing"),
        (replace(WANG, birth_date=date(2027, 1, 1)), "chart.born-in-future"),
        (replace(WANG, birth_date=date(1860, 1, 1)), "chart.born-too-long-ago"),
        (replace(WANG, identifier=Identifier("passport", " ")), "chart.number-missing"),
    ],
)
def test_what_no_person_has_is_refused(registration: Registration, key: str) -> None:
    with pytest.raises(Invalid) as refusal:
        registration.check(TODAY)
    assert refusal.value.key == key


@pytest.mark.parametrize(
    ("name", "born", "doubts"),
    [
        ("Wang Xiaoming", "19600501", ()),
        ("", "", ()),
        ("CompressedSamples CT1", "", ("name",)),
        ("王小明", "19610501", ("birth-date",)),
        ("Li Si", "19610501", ("name", "birth-date")),
    ],
)
def test_pictures_of_somebody_else_raise_a_doubt(
    name: str, born: str, doubts: tuple[str, ...]
) -> None:
    person = Person("1", "王小明", other_name="Wang Xiaoming", birth_date="1960-05-01")
    assert OnPictures(name, born).doubts(person) == doubts


def entry(kind: Kind, at: str) -> Entry:
    return Entry(f"X/{kind}{at}", kind, at, "title")


def test_results_of_one_day_stand_together_and_reports_alone() -> None:
    entries = [
        entry(Kind.OBSERVATION, "2026-11-20T08:00:00Z"),
        entry(Kind.OBSERVATION, "2026-11-20T07:00:00Z"),
        entry(Kind.REPORT, "2026-11-20T06:00:00Z"),
        entry(Kind.REPORT, "2026-11-20T05:00:00Z"),
        entry(Kind.OBSERVATION, "2026-11-19T08:00:00Z"),
    ]
    assert [len(group.entries) for group in grouped(entries)] == [2, 1, 1, 1]
