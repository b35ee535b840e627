"""A network file becomes organisations, services, staff and accounts; mistakes are told by line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from serai.fhir.store import FhirStore
from serai.kernel.actor import serai_itself
from serai.kernel.errors import Invalid, Malformed, NotFound
from serai.network import Tier, directory, staff_of
from serai.network.loading import Loaded, load
from serai.network.wording import explained
from serai.platform.auth.accounts import authenticate, find_account, list_accounts
from serai.platform.db import Database

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
DEMO = Path(__file__).parents[2] / "demo" / "network.yaml"

SMALL = """
network: Small
organisations:
  - code: lead
    tier: lead
    name: {en: Lead Hospital, zh: 省立医院}
    country: CN
    specialties: [radiology]
    staff:
      - {login: lead.expert, role: expert, specialty: radiology, name: {en: Zhao Rui, zh: 赵睿}}
    modalities:
      - {ae_title: CT1, address: "10.0.0.5:104"}
    under:
      - code: county
        tier: county
        name: County Hospital
        townships:
          - code: baishi
            name: {en: Baishi Health Centre, zh: 白石镇卫生院}
            villages:
              - Upper Willow / 上柳村
              - Red Bridge / 红桥村
"""


@pytest.fixture
def store() -> FhirStore:
    return FhirStore()


def written(folder: Path, text: str) -> Path:
    file = folder / "network.yaml"
    file.write_text(text)
    return file


async def loaded(
    folder: Path, db: Database, store: FhirStore, text: str = SMALL, now: datetime = NOW
) -> Loaded:
    return await load(written(folder, text), db=db, store=store, now=now)


async def refused(folder: Path, db: Database, store: FhirStore, text: str) -> list[str]:
    with pytest.raises(Invalid) as caught:
        await loaded(folder, db, store, text)
    assert caught.value.key == "network.file-refused"
    async with db.connection() as c:
        assert not (await directory(c, store, actor=serai_itself)).organisations
    return explained(caught.value)


async def test_the_demonstration_is_one_lead_one_county_13_townships_and_187_villages(
    db: Database, store: FhirStore
) -> None:
    result = await load(DEMO, db=db, store=store, now=NOW)
    own = {tier: count for tier, count in result.organisations.items() if tier is not Tier.PARTNER}
    assert own == {Tier.LEAD: 1, Tier.COUNTY: 1, Tier.TOWNSHIP: 13, Tier.VILLAGE: 187}
    assert sum(own.values()) == 202
    assert result.organisations[Tier.PARTNER] == 2
    async with db.connection() as c:
        network = await directory(c, store, actor=serai_itself)
    assert len(network.organisations) == 204
    assert network.get("county").name_in("zh") == "青山县人民医院"
    assert [one.id for one in network.above("baishi-qingkou")] == ["baishi", "county", "lead"]


async def test_loading_the_demonstration_again_changes_nothing(
    db: Database, store: FhirStore
) -> None:
    first = await load(DEMO, db=db, store=store, now=NOW)
    again = await load(DEMO, db=db, store=store, now=LATER)
    assert first.created > 204
    assert (again.created, again.updated, again.new_accounts) == (0, 0, 0)
    assert again.unchanged == first.created
    async with db.connection() as c:
        county = await store.read(c, "Organization", "county", actor=serai_itself)
    assert county.version == 1


async def test_everybody_of_the_demonstration_can_sign_in(db: Database, store: FhirStore) -> None:
    await load(DEMO, db=db, store=store, now=NOW)
    async with db.connection() as c:
        accounts = await list_accounts(c)
    for account in accounts:
        known = await authenticate(
            db, account.login, "caravanserai-demo", address="127.0.0.1", now=NOW
        )
        assert known.id == account.id
    wanted = {"county.doctor", "county.desk", "lead.desk", "lead.expert", "township.doctor"}
    assert wanted | {"village.doctor", "partner.doctor", "admin"} <= {
        account.login for account in accounts
    }


async def test_a_changed_name_updates_that_organisation_only(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    await loaded(tmp_path, db, store)
    renamed = SMALL.replace("name: County Hospital", "name: First County Hospital")
    result = await loaded(tmp_path, db, store, renamed, LATER)
    assert (result.created, result.updated) == (0, 1)
    async with db.connection() as c:
        network = await directory(c, store, actor=serai_itself)
    assert network.get("county").name == "First County Hospital"


async def test_a_specialty_that_left_the_file_is_no_longer_offered(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    await loaded(tmp_path, db, store)
    changed = SMALL.replace("specialties: [radiology]", "specialties: [neurology]")
    await loaded(tmp_path, db, store, changed, LATER)
    async with db.connection() as c:
        network = await directory(c, store, actor=serai_itself)
    assert network.offering("lead") == ("neurology",)
    again = await loaded(tmp_path, db, store, changed, LATER)
    assert (again.created, again.updated) == (0, 0)


async def test_a_new_county_joins_a_network_that_is_already_there(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    await loaded(tmp_path, db, store)
    county = "organisations:\n  - {code: east, tier: county, part_of: lead, name: East County}\n"
    result = await loaded(tmp_path, db, store, county, LATER)
    assert result.created == 1
    async with db.connection() as c:
        network = await directory(c, store, actor=serai_itself)
    assert {one.id for one in network.children("lead")} == {"county", "east"}


async def test_staff_get_a_practitioner_a_role_and_an_account_with_a_password_of_their_own(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    result = await loaded(tmp_path, db, store)
    password = result.new_passwords["lead.expert"]
    account = await authenticate(db, "lead.expert", password, address="127.0.0.1", now=NOW)
    assert (account.role, account.organisation) == ("expert", "lead")
    assert account.practitioner == "staff-lead.expert"
    async with db.connection() as c:
        (expert,) = await staff_of(c, store, "lead", actor=serai_itself, specialty="radiology")
        assert expert.name_in("zh") == "赵睿"
        assert (await find_account(c, "lead.expert")).name == "Zhao Rui 赵睿"
    assert not (await loaded(tmp_path, db, store, now=LATER)).new_passwords


async def test_dicom_peers_are_handed_to_whoever_loads(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    (peer,) = (await loaded(tmp_path, db, store)).modalities
    assert (peer.organisation, peer.ae_title, peer.host, peer.port) == (
        "lead",
        "CT1",
        "10.0.0.5",
        104,
    )


async def test_a_modality_that_only_sends_needs_no_port(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    text = SMALL.replace('"10.0.0.5:104"', "10.0.0.5")
    (peer,) = (await loaded(tmp_path, db, store, text)).modalities
    assert (peer.host, peer.port) == ("10.0.0.5", None)


async def test_somebody_who_moves_to_another_hospital_keeps_login_and_password(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    password = (await loaded(tmp_path, db, store)).new_passwords["lead.expert"]
    staff = SMALL[SMALL.index("    staff:") : SMALL.index("    modalities:")]
    moved = SMALL.replace(staff, "").replace(
        "        name: County Hospital\n",
        "        name: County Hospital\n"
        + staff.replace("    staff", "        staff").replace("      -", "          -"),
    )
    result = await loaded(tmp_path, db, store, moved, LATER)
    assert (result.new_accounts, result.created) == (0, 0)
    account = await authenticate(db, "lead.expert", password, address="127.0.0.1", now=LATER)
    assert (account.role, account.organisation) == ("expert", "county")
    async with db.connection() as c:
        assert not await staff_of(c, store, "lead", actor=serai_itself)
        assert len(await staff_of(c, store, "county", actor=serai_itself)) == 1


@pytest.mark.parametrize(
    ("wrong", "right", "place", "said"),
    [
        ("tier: lead", "tier: leed", ":5 organisations[0].tier", "expected one of lead, county"),
        ("tier: county", "tier: township", ":14 organisations[0].under[0]", "under a county"),
        ("role: expert", "role: chief", "staff[0].role", "expected one of doctor, expert"),
        ("radiology]", "radiologie]", ":8 organisations[0].specialties[0]", "radiologie"),
        ("country: CN", "country: China", ":7 organisations[0].country", "ISO 3166"),
        ("country: CN", "land: CN", ":7 organisations[0].land", "expected one of code, tier"),
        ("code: county", "code: County 1", "under[0].code", "small letters"),
        ("code: county", "code: lead", ":14 organisations[0].under[0]", "already used in line 4"),
        ("10.0.0.5:104", "10.0.0.5:99999", "modalities[0].address", "host:port"),
        ("10.0.0.5:104", "10.0.0.5:dicom", "modalities[0].address", "host:port"),
        ("ae_title: CT1", "ae_title: A_TITLE_OF_TOO_MANY", "modalities[0].ae_title", "AE title"),
        ("login: lead.expert", "login: Lead Expert", "staff[0].login", "not a login"),
        ("Red Bridge / 红桥村", "红桥村", ":22", "give one by code"),
        ("Red Bridge / 红桥村", "Upper Willow / 上柳村", ":22", "already used in line 21"),
        ("network: Small", "netwerk: Small", ":2 netwerk", "expected one of network"),
        ("name: County Hospital", "city: Qingshan", "under[0]", "name is missing"),
        ("name: County Hospital", "name:", "under[0].name", "found nothing"),
        ("tier: county", "tier: county\n        part_of: x\n        tier: county", "", "twice"),
    ],
)
async def test_a_mistake_is_told_with_its_line_and_what_was_expected(
    tmp_path: Path, db: Database, store: FhirStore, wrong: str, right: str, place: str, said: str
) -> None:
    lines = await refused(tmp_path, db, store, SMALL.replace(wrong, right, 1))
    assert any(place in line and said in line for line in lines), lines


async def test_every_mistake_of_a_file_is_told_at_once(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    text = SMALL.replace("role: expert", "role: chief").replace("country: CN", "country: China")
    assert len(await refused(tmp_path, db, store, text)) == 2


async def test_a_county_needs_a_lead_hospital_that_exists(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    county = "organisations:\n  - {code: east, tier: county, part_of: gone, name: East County}\n"
    (line,) = await refused(tmp_path, db, store, county)
    assert ":2 organisations[0]" in line
    assert "there is no organisation gone" in line


async def test_a_password_that_is_too_short_loads_nothing(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    (line,) = await refused(tmp_path, db, store, "initial_password: short\n" + SMALL)
    assert "staff[0]: The password needs at least 12 characters" in line


async def test_a_file_that_is_not_yaml_is_refused_with_line_and_column(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    with pytest.raises(Malformed) as caught:
        await loaded(tmp_path, db, store, "organisations:\n  - code: lead\n  tier: [\n  }\n")
    (line,) = explained(caught.value)
    assert "network.yaml:3:3: the file is not YAML here" in line


async def test_a_file_that_contains_itself_is_refused(
    tmp_path: Path, db: Database, store: FhirStore
) -> None:
    text = "organisations:\n  - &one {code: a, tier: lead, name: A, under: [*one]}\n"
    with pytest.raises(Malformed) as caught:
        await loaded(tmp_path, db, store, text)
    assert "network.yaml:2:" in explained(caught.value)[0]


async def test_a_file_that_is_not_there_is_refused_by_name(db: Database, store: FhirStore) -> None:
    with pytest.raises(NotFound) as caught:
        await load(Path("/nowhere/network.yaml"), db=db, store=store, now=NOW)
    assert "No such file" in explained(caught.value)[0]


async def test_norway_stays_a_country(tmp_path: Path, db: Database, store: FhirStore) -> None:
    text = "organisations:\n  - {code: oslo, tier: partner, name: Fjord Hospital, country: NO}\n"
    await loaded(tmp_path, db, store, text)
    async with db.connection() as c:
        network = await directory(c, store, actor=serai_itself)
    assert network.get("oslo").country == "NO"
