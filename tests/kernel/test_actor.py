import pytest

from serai.kernel.actor import Actor, Kind, serai_itself


def an_actor(*scopes: str, kind: Kind = Kind.STAFF, organisation: str | None = "county") -> Actor:
    return Actor(
        id="1", kind=kind, name="Li Wei", role="doctor", organisation=organisation,
        scopes=frozenset(scopes),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "interaction", "resource_type", "allowed"),
    [
        ("user/Patient.rs", "r", "Patient", True),
        ("user/Patient.rs", "u", "Patient", False),
        ("user/Patient.rs", "r", "Observation", False),
        ("system/*.cruds", "d", "Task", True),
    ],
)
def test_a_scope_allows_its_own_type_and_interactions_only(
    scope: str, interaction: str, resource_type: str, allowed: bool
) -> None:
    assert an_actor(scope).may(interaction, resource_type) is allowed


def test_without_scopes_nothing_is_allowed() -> None:
    assert not an_actor().may("r", "Patient")


def test_staff_without_an_organisation_are_not_system_wide() -> None:
    assert not an_actor(organisation=None).system_wide
    assert an_actor(organisation=None, kind=Kind.MACHINE).system_wide
    assert serai_itself.system_wide
