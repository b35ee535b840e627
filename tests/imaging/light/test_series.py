from __future__ import annotations

from typing import Any

import pytest

from serai.imaging.light.series import Instance, series_of

AXIAL, CORONAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1]


def an_instance(
    number: int, z: float, *, orientation: list[int] | None = None, frames: int = 1, **more: Any
) -> Instance:
    attributes = {
        "00200037": {"vr": "DS", "Value": orientation or AXIAL},
        "00200032": {"vr": "DS", "Value": [0, 0, z]},
    } | {f"{tag[1:]}": {"vr": "DS", "Value": value} for tag, value in more.items()}
    return Instance(f"1.{number}", number, frames, attributes)


def shown(*instances: Instance) -> list[str]:
    return [f"{each.instance[2:]}/{each.frame}" for each in series_of("1", 1, instances).slides]


def test_a_stack_lies_in_the_order_of_space_whatever_its_numbers_say() -> None:
    assert shown(an_instance(1, 0), an_instance(2, 9), an_instance(3, 5)) == ["1/0", "3/0", "2/0"]


def test_a_stack_numbered_from_head_to_foot_begins_at_the_head() -> None:
    assert shown(an_instance(3, 0), an_instance(2, 5), an_instance(1, 9)) == ["1/0", "2/0", "3/0"]


@pytest.mark.parametrize(
    "instances",
    [
        (an_instance(2, 0), an_instance(1, 9, orientation=CORONAL)),
        (an_instance(2, 4), an_instance(1, 4)),
    ],
    ids=["planes of two directions", "two pictures of one plane"],
)
def test_what_is_no_single_stack_stays_as_numbered(instances: tuple[Instance, ...]) -> None:
    found = series_of("1", 1, instances)
    assert [each.instance for each in found.slides] == ["1.1", "1.2"]
    assert found.facts["places"] is None


def test_a_film_is_leafed_through_frame_by_frame_at_its_own_speed() -> None:
    film = an_instance(1, 0, frames=3, t00181063=[40])
    assert shown(film) == ["1/0", "1/1", "1/2"]
    assert series_of("1", 1, [film]).facts["rate"] == 25


def test_every_window_the_object_proposes_is_offered() -> None:
    found = an_instance(1, 0, t00281050=[40, -600], t00281051=[400, 1500])
    assert series_of("1", 1, [found]).facts["windows"] == [(40, 400), (-600, 1500)]


@pytest.mark.parametrize(
    ("attributes", "spacing"),
    [
        ({"t00280030": [0.7, 0.5]}, (0.7, 0.5)),
        ({"t00181164": [0.14, 0.14]}, (0.14, 0.14)),
        ({"t00280030": [0, 0]}, None),
        ({}, None),
    ],
)
def test_only_what_has_a_scale_is_measured_in_millimetres(
    attributes: dict[str, Any], spacing: tuple[float, float] | None
) -> None:
    assert series_of("1", 1, [an_instance(1, 0, **attributes)]).facts["spacing"] == spacing
