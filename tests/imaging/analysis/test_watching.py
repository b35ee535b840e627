"""From arrival to judgement, with the reason on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.imaging.analysis.conftest import COUNTY, NOON, QUIET, House, planted
from tests.imaging.analysis.phantoms import data_sets, files, water

from serai.imaging.analysis.completeness import UNENDED_QUIET
from serai.imaging.archive import receive

SECOND = timedelta(seconds=1)


async def judged(house: House) -> list[Any]:
    return await house.rows("SELECT instances, reason FROM imaging_complete")


@pytest.mark.parametrize(
    ("attributes", "after", "expected"),
    [
        ({}, SECOND, []),
        ({}, 11 * SECOND, [(4, "contiguous")]),
        ({"NumberOfSeriesRelatedInstances": 4}, SECOND, [(4, "count")]),
        ({"NumberOfSeriesRelatedInstances": 5}, QUIET, []),
        ({"InstanceNumber": 7}, 11 * SECOND, []),
        ({"InstanceNumber": 7}, QUIET, [(4, "quiet")]),
    ],
    ids=str,
)
async def test_a_series_is_judged_by_what_is_known_of_it(
    house: House, attributes: dict[str, Any], after: timedelta, expected: list[Any]
) -> None:
    house.analysers = [planted("counting")]
    await house.arrive(*files(data_sets(water(4), **attributes)))
    await house.judge(NOON + after)
    assert await judged(house) == expected
    analyses = await house.analyses()
    assert [each.reason for each in analyses] == [reason for _, reason in expected]
    # What has been judged is no longer looked at; what has not is looked at again.
    assert len(await house.rows("SELECT FROM imaging_arrival")) == (0 if expected else 1)


async def test_a_sender_that_was_cut_off_is_waited_for_and_given_up(house: House) -> None:
    """Nothing but the trigger knows of its series."""
    intake = house.archive.intake(house.db, COUNTY)
    received = [receive(each) for each in files(data_sets(water(4)))]
    await intake.keep(received, now=NOON)
    await house.judge(NOON + QUIET)
    assert await judged(house) == []
    await house.judge(NOON + UNENDED_QUIET)
    assert await judged(house) == [(4, "quiet")]


async def test_each_series_of_a_study_is_judged_for_itself(house: House) -> None:
    first, second = data_sets(water(4)), data_sets(water(3), InstanceNumber=7)
    for image in second:
        image.StudyInstanceUID = first[0].StudyInstanceUID
    await house.arrive(*files([*first, *second]))
    await house.judge(NOON + 11 * SECOND)
    assert await judged(house) == [(4, "contiguous")]
    await house.judge(NOON + QUIET)
    assert sorted(await judged(house)) == [(3, "quiet"), (4, "contiguous")]


async def test_only_analysers_that_want_it_look_at_a_series(house: House) -> None:
    await house.arrive(*files(data_sets(water(4), Modality="MR",
                                        SOPClassUID="1.2.840.10008.5.1.4.1.1.4")))  # fmt: skip
    await house.judge()
    assert [each.analyser for each in await house.analyses()] == ["series-quality"]


async def test_what_is_deleted_before_its_turn_is_not_analysed(house: House) -> None:
    house.analysers = [planted("counting")]
    images = data_sets(water(4))
    await house.arrive(*files(images))
    await house.judge()
    study = str(images[0].StudyInstanceUID)
    await house.archive.trash.discard(house.db, study, None, None, actor=COUNTY, now=NOON)
    await house.work()
    (state,) = await house.rows("SELECT state, why FROM imaging_analysis")
    assert state == ("failed", "analysis.gone")
