from __future__ import annotations

import json

import pytest
from tests.imaging.objects import a_picture

from serai.imaging.archive.header import read_instance

NAMES = [
    ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("GBK", "Li^Wei=李^伟"),
    (["", "ISO 2022 IR 58"], "Zhang^XiaoDong=张^小东"),
    ("ISO_IR 144", "Иванов^Пётр"),
    ("ISO_IR 100", "Müller^Jörg"),
    ("ISO_IR 127", "قباني^لنزار"),
    ("ISO_IR 166", "นามสกุล^ชื่อ"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ("ISO_IR 126", "Διονυσιος"),
    ("ISO_IR 138", "שרון^דבורה"),
]


def shown_name(content: bytes) -> str:
    groups = json.loads(read_instance(content).metadata)["00100010"]["Value"][0]
    names = ("Alphabetic", "Ideographic", "Phonetic")
    return "=".join(groups.get(name, "") for name in names).rstrip("=")


@pytest.mark.parametrize(("charset", "name"), NAMES)
def test_names_of_a_network_across_borders_come_out_as_they_went_in(
    charset: str | list[str], name: str
) -> None:
    assert shown_name(a_picture(charset=charset, PatientName=name)) == name


def test_metadata_declares_the_utf_8_it_is_written_in() -> None:
    instance = read_instance(a_picture(charset="GB18030", PatientName="Li^Wei=李^伟"))
    assert json.loads(instance.metadata)["00080005"]["Value"] == ["ISO_IR 192"]


def test_a_name_in_undeclared_utf_8_is_still_read() -> None:
    content = a_picture(charset="ISO_IR 192", PatientName="Li^Wei=李^伟")
    assert shown_name(content.replace(b"ISO_IR 192", b"ISO_IR 6  ")) == "Li^Wei=李^伟"
