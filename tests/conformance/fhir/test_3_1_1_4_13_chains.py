"""R4 §3.1.1.4.13 and §3.1.1.4.14: chained parameters and `_has`."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, observation, patient

from serai.fhir.search import resolving
from serai.kernel.actor import Actor, Kind

JSON = {"content-type": "application/fhir+json"}


def encounter(id: str, subject: str, **more: object) -> Data:
    return {
        "resourceType": "Encounter", "id": id, "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": subject}, **more,
    }  # fmt: skip


RESOURCES: list[Data] = [
    {"resourceType": "Organization", "id": "org1", "name": "County hospital"},
    patient("Müller", id="p1", identifier=[{"system": "urn:mrn", "value": "1"}],
            managingOrganization={"reference": "Organization/org1"}),
    patient("Zhang", id="p2", identifier=[{"system": "urn:mrn", "value": "2"}], gender="male"),
    {"resourceType": "Group", "id": "g1", "type": "person", "actual": True,
     "identifier": [{"system": "urn:mrn", "value": "1"}]},
    {"resourceType": "Device", "id": "d1", "identifier": [{"value": "pump"}]},
    encounter("e1", "Patient/p1"),
    encounter("e2", "Patient/p2"),
    observation("Patient/p1", id="o1", encounter={"reference": "Encounter/e1"}),
    observation("http://serai.test/fhir/Patient/p1", id="o2", code="8480-6"),
    observation("Patient/p2", id="o3", encounter={"reference": "Encounter/e2"}),
    observation("Group/g1", id="o4"),
    observation("http://elsewhere.test/fhir/Patient/p1", id="o5"),
    observation("Patient/nobody", id="o6"),
    {"resourceType": "Provenance", "id": "v1", "recorded": "2024-01-01T00:00:00Z",
     "target": [{"reference": "Observation/o1"}], "agent": [{"who": {"reference": "Device/d1"}}]},
]  # fmt: skip

CASES = [
    # one level, typed and untyped
    ("Observation?subject:Patient.identifier=urn:mrn|1", "o1 o2"),
    ("Observation?subject.identifier=urn:mrn|1", "o1 o2 o4"),
    ("Observation?subject:Group.identifier=1", "o4"),
    ("Observation?subject:Patient.name=mull", "o1 o2"),
    ("Observation?subject.family:exact=Zhang", "o3"),
    ("Observation?patient.gender:not=male", "o1 o2"),
    ("Observation?patient.gender:missing=false", "o3"),
    ("Observation?subject:Patient._id=p1,p2", "o1 o2 o3"),
    ("Observation?subject:Patient._lastUpdated=gt2000", "o1 o2 o3"),
    ("Observation?subject:Patient._lastUpdated=lt2000", ""),
    ("Observation?subject:Patient.identifier=urn:mrn|1&code=8480-6", "o2"),
    ("Observation?subject:Patient.identifier=urn:mrn|1&date=gt2025", ""),
    ("Observation?subject:Patient.identifier=1,2", "o1 o2 o3"),
    ("Observation?subject:Patient.identifier=nobody", ""),
    # several levels
    ("Observation?encounter.subject.family=zhang", "o3"),
    ("Observation?encounter.subject:Patient.identifier=urn:mrn|1", "o1"),
    ("Observation?subject:Patient.organization.name=county", "o1 o2"),
    ("Observation?encounter.patient.organization._id=org1", "o1"),
    # _has
    ("Patient?_has:Observation:subject:code=8480-6", "p1"),
    ("Patient?_has:Observation:subject:code=8867-4", "p1 p2"),
    ("Patient?_has:Observation:patient:code=nothing", ""),
    ("Patient?identifier=urn:mrn|1&_has:Observation:subject:code=8867-4", "p1"),
    ("Patient?identifier=urn:mrn|2&_has:Observation:subject:code=8480-6", ""),
    ("Patient?identifier=urn:mrn|1&_has:Observation:subject:date=ge2024", "p1"),
    ("Patient?_has:Observation:subject:code=8867-4&_has:Observation:subject:code=8480-6", "p1"),
    ("Group?_has:Observation:subject:code=8867-4", "g1"),
    # one inside the other
    ("Patient?_has:Observation:subject:_has:Provenance:target:agent=Device/d1", "p1"),
    ("Patient?_has:Observation:subject:_has:Provenance:target:agent:Device.identifier=pump", "p1"),
    ("Patient?_has:Observation:subject:encounter.identifier:missing=true", "p1 p2"),
    ("Encounter?subject:Patient._has:Observation:subject:code=8480-6", "e1"),
    ("Encounter?subject._has:Observation:subject:code=8867-4", "e1 e2"),
]


@pytest_asyncio.fixture
async def ward(fhir: httpx.AsyncClient) -> httpx.AsyncClient:
    entries = [
        {"resource": one,
         "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in RESOURCES
    ]  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = await fhir.post("", content=as_json(bundle), headers=JSON)
    assert {e["response"]["status"][:3] for e in answer.json()["entry"]} == {"201"}, answer.text
    return fhir


async def found(client: httpx.AsyncClient, address: str) -> str:
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    return " ".join(sorted(e["resource"]["id"] for e in answer.json().get("entry", [])))


@pytest.mark.parametrize("few", [500, 0], ids=["few", "many"])
async def test_chains_and_has_find_exactly_these(
    ward: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Both ways to answer them: from their far end, and row by row."""
    monkeypatch.setattr(resolving, "FEW", few)
    assert {address: await found(ward, address) for address, _ in CASES} == dict(CASES)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("Observation?subject:Patient.nonsense=1", "nonsense"),
        ("Observation?subject.nonsense=1", "nonsense"),
        ("Observation?code.name=1", "code.name"),
        ("Observation?subject:Practitioner.name=1", "cannot point"),
        ("Observation?nonsense.name=1", "nonsense.name"),
        ("Observation?subject.=1", "subject."),
        ("Patient?_has:Observation=1", "_has:Observation"),
        ("Patient?_has:Nonsense:subject:code=1", "_has:Nonsense"),
        ("Patient?_has:Observation:code:code=1", "no reference"),
        ("Patient?_has:Observation:encounter:code=1", "its reference to this one"),
        ("Patient?_has:Observation:subject:nonsense=1", "nonsense"),
        ("Patient?" + "link.link." * 10 + "name=1", "5 levels"),
        ("Patient?" + "_has:Patient:link:" * 500 + "name=1", "5 levels"),
        ("Patient?identifier=" + ",".join(map(str, range(10_000))), "1000 values"),
    ],
)
async def test_a_link_that_leads_nowhere_is_refused(
    fhir: httpx.AsyncClient, address: str, told: str
) -> None:
    answer = await fhir.get(address)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("few", [500, 0], ids=["few", "many"])
async def test_a_link_tells_nothing_of_what_is_invisible(
    as_actor: Client, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """The county keeps patient p; the lead hospital wrote about it what it may see itself."""
    monkeypatch.setattr(resolving, "FEW", few)
    county, lead = as_actor(doctor("county")), as_actor(doctor("lead"))
    hers = patient("Secret", id="p", identifier=[{"value": "7"}])
    for client, one in (
        (county, hers),
        (county, observation("Patient/p", id="o")),
        (county, observation(id="loose")),
        (lead, patient("Known", id="q")),
        (county, encounter("e", "Patient/p")),
    ):
        address = f"{one['resourceType']}/{one['id']}"
        assert (await client.put(address, content=as_json(one), headers=JSON)).status_code == 201
    for address, seen in (
        ("Observation?subject:Patient.identifier=7", "o"),
        ("Observation?subject:Patient.family=secret", "o"),
        ("Observation?subject.family=secret", "o"),
        ("Patient?_has:Observation:subject:code=8867-4", "p"),
        ("Patient?identifier=7&_has:Observation:subject:code=8867-4", "p"),
        ("Encounter?subject:Patient._has:Observation:subject:code=8867-4", "e"),
    ):
        assert await found(county, address) == seen
        assert await found(lead, address) == ""


async def test_a_link_goes_only_through_types_the_scope_covers(as_actor: Client) -> None:
    scopes = frozenset({"system/Observation.rs", "system/Group.rs"})
    narrow = as_actor(Actor("m", Kind.MACHINE, "m", "system", scopes=scopes))
    assert (await narrow.get("Observation?subject:Patient.family=Li")).status_code == 403
    assert (await narrow.get("Observation?encounter.identifier=1")).status_code == 403
    assert (await narrow.get("Group?_has:Observation:subject:code=1")).status_code == 200
    assert (await narrow.get("Group?_has:List:subject:code=1")).status_code == 403
    assert (await narrow.get("Observation?subject.identifier=1")).status_code == 200
