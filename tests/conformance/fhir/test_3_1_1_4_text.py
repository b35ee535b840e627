"""R4 §3.1.1.4: `_text` and `_content` find words in any script, and only words that are there."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor, observation, patient
from tests.fhir.search.test_search import ids, keep, search

from serai.fhir.search.catching_up import catch_up
from serai.fhir.search.words import MOST_LEXEMES, vector
from serai.platform.db import Database

JSON = {"content-type": "application/fhir+json"}


def told(id: str, *paragraphs: str, **more: Any) -> Data:
    inside = "".join(f"<p>{one}</p>" for one in paragraphs)
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{inside}</div>'
    return patient(id=id, text={"status": "generated", "div": div}, **more)


RESOURCES = [
    told("chinese", "患者有高血压病史", "无过敏"),
    told("japanese", "患者は高血圧の既往があります"),
    told("thai", "ผู้ป่วยมีความดันโลหิตสูง"),
    told("lao", "ຄົນເຈັບມີຄວາມດັນເລືອດສູງ"),
    told("khmer", "អ្នកជំងឺ\u200bមាន\u200bសម្ពាធឈាមខ្ពស់"),
    told("burmese", "လူနာတွင်သွေးတိုးရောဂါရှိသည်"),
    told("korean", "환자는 고혈압이 있다"),
    told("french", "Allergique au <b>caf</b>é &amp; au lait, d’après <i>sa</i> mère"),
    told("english", "Liver metastases, bone pain at night <!-- draft -->"),
    told("mixed", "COVID19感染 患者"),
    observation(id="noted", code="8867-4", note=[{"text": "Peak flow after 沙丁胺醇"}]),
]

FOUND = [
    # in scripts without spaces, wherever it stands
    ("高血压", ["chinese"]), ("高血", ["chinese", "japanese"]), ("病史", ["chinese"]),
    ("史", ["chinese"]), ("患者", ["chinese", "japanese", "mixed"]), ("高压", []),
    ("史无", []), ("低血压", []), ("高血圧", ["japanese"]), ("あります", ["japanese"]),
    ("ความดัน", ["thai"]), ("ความดันต่ำ", []), ("โลหิตสูง", ["thai"]),
    ("ຄວາມດັນ", ["lao"]), ("ຄວາມຮ້ອນ", []),
    ("សម្ពាធឈាម", ["khmer"]), ("មានសម្ពាធ", ["khmer"]), ("ជំងឺ", ["khmer"]), ("ទឹកនោម", []),
    ("သွေးတိုး", ["burmese"]), ("ရောဂါ", ["burmese"]), ("ဆီးချို", []),
    ("고혈압", ["korean"]),
    # accents, case, markup
    ("café", ["french"]), ("CAFE", ["french"]), ("caf", []), ("mere", ["french"]),
    ("draft", []), ("amp", []), ("div", []), ("w3", []),
    # words are all asked for; quotes make a phrase; a comma separates alternatives
    ("bone liver", ["english"]), ("bone lung", []), ('"bone pain"', ["english"]),
    ('"pain bone"', []), ('"bone night"', []), ("lung,liver", ["english"]),
    ("lait,liver bone", ["english", "french"]), ('"au café"', ["french"]),
    ("COVID19感染", ["mixed"]), ('"covid19 感染 患者"', ["mixed"]), ('"感染者"', []),
    # no syntax of anybody else's
    ("liver & bone", ["english"]), ("!liver", ["english"]), ("liv:*", []), ("liver | lung", []),
]  # fmt: skip

HOSTILE = [
    "'; DROP TABLE fhir_text; --", "\\", '"', "''", "'liver' & 'bone", "a:*B <-> c", "\\'",
    "%(p0)s %s", '"""', '\\"liver', "x" * 10_000, "高" * 3_000, "\u0301\u200b", "(",
    "ก" + "\u0e49" * 999,
    "a " * 5_000, "\ud7ff\U0010fffe",
]  # fmt: skip


@pytest_asyncio.fixture
async def told_of(fhir: httpx.AsyncClient) -> httpx.AsyncClient:
    await keep(fhir, *RESOURCES)
    return fhir


async def test_words_are_found_in_the_narrative(told_of: httpx.AsyncClient) -> None:
    for asked, expected in FOUND:
        found = await search(told_of, f"Patient?_text={quote(asked)}")
        assert sorted(ids(found)) == expected, asked


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Observation?_content=沙丁胺醇", ["noted"]),
        ("Observation?_content=peak%20沙丁", ["noted"]),
        ("Observation?_content=8867", ["noted"]),
        ("Observation?_text=peak", []),
        ("Patient?_content=liver&_text=bone", ["english"]),
        ("Patient?_content=liver&name=mei", ["english"]),
        ("Patient?_content=liver&name=nobody", []),
        ("Patient?_content=liver&_id=thai", []),
        ("Observation?subject._text=liver", []),
        ("?_type=Patient,Observation&_content=flow,liver", ["english", "noted"]),
        ("Patient?_text=liver,史&_sort=-_id&_total=accurate", ["chinese", "english"]),
    ],
)
async def test_words_are_found_together_with_other_conditions(
    told_of: httpx.AsyncClient, address: str, expected: list[str]
) -> None:
    found = await search(told_of, address)
    assert sorted(ids(found)) == expected
    assert found["total"] == len(expected)


async def test_a_hostile_text_is_answered_or_refused_and_does_no_harm(
    told_of: httpx.AsyncClient,
) -> None:
    for asked in HOSTILE:
        answer = await told_of.post("Patient/_search", data={"_text": asked, "_content": asked})
        assert answer.status_code in (200, 400), (asked[:40], answer.text)
    assert ids(await search(told_of, "Patient?_text=liver")) == ["english"]


async def test_a_search_follows_what_changes(told_of: httpx.AsyncClient) -> None:
    assert ids(await search(told_of, "Patient?_text=metastases")) == ["english"]
    await told_of.put("Patient/english", content=as_json(told("english", "Healed")), headers=JSON)
    assert ids(await search(told_of, "Patient?_text=metastases")) == []
    assert ids(await search(told_of, "Patient?_text=healed")) == ["english"]
    await told_of.delete("Patient/english")
    assert ids(await search(told_of, "Patient?_text=healed")) == []
    await told_of.put("Patient/english", content=as_json(told("english", "Back")), headers=JSON)
    assert ids(await search(told_of, "Patient?_content=back")) == ["english"]


async def test_searches_at_the_same_moment_all_find_what_is_new(fhir: httpx.AsyncClient) -> None:
    await keep(fhir, *(told(f"p{n}", "liver") for n in range(30)))
    pages = await asyncio.gather(*(search(fhir, "Patient?_text=liver") for _ in range(4)))
    assert [page["total"] for page in pages] == [30] * 4


async def test_what_a_search_that_was_cut_off_had_read_is_read_again(
    fhir: httpx.AsyncClient, db: Database
) -> None:
    await keep(fhir, told("p", "liver"))
    async with db.connection() as connection, connection.transaction(force_rollback=True):
        await catch_up(connection)
        cursor = await connection.execute("SELECT count(*) FROM fhir_text_pending")
        assert await cursor.fetchone() == (0,)
    async with db.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM fhir_text_pending")
        assert await cursor.fetchone() == (1,)
    assert ids(await search(fhir, "Patient?_text=liver")) == ["p"]


async def test_words_show_nobody_what_they_may_not_see(
    told_of: httpx.AsyncClient, as_actor: Client
) -> None:
    stranger = as_actor(doctor("elsewhere"))
    found = await search(stranger, "Patient?_text=liver&_total=accurate")
    assert (ids(found), found["total"]) == ([], 0)


def test_a_very_long_text_still_makes_a_vector() -> None:
    longest = vector([f"word{number}" for number in range(2 * MOST_LEXEMES)])
    assert len(longest.split()) <= MOST_LEXEMES
