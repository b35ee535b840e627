"""Release files in the true format of their publishers, a few fictional lines each."""

from __future__ import annotations

from pathlib import Path

import pytest

from serai.fhir.terminology.concepts import ancestors, descendants, expansion_codes
from serai.fhir.terminology.membership import members
from serai.fhir.terminology.releases.icd10 import load_icd10, load_table
from serai.fhir.terminology.releases.loinc import load_loinc
from serai.fhir.terminology.releases.snomed import load_snomed
from serai.kernel.errors import Invalid
from serai.platform.db import Database

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
HEADER = (
    '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS",'
    '"STATUS","SHORTNAME","LONG_COMMON_NAME"\r\n'
)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def loinc_folder(folder: Path) -> Path:
    written(
        folder / "LoincTable" / "Loinc.csv",
        HEADER
        + '"9001-1","Sugar","MCnc","Pt","Bld","Qn","","CHEM","ACTIVE","Sugar Bld","Sugar in ""B"""'
        "\r\n"
        '"9002-2","Old","MCnc","Pt","Ser","Qn","","CHEM","DEPRECATED","Old Ser","Old thing"\r\n',
    )
    written(
        folder / "AccessoryFiles" / "ComponentHierarchyBySystem" / "ComponentHierarchyBySystem.csv",
        "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\r\n"
        ",1,,LP1-1,Laboratory\r\n"
        "LP1-1,1,LP1-1,LP2-2,Chemistry\r\n"
        "LP1-1.LP2-2,1,LP2-2,9001-1,Sugar\r\n",
    )
    return folder


async def test_loinc_with_its_hierarchy_comes_in_and_again(db: Database, tmp_path: Path) -> None:
    for _ in range(2):
        assert await load_loinc(loinc_folder(tmp_path), db=db, version="2.80") == 4
    async with db.connection() as connection:
        assert await ancestors(connection, LOINC, "9001-1", most=9) == ["LP1-1", "LP2-2"]
        part = await expansion_codes(connection, f"{LOINC}/vs/LP1-1", most=9)
        assert sorted(code for _, code in part) == ["9001-1", "LP1-1", "LP2-2"]
        assert await members(connection, [(f"{LOINC}/vs", LOINC, "9002-2")]) == [True]
        row = await (await connection.execute(
            "SELECT display, inactive, 'SCALE_TYP=Qn' = ANY(facts) FROM terminology_concept"
            " WHERE code IN ('9001-1', '9002-2') ORDER BY code"
        )).fetchall()  # fmt: skip
    assert row == [('Sugar in "B"', False, True), ("Old thing", True, True)]


async def test_loincs_answer_lists_are_value_sets(db: Database, tmp_path: Path) -> None:
    folder = loinc_folder(tmp_path)
    answers = folder / "AccessoryFiles" / "AnswerFile"
    written(
        answers / "AnswerList.csv",
        "AnswerListId,AnswerListName,ExtDefinedYN,AnswerStringId,SequenceNumber,DisplayText\r\n"
        "LL1-1,Yes or no,N,LA2-2,2,No\r\n"
        "LL1-1,Yes or no,N,LA1-1,1,Yes\r\n"
        "LL2-2,Only yes,N,LA1-1,1,Yes\r\n"
        "LL3-3,Elsewhere,Y,,,\r\n",
    )
    written(
        answers / "LoincAnswerListLink.csv",
        "LoincNumber,LongCommonName,AnswerListId,AnswerListName\r\n9001-1,Sugar,LL1-1,Yes\r\n",
    )
    for _ in range(2):
        assert await load_loinc(folder, db=db, version="2.80") == 6
    async with db.connection() as connection:
        listed = await expansion_codes(connection, f"{LOINC}/vs/LL1-1", most=9)
        assert sorted(listed) == [(LOINC, "LA1-1"), (LOINC, "LA2-2")]
        asked = [
            (f"{LOINC}/vs/{name}", LOINC, "LA2-2") for name in ("LL1-1", "LL2-2", "LL3-3", "LL9-9")
        ]
        assert await members(connection, asked) == [True, False, None, None]
        row = await (await connection.execute(
            "SELECT 'answer-list=LL1-1' = ANY(facts), jsonb_array_length(properties)"
            " FROM terminology_concept WHERE code = '9001-1'"
        )).fetchone()  # fmt: skip
        assert row == (True, 8)
        kept = await (await connection.execute(
            "SELECT head ->> 'title' FROM terminology_artifact WHERE kind = 'ValueSet'"
            " AND origin = 'release' ORDER BY url"
        )).fetchall()  # fmt: skip
    assert kept == [("Yes or no",), ("Only yes",)]


async def test_a_bad_line_is_named_and_nothing_is_loaded(db: Database, tmp_path: Path) -> None:
    file = written(tmp_path / "Loinc.csv", HEADER + '"9001-1","Sugar"\r\n')
    with pytest.raises(Invalid) as refused:
        await load_loinc(file, db=db, version="2.80")
    assert [issue.path for issue in refused.value.issues] == ["Loinc.csv:2"]
    async with db.connection() as connection:
        assert await members(connection, [(f"{LOINC}/vs", LOINC, "9001-1")]) == [None]


def rf2(folder: Path) -> Path:
    terms = folder / "Snapshot" / "Terminology"
    core = "900000000000207008"
    concept = "\t20260101\t1\t" + core + "\t900000000000074008\r\n"
    written(
        terms / "sct2_Concept_Snapshot_INT_20260101.txt",
        "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\r\n"
        + "".join(f"{id}{concept}" for id in ("138875005", "404684003", "73211009", "113331007")),
    )
    said = (
        ("138875005", "900000000000003001", "SNOMED CT Concept"),
        ("73211009", "900000000000003001", 'Sweet "illness" (disorder)'),
        ("73211009", "900000000000013009", "Sweet illness"),
    )
    written(
        terms / "sct2_Description_Snapshot-en_INT_20260101.txt",
        "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm"
        "\tcaseSignificanceId\r\n"
        + "".join(
            f"{n}\t20260101\t1\t{core}\t{id}\ten\t{kind}\t{term}\t900000000000448009\r\n"
            for n, (id, kind, term) in enumerate(said)
        ),
    )
    related = (
        ("404684003", "138875005", "116680003", "1"),
        ("73211009", "404684003", "116680003", "1"),
        ("73211009", "113331007", "363698007", "1"),
        ("113331007", "404684003", "116680003", "0"),
    )
    written(
        terms / "sct2_Relationship_Snapshot_INT_20260101.txt",
        "id\teffectiveTime\tactive\tmoduleId\tsourceId\tdestinationId\trelationshipGroup\ttypeId"
        "\tcharacteristicTypeId\tmodifierId\r\n"
        + "".join(
            f"{n}\t20260101\t{active}\t{core}\t{source}\t{target}\t0\t{kind}"
            "\t900000000000011006\t900000000000451002\r\n"
            for n, (source, target, kind, active) in enumerate(related)
        ),
    )
    return folder


async def test_snomed_ct_comes_in_with_names_hierarchy_and_attributes(
    db: Database, tmp_path: Path
) -> None:
    for _ in range(2):
        assert await load_snomed(rf2(tmp_path), db=db, version="20260101") == 4
    async with db.connection() as connection:
        below = await descendants(connection, SNOMED, "138875005", most=9)
        assert below == ["404684003", "73211009"]
        row = await (await connection.execute(
            "SELECT display, words @@ '''ill'':*', '363698007=113331007' = ANY(facts)"
            " FROM terminology_concept WHERE code = '73211009'"
        )).fetchone()  # fmt: skip
    assert row == ('Sweet "illness" (disorder)', True, True)


async def test_snomed_cts_reference_sets_are_value_sets(db: Database, tmp_path: Path) -> None:
    folder = rf2(tmp_path)
    refset = "447562003"
    member = f"\t20260101\t{{}}\t900000000000207008\t{refset}\t{{}}\r\n"
    written(
        folder / "Snapshot" / "Refset" / "Content" / "der2_Refset_SimpleSnapshot_INT_20260101.txt",
        "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\r\n"
        "a" + member.format(1, "73211009") + "b" + member.format(0, "404684003"),
    )
    for _ in range(2):
        await load_snomed(folder, db=db, version="20260101")
    async with db.connection() as connection:
        url = f"{SNOMED}?fhir_vs=refset/{refset}"
        assert await expansion_codes(connection, url, most=9) == [(SNOMED, "73211009")]
        asked = [(url, SNOMED, "404684003"), (f"{SNOMED}?fhir_vs=refset/1", SNOMED, "73211009")]
        assert await members(connection, asked) == [False, None]


CLAML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ClaML SYSTEM "ClaML.dtd">
<ClaML version="2.0.0"><Title name="ICD-10" version="2019">ICD-10</Title>
<Class code="IV" kind="chapter"><Rubric kind="preferred"><Label xml:lang="en">Inner ills</Label>
</Rubric></Class>
<Class code="E10" kind="category"><SuperClass code="IV"/><Rubric kind="preferred">
<Label xml:lang="en">Sweet ill</Label></Rubric></Class></ClaML>"""
ORDER = (
    "00001 E10     0 Sweet ill                                                    Sweet ill\n"
    "00002 E101    0 Sweet with                                                   Sweet with\n"
    "00003 E1010   1 Sweet with coma                                              Sweet, coma\n"
    "00004 E11     1 Other                                                        Other ill\n"
)


async def test_icd_10_comes_in_from_claml_order_file_and_table(
    db: Database, tmp_path: Path
) -> None:
    claml = written(tmp_path / "icd10.xml", CLAML)
    assert await load_icd10(claml, db=db, version="2019") == 2
    order = written(tmp_path / "icd10cm-order-2026.txt", ORDER)
    assert await load_icd10(order, db=db, version="2026") == 4
    table = written(
        tmp_path / "gbt.csv", "code,display,parent\nE10,1型糖尿病,E10-E14\nE10-E14,糖尿病,\n"
    )
    url = "http://example.org/gbt"
    assert await load_table(table, db=db, url=url, version="2016", name="GBT") == 2
    async with db.connection() as connection:
        who = "http://hl7.org/fhir/sid/icd-10"
        assert await descendants(connection, who, "IV", most=9) == ["E10"]
        assert await ancestors(connection, who + "-cm", "E10.10", most=9) == ["E10", "E10.1"]
        assert await ancestors(connection, who + "-cm", "E11", most=9) == []
        assert await descendants(connection, url, "E10-E14", most=9) == ["E10"]


async def test_another_file_is_refused(db: Database, tmp_path: Path) -> None:
    file = written(tmp_path / "bomb.xml", '<!DOCTYPE x [<!ENTITY a "aaaa">]><ClaML>&a;</ClaML>')
    with pytest.raises(Invalid):
        await load_icd10(file, db=db, version="1")
    with pytest.raises(Invalid):
        await load_snomed(tmp_path, db=db, version="1")
