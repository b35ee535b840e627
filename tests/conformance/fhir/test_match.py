"""Patient/$match (R4 Patient §8.1.15.2): labelled pairs over several scripts and slips."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from tests.fhir.conftest import Client
from tests.fhir.resources import Data, as_json, doctor

from serai.fhir import body
from serai.fhir.operations.match.asking import CANDIDATES
from serai.fhir.operations.match.scoring import WEIGHTS, grade, score
from serai.fhir.store import FhirStore, Write
from serai.kernel.actor import serai_itself
from serai.platform.db import Database

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
JSON = {"content-type": "application/fhir+json"}
Person = tuple[str, str, str, str, str]  # family, given, birth date, gender, phone

M, F = "male", "female"
SAME: list[tuple[Person, Person]] = [
    (("王", "小明", "1980-03-04", M, ""), ("Wang", "Xiaoming", "1980-03-04", M, "")),
    (("王", "小明", "1980-03-04", M, ""), ("Wáng", "Xiǎomíng", "1980-03-04", "", "")),
    (("李", "梅", "1975-11-02", F, ""), ("Mei", "Li", "1975-11-02", F, "")),
    (("张", "伟", "1990-01-12", M, ""), ("Zhang", "Wei", "1990-12-01", M, "")),
    (("陈", "丽华", "1968-07-07", F, ""), ("Chen", "Lihua", "1968-07-07", F, "")),
    (("吕", "布", "1988-02-03", M, ""), ("Lü", "Bu", "1988-02-03", M, "")),
    (("Nguyễn", "Văn An", "1971-05-06", M, ""), ("Nguyen", "Van An", "1971-05-06", M, "")),
    (("Đặng", "Thị Hoa", "1982-08-09", F, ""), ("Dang", "Thi Hoa", "1982-08-09", F, "")),
    (("Müller", "Jürgen", "1950-01-02", M, ""), ("Muller", "Jurgen", "1950-01-02", M, "")),
    (("Иванов", "Пётр", "1961-04-12", M, ""), ("Ivanov", "Petr", "1961-04-12", M, "")),
    (("Петрова", "Анна", "1979-09-09", F, ""), ("Petrova", "Anna", "1979-09-09", F, "")),
    (("García", "José", "1985-06-07", M, ""), ("Garcia", "Jose", "1985-07-06", M, "")),
    (("Smith", "John", "1970-01-01", M, "+1 555 123 4567"),
     ("Smyth", "Jon", "1970-01-01", M, "555 123 4567")),
    (("Okafor", "Chidi", "1993-03-13", M, ""), ("Okafor", "Chidi", "1993-03-18", M, "08012345678")),
    (("Haddad", "Leila", "1966-10-20", F, "0711223344"),
     ("Hadad", "Leila", "1966-10-20", F, "+961711223344")),
    (("Tanaka", "Yuki", "1999-12-31", F, ""), ("Yuki", "Tanaka", "1999-12-31", F, "")),
    (("Silva", "João", "1977-07-17", M, ""), ("Silva", "Joao", "1977-07-17", M, "")),
    (("赵", "敏", "2001-02-28", F, "13812345678"), ("Zhao", "Min", "2001-02-28", F, "13812345678")),
    (("O'Brien", "Sean", "1959-05-05", M, ""), ("OBrien", "Sean", "1959-05-05", M, "")),
    (("Kim", "Min-jun", "1987-04-04", M, ""), ("Kim", "Min Jun", "1987-04-04", M, "")),
    (("ใจดี","สมชาย","1980-03-04",M,""),("Jaidee","Somchai","1980-03-04",M,"")),
    (("ศรีสุข","กมลวรรณ","1991-06-12",F,""),("Srisuk","Kamonwan","1991-06-12",F,"")),
    (("ทองดี","ประเสริฐ","1958-01-30",M,""),("Thongdee","Prasert","1958-01-30",M,"")),
    (("แก้วมณี","มาลี","1974-08-19",F,""),("Kaewmanee","Malee","1974-08-19",F,"")),
    (("ພົມມະຈັນ","ສົມສັກ","1969-12-01",M,""),("Phommachan","Somsak","1969-12-01",M,"")),
    (("ວົງສາ","ບຸນມີ","1983-02-14",M,""),("Vongsa","Bounmy","1983-02-14",M,"")),
    (("ສີສຸກ","ມະນີ","1995-05-05",F,""),("Sisouk","Many","1995-05-05",F,"")),
    (("សុខ","វិចិត្រ","1977-04-13",M,""),("Sok","Vichet","1977-04-13",M,"")),
    (("ចាន់","ស្រីមុំ","1988-10-09",F,""),("Chan","Sreymom","1988-10-09",F,"")),
    (("គឹម","បុប្ផា","1963-11-11",F,""),("Kim","Bopha","1963-11-11",F,"")),
    (("","အောင်မြင့်","1972-07-07",M,""),("","Aung Myint","1972-07-07",M,"")),
    (("","သန်းသန်းနွယ်","1985-09-21",F,""),("","Than Than Nwe","1985-09-21",F,"")),
    (("","ခင်မောင်","1960-03-27",M,""),("","Khin Maung","1960-03-27",M,"")),
]  # fmt: skip
OTHERS: list[tuple[Person, Person]] = [
    (("王", "小明", "1980-03-04", M, ""), ("王", "小明", "1952-11-20", M, "")),
    (("王", "小明", "1980-03-04", M, ""), ("李", "建国", "1980-03-04", M, "")),
    (("李", "梅", "1975-11-02", F, ""), ("Li", "Mei", "1999-01-30", F, "")),
    (("张", "伟", "1990-01-12", M, ""), ("张", "娟", "1983-05-12", F, "")),
    (("Nguyễn", "Văn An", "1971-05-06", M, ""), ("Nguyễn", "Thị Bình", "1971-05-06", F, "")),
    (("Đặng", "Hoa", "1982-08-09", F, ""), ("Trần", "Minh", "1982-09-08", M, "")),
    (("Müller", "Jürgen", "1950-01-02", M, ""), ("Müller", "Anna", "1981-01-02", F, "")),
    (("Иванов", "Пётр", "1961-04-12", M, ""), ("Иванова", "Мария", "1990-08-02", F, "")),
    (("García", "José", "1985-06-07", M, ""), ("García", "Ana", "2015-03-01", F, "")),
    (("Smith", "John", "1970-01-01", M, "5551234567"), ("Smith", "Emma", "2001-09-11", F,
                                                      "5551234567")),
    (("Okafor", "Chidi", "1993-03-13", M, ""), ("Eze", "Ngozi", "1993-03-13", F, "")),
    (("Haddad", "Leila", "1966-10-20", F, ""), ("Haddad", "Omar", "1960-01-20", M, "")),
    (("Tanaka", "Yuki", "1999-12-31", F, ""), ("Tanaka", "Hiro", "1969-05-30", M, "")),
    (("Silva", "João", "1977-07-17", M, ""), ("Souza", "Pedro", "1977-07-17", M, "")),
    (("赵", "敏", "2001-02-28", F, ""), ("赵", "敏", "1944-06-15", F, "")),
    (("O'Brien", "Sean", "1959-05-05", M, ""), ("Murphy", "Aoife", "1988-12-12", F, "")),
    (("Kim", "Min-jun", "1987-04-04", M, ""), ("Park", "Seo-yeon", "1987-04-04", F, "")),
    (("Kamara", "Amina", "1991-01-01", F, ""), ("Kamara", "Fatu", "1964-08-08", F, "")),
    (("Mwangi", "Grace", "1973-02-14", F, ""), ("Mwangi", "Grace", "2010-10-10", F, "")),
    (("ใจดี", "สมชาย", "1980-03-04", M, ""), ("Srisuk", "Anan", "1980-03-04", M, "")),
    (("ศรีสุข", "กมลวรรณ", "1991-06-12", F, ""), ("Thongdee", "Malee", "1991-06-12", F, "")),
    (("ทองดี", "ประเสริฐ", "1958-01-30", M, ""), ("Thongdee", "Prasert", "1990-11-02", M, "")),
    (("ພົມມະຈັນ", "ສົມສັກ", "1969-12-01", M, ""), ("Vongsa", "Bounmy", "1969-12-01", M, "")),
    (("ວົງສາ", "ບຸນມີ", "1983-02-14", M, ""), ("Sisouk", "Khamla", "1983-02-14", M, "")),
    (("សុខ", "វិចិត្រ", "1977-04-13", M, ""), ("Chan", "Dara", "1977-04-13", M, "")),
    (("ចាន់", "ស្រីមុំ", "1988-10-09", F, ""), ("Kim", "Bopha", "1988-10-09", F, "")),
    (("", "အောင်မြင့်", "1972-07-07", M, ""), ("", "Khin Maung", "1972-07-07", M, "")),
    (("", "သန်းသန်းနွယ်", "1985-09-21", F, ""), ("", "Su Myat", "1985-09-21", F, "")),
    (("Rahman", "Abdul", "1984-03-03", M, ""), ("Islam", "Karim", "1984-03-03", M, "")),
]  # fmt: skip


def person(one: Person, **more: object) -> Data:
    family, given, birth_date, gender, phone = one
    made: Data = {
        "resourceType": "Patient",
        "name": [{"family": family, "given": [given]} if family else {"given": [given]}],
        "birthDate": birth_date,
        **more,
    }
    if gender:
        made["gender"] = gender
    if phone:
        made["telecom"] = [{"system": "phone", "value": phone}]
    return made


def is_probable(pair: tuple[Person, Person]) -> bool:
    one, other = map(person, pair)
    return grade(score(one, other), one, other) in ("certain", "probable")


def test_of_the_labelled_pairs_precision_and_recall_hold() -> None:
    hits = [pair for pair in SAME if is_probable(pair)]
    wrong = [pair for pair in OTHERS if is_probable(pair)]
    assert len(SAME) + len(OTHERS) >= 60
    assert len(hits) / len(SAME) >= 0.95, [pair for pair in SAME if pair not in hits]
    assert len(hits) / (len(hits) + len(wrong)) >= 0.95, wrong


def test_a_name_that_one_side_lacks_does_not_speak_against_the_same_person() -> None:
    one = person(("Neumann", "Michaela", "1915-11-11", F, ""))
    other = person(("", "Michaela", "1915-11-11", F, ""))
    assert grade(score(one, other), one, other) == "probable"
    stranger = person(("", "Courtney", "1915-11-11", F, ""))
    assert grade(score(one, stranger), one, stranger) == "possible"


def test_a_slip_in_the_address_is_the_same_address() -> None:
    lives = [{"line": ["8 Stanley Street"], "city": "Winston Hills"}]
    slips = [{"line": ["8 Stanely Street"], "city": "Winston Hils"}]
    elsewhere = [{"line": ["12 Pinkerton Circuit"], "city": "Winston Hills"}]
    one = person(("Neumann", "Michaela", "", F, ""), address=lives)
    same, other = (
        score(one, person(("Neumann", "Michaela", "", F, ""), address=address))
        for address in (slips, elsewhere)
    )
    assert same - other == WEIGHTS["address", "same"] - WEIGHTS["address", "other"]


async def ask(fhir: httpx.AsyncClient, one: Person) -> Data:
    answer = await fhir.post("Patient/$match", content=as_json(person(one)), headers=JSON)
    assert answer.status_code == 200, answer.text
    found: Data = answer.json()
    return found


async def test_the_index_finds_each_person_again_and_ranks_them_first(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    async with db.transaction() as tx:
        for place, (one, _) in enumerate(SAME + OTHERS):
            data = body.of(person(one, id=f"p{place}"))
            await store.update(tx, data, actor=serai_itself, now=NOON)
    missed = []
    for place, (one, other) in enumerate(SAME):
        entries = (await ask(fhir, other)).get("entry", [])
        best = person(one)["name"]
        if not entries or entries[0]["resource"]["name"] != best:
            missed.append(place)
        scores = [entry["search"]["score"] for entry in entries]
        assert scores == sorted(scores, reverse=True)
    assert missed == []


async def test_the_likeliest_of_very_many_namesakes_is_found(
    fhir: httpx.AsyncClient, db: Database, store: FhirStore
) -> None:
    known: Person = ("王", "伟", "1980-03-04", M, "13812345678")
    namesakes = [person(("王", "伟", "", M, ""), id=f"a{at}") for at in range(CANDIDATES + 20)]
    for one in namesakes:
        del one["birthDate"]
    data = [
        *namesakes,
        person(known, id="b"),
        *(one | {"id": f"c-{one['id']}"} for one in namesakes),
    ]
    writes = [Write("PUT", "Patient", one["id"], body.of(one)) for one in data]
    async with db.transaction() as tx:
        await store.write(tx, writes, actor=serai_itself, now=NOON)
    for asked in (
        known,
        ("Wang", "Wei", "1980-03-04", M, ""),
        ("王", "伟", "1980-03-05", M, known[4]),
    ):
        assert (await ask(fhir, asked))["entry"][0]["resource"]["id"] == "b"


async def test_only_visible_patients_are_candidates(
    as_actor: Client, db: Database, store: FhirStore
) -> None:
    async with db.transaction() as tx:
        county = doctor("county")
        await store.update(tx, body.of(person(SAME[0][0], id="p")), actor=county, now=NOON)
    assert (await ask(as_actor(doctor("county")), SAME[0][1]))["total"] == 1
    assert (await ask(as_actor(doctor("lead")), SAME[0][1]))["total"] == 0
