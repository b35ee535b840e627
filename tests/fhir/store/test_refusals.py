"""What patients refuse holds on every path, and the store says exactly what `decide` says."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.fhir.resources import Data, doctor, observation, patient
from tests.fhir.store.test_access import found, put, sees

from serai.fhir.store import FhirStore, HistoryAsked
from serai.fhir.visibility import SHARED_TYPES, change_clause, clause
from serai.kernel.actor import Actor, Kind, serai_itself
from serai.platform.access import Act, Asker, Context, Subject, decide, denials
from serai.platform.access.policy import CONFIDENTIALITY, RESTRICTED
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
COUNTY, LEAD = doctor("county"), doctor("lead")
CLASS = "http://hl7.org/fhir/resource-types"


def consent(subject: str, id: str = "c", **provision: Any) -> Data:
    return {
        "resourceType": "Consent",
        "id": id,
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope",
                              "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{subject}"},
        "dateTime": "2026-11-23",
        "policyRule": {"text": "opt out"},
        "provision": provision,
    }  # fmt: skip


def clerk(organisation: str) -> Actor:
    scopes = frozenset({"user/*.cruds"})
    return Actor("clerk", Kind.STAFF, "clerk", "desk", organisation, scopes=scopes)


async def shared_record(db: Database, store: FhirStore) -> None:
    await put(db, store, patient(id="p"), COUNTY)
    await put(db, store, observation("Patient/p", id="o"), COUNTY)
    async with db.transaction() as tx:
        wanted = ["Patient/p", "Observation/o"]
        await store.share(tx, "lead", wanted, "Task/1", NOON)


async def test_a_refusal_hides_what_is_shared_until_it_is_withdrawn(
    db: Database, store: FhirStore
) -> None:
    await shared_record(db, store)
    assert await sees(db, store, "Observation", "o", LEAD)
    await put(db, store, consent("p", type="deny"), COUNTY)
    for kind, id in (("Patient", "p"), ("Observation", "o")):
        assert not await sees(db, store, kind, id, LEAD)
        assert await sees(db, store, kind, id, COUNTY)
    await put(db, store, {**consent("p", type="deny"), "status": "inactive"}, COUNTY)
    assert await sees(db, store, "Observation", "o", LEAD)


async def test_a_refused_class_leaves_the_rest(db: Database, store: FhirStore) -> None:
    await shared_record(db, store)
    kind: Any = [{"system": CLASS, "code": "Observation"}]
    await put(
        db,
        store,
        consent("p", type="deny") | {"provision": {"type": "deny", "class": kind}},
        COUNTY,
    )
    assert not await sees(db, store, "Observation", "o", LEAD)
    assert await sees(db, store, "Patient", "p", LEAD)
    assert await found(db, store, "Patient", LEAD, ("_has:Observation:subject:_id", "o")) == set()


async def test_a_refusal_that_names_the_own_hospital_can_still_be_withdrawn(
    db: Database, store: FhirStore
) -> None:
    await shared_record(db, store)
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                        "code": "CST"}]}  # fmt: skip
    named = [{"role": role, "reference": {"reference": "Organization/county"}}]
    await put(db, store, consent("p", type="deny", actor=named), COUNTY)
    assert not await sees(db, store, "Observation", "o", COUNTY)
    assert await sees(db, store, "Consent", "c", COUNTY)
    await put(db, store, {**consent("p", type="deny"), "status": "inactive"}, COUNTY)
    assert await sees(db, store, "Observation", "o", COUNTY)


async def test_whom_a_record_is_shared_with_cannot_close_it_to_its_keeper(
    db: Database, store: FhirStore
) -> None:
    await shared_record(db, store)
    await put(db, store, consent("p", type="deny"), LEAD)
    assert await sees(db, store, "Observation", "o", LEAD)


async def test_a_restricted_label_closes_every_version_to_the_desk(
    db: Database, store: FhirStore
) -> None:
    await put(db, store, patient(id="p"), COUNTY)
    await put(db, store, observation("Patient/p", id="o"), COUNTY)
    assert await sees(db, store, "Observation", "o", clerk("county"))
    label = {"security": [{"system": CONFIDENTIALITY, "code": "R"}]}
    await put(db, store, observation("Patient/p", id="o", meta=label), COUNTY)
    assert not await sees(db, store, "Observation", "o", clerk("county"))
    assert await sees(db, store, "Observation", "o", COUNTY)
    async with db.transaction() as tx:
        await store.delete(tx, "Observation", "o", actor=COUNTY, now=NOON)
        versions = await store.history(tx, HistoryAsked(), actor=clerk("county"))
    assert {one.type for one in versions.entries} == {"Patient"}


# The store and `decide` on generated worlds.

LABELS = [{"system": system, "code": code} for system, code in sorted(RESTRICTED)]
FOUND = "SELECT r.id FROM fhir_resource r WHERE r.type = 'Observation' AND {condition}"
KINDS = ("Observation", "Condition", "Consent")


def some_provision(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "deny" if (depth + dice.random() < 0.9) else "permit"}
    if dice.random() < 0.5:
        made["class"] = [{"system": CLASS, "code": dice.choice(KINDS)}]
    if dice.random() < 0.3:
        made["securityLabel"] = dice.sample(LABELS, 2)
    if dice.random() < 0.3:
        named = dice.choice(["Organization/county", "Organization/lead", "Practitioner/dr"])
        made["actor"] = [{"role": {"text": "x"}, "reference": {"reference": named}}]
    if dice.random() < 0.2:
        made["purpose"] = [{"code": dice.choice(["TREAT", "HRESCH"])}]
    if dice.random() < 0.3:
        made["action"] = [{"coding": [{"code": dice.choice(["access", "correct", "collect"])}]}]
    if dice.random() < 0.2:
        made["period"] = {dice.choice(["start", "end"]): dice.choice(["2020-05", "2090"])}
    if depth < 3 and dice.random() < 0.6:
        made["provision"] = [some_provision(dice, depth + 1) for _ in range(dice.randint(1, 2))]
    return made


def some_record(dice: random.Random, id: str) -> Data:
    about = dice.choice([None, "Patient/p", "Patient/q"])
    labels = dice.sample(LABELS, dice.choice([0, 0, 1, 2]))
    record = observation(about, id=id)
    return record | {"meta": {"security": labels}} if labels else record


@pytest.mark.parametrize("seed", range(6))
async def test_the_store_answers_what_the_decision_says(
    db: Database, store: FhirStore, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311
    await put(db, store, patient(id="p"), COUNTY)
    await put(db, store, patient(id="q"), LEAD)
    subjects, reasons = {}, {}
    provisions = []
    for number in range(24):
        record = some_record(dice, f"o{number}")
        author = COUNTY if "q" not in str(record.get("subject")) else LEAD
        await put(db, store, record, author)
        about = record.get("subject", {}).get("reference", "").removeprefix("Patient/")
        labels = record.get("meta", {}).get("security", ())
        subjects[record["id"]] = Subject(
            "Observation", record["id"], author.organisation,
            frozenset({about} - {""}), frozenset({author.organisation} if about else ()),
            frozenset((one["system"], one["code"]) for one in labels),
        )  # fmt: skip
        with_whom = dice.choice([None, "county", "lead", "third"])
        if with_whom:
            async with db.transaction() as tx:
                await store.share(tx, with_whom, [f"Observation/o{number}"], "Task/1", NOON)
            reasons[(with_whom, record["id"])] = frozenset({"Task/1"})
    for number in range(4):
        keeper = dice.choice(["p", "q"])
        written = consent(keeper, f"c{number}", **some_provision(dice))
        await put(db, store, written, serai_itself)
        provisions += [(keeper, one) for one in denials(written)]
    for organisation in ("county", "lead", "third"):
        for role, practitioner in (("doctor", "dr"), ("expert", None), ("desk", None)):
            actor = Actor("x", Kind.STAFF, "x", role, organisation, practitioner)
            async with db.connection() as connection:
                for act, (condition, values) in (
                    (Act.READ, clause(actor)), (Act.CHANGE, change_clause(actor)),
                ):  # fmt: skip
                    rows = await connection.execute(
                        FOUND.format(condition=condition),
                        values,
                    )
                    asker = Asker(role, organisation, practitioner)
                    said = {
                        id
                        for id, subject in subjects.items()
                        if decide(asker, act, subject, Context(
                            datetime.now(UTC), reasons.get((organisation, id), frozenset()),
                            tuple(provisions),
                        )).permit
                    }  # fmt: skip
                    assert {row[0] for row in await rows.fetchall()} == said, (act, actor)


def test_a_directory_is_what_the_store_shares_with_everybody() -> None:
    for kind in ("Organization", "Observation"):
        subject = Subject(kind, "x", None, directory=kind in SHARED_TYPES)
        answer = decide(Asker("doctor", "county"), Act.READ, subject, Context(NOON))
        assert answer.permit is (kind == "Organization")
