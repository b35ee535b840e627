"""R4 §3.1.0.11: the history at a moment or in a period, its order, its pages, its visibility."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import pytest
from tests.fhir.conftest import Client, as_actor, fhir, store
from tests.fhir.resources import Data, doctor, observation, patient

from serai.fhir.body import of
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor, serai_itself
from serai.platform.db import Database

__all__ = ["as_actor", "fhir", "store"]

JSON = {"content-type": "application/fhir+json"}


def noon(day: int) -> datetime:
    return datetime(2024, 3, day, 12, tzinfo=UTC)


# What was written at noon of which day of March 2024; None is a deletion.
LIFE: Sequence[tuple[int, str, Data | None]] = (
    (1, "Patient/p", patient("First")),
    (3, "Patient/q", patient("Other")),
    (5, "Patient/p", patient("Second")),
    (7, "Observation/o", observation()),
    (9, "Patient/p", None),
    (11, "Patient/p", patient("Back")),
)


async def live(
    db: Database, store: FhirStore, life: Sequence[tuple[int, str, Data | None]]
) -> None:
    for day, reference, content in life:
        kind, id = reference.split("/")
        async with db.transaction() as tx:
            if content is None:
                await store.delete(tx, kind, id, actor=serai_itself, now=noon(day))
            else:
                body = of(content | {"id": id})
                await store.update(tx, body, actor=serai_itself, now=noon(day))


def listed(bundle: Data) -> list[str]:
    """Such as ``p/2``, in the order of the answer."""
    return [
        f"{entry['fullUrl'].rpartition('/')[2]}/{entry['response']['etag'][3:-1]}"
        for entry in bundle.get("entry", [])
    ]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        # A point: the one version that was current then.
        ("Patient/p/_history?_at=2024-03-01T11:59:59Z", []),
        ("Patient/p/_history?_at=2024-03-01T12:00:00Z", ["p/1"]),
        ("Patient/p/_history?_at=2024-03-04T00:00:00Z", ["p/1"]),
        ("Patient/p/_history?_at=2024-03-05T12:00:00Z", ["p/2"]),
        ("Patient/p/_history?_at=2024-03-05T19:59:59%2B08:00", ["p/1"]),
        ("Patient/p/_history?_at=2024-03-05T20:00:00+08:00", ["p/2"]),
        ("Patient/p/_history?_at=2024-03-10", ["p/3"]),
        ("Patient/p/_history?_at=2030", ["p/4"]),
        # A period: every version that was current at some time of it.
        ("Patient/p/_history?_at=2024-03-05", ["p/2", "p/1"]),
        ("Patient/p/_history?_at=2024-03", ["p/4", "p/3", "p/2", "p/1"]),
        ("Patient/p/_history?_at=2024", ["p/4", "p/3", "p/2", "p/1"]),
        ("Patient/p/_history?_at=2023", []),
        # Of a type and of everything.
        ("Patient/_history?_at=2024-03-04", ["q/1", "p/1"]),
        ("Patient/_history?_at=2024-03-02", ["p/1"]),
        ("Patient/_history?_at=2024-03-11", ["p/4", "p/3", "q/1"]),
        ("_history?_at=2024-03-08", ["o/1", "p/2", "q/1"]),
        ("_history?_at=2023-12-31", []),
        # Together with _since: written since then, and current in the period.
        ("_history?_at=2024-03-08&_since=2024-03-05", ["o/1", "p/2"]),
        ("_history?_at=2024-03-08&_since=2024-03-09", []),
        # The order a history has anyway.
        ("Patient/p/_history?_sort=-_lastUpdated", ["p/4", "p/3", "p/2", "p/1"]),
    ],
)  # fmt: skip
async def test_versions_that_were_current(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient, address: str, expected: list[str]
) -> None:
    await live(db, store, LIFE)
    answer = await fhir.get(address)
    assert answer.status_code == 200, answer.text
    assert listed(answer.json()) == expected
    assert answer.json()["total"] == len(expected)


@pytest.mark.parametrize("level", ["Patient/p/_history", "Patient/_history", "_history"])
@pytest.mark.parametrize(
    "query",
    ["_at=x", "_at=", "_at=ge2024", "_at=2024-13", "_at=2024&_at=2023", "_sort=_lastUpdated",
     "_sort=-_lastUpdated,_id", "_list=1", "_since=2024&_since=2023", "_total=accurate"],
)  # fmt: skip
async def test_what_a_history_does_not_offer_is_refused(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient, level: str, query: str
) -> None:
    await live(db, store, LIFE[:1])
    assert (await fhir.get(f"{level}?{query}")).status_code == 400


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("Patient/p/_history?_count=1&_at=2024-03", ["p/4", "p/3", "p/2", "p/1"]),
        ("Patient/_history?_count=2&_at=2024-03", ["p/4", "p/3", "p/2", "q/1", "p/1"]),
        ("_history?_count=2&_at=2024-03-08", ["o/1", "p/2", "q/1"]),
        ("_history?_count=1&_since=2024-03-07", ["p/4", "p/3", "o/1"]),
    ],
)
async def test_pages_are_stable_while_others_write(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient, start: str, expected: list[str]
) -> None:
    await live(db, store, LIFE)
    seen: list[str] = []
    address = start
    while address:
        page = (await fhir.get(address)).json()
        seen += listed(page)
        links = {link["relation"]: link["url"] for link in page["link"]}
        address = links.get("next", "")
        for reference in ("Patient/p", "Patient/q", "Observation/o"):
            kind, id = reference.split("/")
            content = (patient() if kind == "Patient" else observation()) | {"id": id}
            answer = await fhir.put(reference, json=content, headers=JSON)
            assert answer.status_code == 200
    assert seen == expected


async def test_every_page_of_an_instance_tells_the_total(
    db: Database, store: FhirStore, fhir: httpx.AsyncClient
) -> None:
    await live(db, store, LIFE)
    first = (await fhir.get("Patient/p/_history?_count=3")).json()
    second = (await fhir.get({one["relation"]: one["url"] for one in first["link"]}["next"])).json()
    none = (await fhir.get("Patient/p/_history?_count=0")).json()
    assert [first["total"], second["total"], none["total"]] == [4, 4, 4]
    assert listed(second) == ["p/1"]
    assert listed(none) == []
    assert "total" not in (await fhir.get("_history?_count=3")).json()


async def hand_over(db: Database, *owners: str) -> None:
    """The versions of Observation/p as if written by one organisation after the other."""
    async with db.transaction() as tx:
        for version, owner in enumerate(owners, 1):
            for table in ("fhir_version", "fhir_resource"):
                await tx.execute(
                    f"UPDATE {table} SET owner = %s WHERE id = 'p' AND version = %s",  # noqa: S608
                    (owner, version),
                )


@pytest.mark.parametrize(
    ("actor", "address", "expected"),
    [
        (doctor("county"), "Observation/p/_history", ["p/3", "p/1"]),
        (doctor("other"), "Observation/p/_history", ["p/2"]),
        # What replaced it is not theirs to know: their own version still stands for them.
        (doctor("county"), "Observation/p/_history?_at=2024-03-06", ["p/1"]),
        (doctor("county"), "Observation/_history?_at=2024-03-10", ["p/3"]),
        (doctor("other"), "Observation/p/_history?_at=2024-03-02", []),
        (doctor("other"), "_history?_at=2024-03-10", ["p/2"]),
    ],
)
async def test_each_version_is_seen_by_those_it_belonged_to(
    db: Database,
    store: FhirStore,
    as_actor: Client,
    actor: Actor,
    address: str,
    expected: list[str],
) -> None:
    await live(
        db, store, [(day, "Observation/p", observation(code=f"{day}-1")) for day in (1, 5, 9)]
    )
    await hand_over(db, "county", "other", "county")
    answer = (await as_actor(actor).get(address)).json()
    assert listed(answer) == expected
    assert answer["total"] == len(expected)
