"""Who stands under whom, and who may be asked for an opinion."""

from __future__ import annotations

from serai.network import Directory, Organisation, Tier


def an_organisation(id_: str, tier: Tier, parent: str | None = None) -> Organisation:
    return Organisation(id=id_, tier=tier, names={"en": id_.title()}, parent=parent)


NETWORK = Directory(
    organisations=(
        an_organisation("lead", Tier.LEAD),
        an_organisation("county", Tier.COUNTY, "lead"),
        an_organisation("other-county", Tier.COUNTY, "lead"),
        an_organisation("town", Tier.TOWNSHIP, "county"),
        an_organisation("village", Tier.VILLAGE, "town"),
        an_organisation("abroad", Tier.PARTNER),
    ),
    specialties={
        "lead": ("radiology", "neurology"),
        "county": ("radiology",),
        "other-county": ("radiology",),
        "abroad": ("surgery",),
    },
)


def asked(by: str, specialty: str | None = None) -> list[str]:
    return [one.id for one in NETWORK.may_be_asked_by(by, specialty)]


def test_a_village_asks_the_nearest_hospital_of_its_own_line_first() -> None:
    assert asked("village", "radiology") == ["county", "lead"]


def test_a_specialty_nobody_near_has_is_asked_of_the_lead_hospital() -> None:
    assert asked("village", "neurology") == ["lead"]


def test_a_county_may_ask_the_lead_hospital_and_partners_but_not_itself() -> None:
    assert asked("county") == ["lead", "abroad"]


def test_a_partner_abroad_may_ask_the_lead_hospital() -> None:
    assert asked("abroad") == ["lead"]


def test_the_tree_lists_parents_before_children() -> None:
    assert [(depth, one.id) for depth, one in NETWORK.tree()] == [
        (0, "lead"),
        (1, "county"),
        (2, "town"),
        (3, "village"),
        (1, "other-county"),
        (0, "abroad"),
    ]


def test_organisations_that_are_part_of_each_other_do_not_hang_the_server() -> None:
    circle = Directory(
        (an_organisation("a", Tier.COUNTY, "b"), an_organisation("b", Tier.COUNTY, "a"))
    )
    assert [one.id for one in circle.above("a")] == ["b", "a"]
    assert list(circle.tree()) == []


def test_a_search_finds_every_name_of_an_organisation() -> None:
    county = Organisation("county", Tier.COUNTY, {"en": "Qingshan Hospital", "zh": "青山县医院"})
    assert county.matches("qing hosp")
    assert county.matches("青山")
    assert not county.matches("qing village")
