"""Names of people everywhere, as their own equipment writes them, found as people type them."""

from __future__ import annotations

import pytest
from tests.imaging.objects import a_picture
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

# Specific Character Set, the name as written, what is typed.
NAMES = [
    ("GB18030", "Zhang^San=张^三", ["张*", "=张^三", "zhang*"]),
    ("GBK", "Wang^XiaoDong=王^小东", ["王^小东", "*小东", "Wang^X*"]),
    ("\\ISO 2022 IR 58", "Li^Na=李^娜", ["李*", "=李^娜"]),
    ("ISO_IR 166", "สมชาย^ใจดี", ["สมชาย*", "*ใจดี"]),
    ("ISO_IR 192", "Nguyễn^Văn Đức", ["Nguyễn*", "nguyen^van duc"]),
    ("ISO_IR 144", "Люкceмбypг^Пётр", ["Люк*", "люк*"]),
    ("ISO_IR 127", "قباني^لنزار", ["قباني*", "قباني^لنزار"]),
    ("ISO_IR 138", "שרון^דבורה", ["שרון*"]),
    ("ISO_IR 126", "Διονυσιος", ["διονυσιος", "Διον*"]),
    ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동", ["洪*", "==홍^길동", "hong*"]),
    ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう", ["山田*", "==やまだ*", "yamada*"]),
    ("ISO_IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^花子", ["=山田^花子", "ﾔﾏﾀﾞ*", "ヤマダ*"]),
    ("ISO_IR 100", "Müller^Jörg", ["MÜLLER*", "muller^jorg"]),
    ("ISO_IR 101", "Wałęsa^Łucja", ["walesa*", "Wałęsa^Łucja"]),
    ("ISO_IR 148", "Çavuşoğlu^Işık", ["cavusoglu*"]),
    ("ISO 2022 IR 100\\ISO 2022 IR 144", "Äneas^Ялта", ["*ялта"]),
]


@pytest.fixture(scope="module")
def archive(shared_server: Server) -> Client:
    client = Client.of(shared_server)
    for number, (charset, name, _) in enumerate(NAMES):
        picture = a_picture(
            StudyInstanceUID=f"1.9.{number}",
            PatientID=f"N{number}",
            charset=charset.split("\\") if "\\" in charset else charset,
            PatientName=name,
        )
        assert client.store(picture).status_code == 200
    return client


@pytest.mark.parametrize(
    ("number", "typed"),
    [(number, typed) for number, (_, _, all_typed) in enumerate(NAMES) for typed in all_typed],
)
def test_a_name_is_found_in_its_own_script(archive: Client, number: int, typed: str) -> None:
    found = archive.found("/studies", PatientName=typed)
    assert f"1.9.{number}" in [each["0020000D"]["Value"][0] for each in found]
    assert len(found) <= 2


def test_names_are_shown_as_they_were_written(archive: Client) -> None:
    for number, (_, name, _) in enumerate(NAMES):
        (study,) = archive.found("/studies", PatientID=f"N{number}")
        assert "=".join(study["00100010"]["Value"][0].values()) == name
        (metadata,) = archive.found(f"/studies/1.9.{number}/metadata")
        assert metadata["00080005"]["Value"] == ["ISO_IR 192"]
        assert metadata["00100010"] == study["00100010"]


def test_what_requested_a_series_can_be_searched(shared_server: Server) -> None:
    from pydicom.dataset import Dataset

    request = Dataset()
    request.ScheduledProcedureStepID = "SPS7"
    request.RequestedProcedureID = "RP7"
    client = Client.of(shared_server)
    client.store(a_picture(StudyInstanceUID="1.10", RequestAttributesSequence=[request]))
    for name in (
        "RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009",
    ):  # fmt: skip
        (series,) = client.found("/series", **{name: "SPS7"})
        assert series["0020000D"]["Value"] == ["1.10"]
        assert client.found("/series", **{name: "SPS8"}) == []
    refused = client.get("/series", **{"RequestAttributesSequence.StudyDate": "20260101"})
    assert refused.status_code == 400
