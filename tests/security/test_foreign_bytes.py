"""Two organisations ask the FHIR server everything it can be asked about the other's patients:
not one byte of them comes back. Types and operations are those of the server's own tables."""

from __future__ import annotations

import random

import httpx
from tests.fhir.conftest import Client, as_actor, store
from tests.fhir.resources import Data, doctor, observation, patient

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.operations.catalogue import OPERATIONS

__all__ = ["as_actor", "store"]

ORGANISATIONS = ("county", "lead")
MARK = {"county": "Xqzcountymark", "lead": "Xqzleadmark"}
REQUESTS = 400
QUERIES = (
    "", "?_total=accurate", "?_summary=count", "?_sort=-_lastUpdated", "?_include=*",
    "?_revinclude=*", "?_has:Observation:subject:code=8867-4", "?_id={id}", "?subject=Patient/{id}",
    "?patient={id}", "?subject:Patient.family={mark}", "?family={mark}", "?_content={mark}",
    "?_lastUpdated=gt2020", "?_elements=id", "/{id}", "/{id}/_history", "/{id}/_history/1",
    "/_history", "/{id}/Observation", "/{id}/*",
)  # fmt: skip
METHODS = ("GET", "GET", "GET", "GET", "PUT", "DELETE", "PATCH", "POST")


def held(organisation: str, number: int) -> tuple[Data, Data]:
    id = f"{MARK[organisation].lower()}{number}"
    return (
        patient(MARK[organisation], id=id),
        observation(f"Patient/{id}", id=id, valueString=MARK[organisation]),
    )


def attack(dice: random.Random, other: str) -> tuple[str, str]:
    """A request about the other's records."""
    values = {"id": f"{MARK[other].lower()}{dice.randrange(3)}", "mark": MARK[other]}
    if dice.random() < 0.2:
        name = dice.choice([one.name for one in OPERATIONS])
        address = dice.choice(["{kind}/{id}/$" + name, "{kind}/$" + name, "$" + name])
    else:
        address = "{kind}" + dice.choice(QUERIES)
    kind = dice.choice(["Patient", "Observation", dice.choice(sorted(RESOURCE_TYPES))])
    return dice.choice(METHODS), address.format(kind=kind, **values)


async def ask(client: httpx.AsyncClient, method: str, address: str) -> httpx.Response:
    kind = address.partition("/")[0].partition("?")[0]
    body = {"resourceType": kind, "id": "guess"} if method in ("PUT", "POST", "PATCH") else None
    return await client.request(method, address, json=body)


def leaked(answer: httpx.Response, address: str, other: str) -> bool:
    """A name is foreign wherever it is; where the question did not say it, so is an id."""
    said = answer.text
    for own_words in (address, address.partition("?")[2]):
        if own_words:
            said = said.replace(own_words, "")
    if MARK[other] in said and MARK[other] not in address:
        return True
    if not answer.is_success or not said.startswith("{"):
        return False
    bundle = answer.json()
    entries = bundle.get("entry", ()) if bundle.get("resourceType") == "Bundle" else ()
    return any(MARK[other].lower() in str(one.get("resource", {}).get("id")) for one in entries)


async def test_random_requests_bring_not_one_foreign_byte(as_actor: Client) -> None:
    clients = {one: as_actor(doctor(one)) for one in ORGANISATIONS}
    for organisation, client in clients.items():
        for number in range(3):
            for one in held(organisation, number):
                made = await client.put(f"{one['resourceType']}/{one['id']}", json=one)
                assert made.status_code == 201, made.text
    dice = random.Random(5)  # noqa: S311
    for _ in range(REQUESTS):
        organisation, other = dice.sample(ORGANISATIONS, 2)
        method, address = attack(dice, other)
        answer = await ask(clients[organisation], method, address)
        assert not leaked(answer, address, other), (method, address, answer.text[:500])
        assert answer.status_code != 500, (method, address)
    for organisation, client in clients.items():
        found = await client.get(f"Patient?family={MARK[organisation]}&_total=accurate")
        assert found.json()["total"] == 3
        assert MARK[organisation] in found.text, "the probe itself sees what is its own"
