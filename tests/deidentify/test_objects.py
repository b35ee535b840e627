"""Objects from bytes to bytes: nothing that names the patient survives, what is safe does."""

from __future__ import annotations

import os
import re
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import UID
from tests.deidentify.planted import (
    BORN,
    NAME,
    NUMBER,
    SENTENCE,
    WORDS,
    a_report,
    an_object,
    every_attribute,
    everywhere,
    item,
    plant,
)
from tests.imaging.objects import PYDICOM_FILES, as_part10

from serai.deidentify.objects import deidentified
from serai.deidentify.pixels.reading import Reader
from serai.deidentify.profile.options import Option
from serai.deidentify.scrubbing.identity import Identity
from serai.deidentify.scrubbing.subject import Subject, new_pseudonym
from serai.deidentify.scrubbing.texts import in_utf8
from serai.kernel.errors import SeraiError, Unsupported

SUBJECT = Subject(b"k" * 32, "SUBJECT1")
CLEANING = frozenset({Option.CLEAN_DESCRIPTORS, Option.CLEAN_STRUCTURED_CONTENT})
NOBODY = Identity()
UNUSED = Reader()
# More of them, and other ones each time, on demand.
EXAMPLES = int(os.environ.get("SERAI_TEST_EXAMPLES", "60"))


def done(data_set: Dataset, *options: Option, subject: Subject = SUBJECT) -> Dataset:
    return read(taken(as_part10(data_set), frozenset(options), subject))


def taken(content: bytes, options: frozenset[Option], subject: Subject = SUBJECT) -> bytes:
    return deidentified(content, subject, options, NOBODY, UNUSED).content


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(content))


def betrays(content: bytes) -> list[str]:
    """The patient's words found in the bytes, in any character set they may be written in."""
    lowered = content.lower()
    return [
        word
        for word in WORDS
        if any(word.encode(codec) in lowered for codec in ("utf-8", "gb18030", "utf-16-le"))
    ]


def retaining(*, but: frozenset[Option] = frozenset()) -> frozenset[Option]:
    """Everything that can be kept together with new dates."""
    return (
        frozenset(Option)
        - but
        - {
            Option.CLEAN_VISUAL_FEATURES,
            Option.CLEAN_PIXEL_DATA,
            Option.CLEAN_GRAPHICS,
            Option.RETAIN_FULL_DATES,
        }
    )


# The pictures have tests of their own; planted days would be kept as asked.
NOT_HERE = {Option.CLEAN_VISUAL_FEATURES, Option.CLEAN_PIXEL_DATA, Option.RETAIN_FULL_DATES}


def test_nothing_of_the_patient_is_left_though_it_is_written_in_every_attribute() -> None:
    content = as_part10(everywhere())
    assert set(betrays(content)) == set(WORDS)
    assert betrays(taken(content, frozenset())) == []


def test_nothing_of_the_patient_is_left_in_cleaned_text_and_reports() -> None:
    for data_set in (everywhere(), a_report()):
        assert betrays(taken(as_part10(data_set), CLEANING)) == []


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 60,
    suppress_health_check=list(HealthCheck),
)
@given(
    tags=st.lists(st.sampled_from(every_attribute()), min_size=1, max_size=12, unique=True),
    options=st.sets(st.sampled_from(sorted(set(Option) - NOT_HERE))),
    depth=st.integers(0, 4),
)  # fmt: skip
def test_whatever_is_chosen_no_planted_word_survives(
    tags: list[int], options: set[Option], depth: int
) -> None:
    """Nor does it in what is kept on purpose: a device is kept, a patient in its name is not."""
    data_set = an_object()
    at = data_set
    for _ in range(depth):
        inner = Dataset()
        at.add_new(0x0040A170, "SQ", [inner])
        at = inner
    plant(at, tags)
    left = betrays(taken(as_part10(data_set), frozenset(options)))
    assert left == []


def test_the_pseudonym_stands_where_the_patient_stood_and_the_object_says_how() -> None:
    found = done(an_object(), Option.RETAIN_MODIFIED_DATES)
    assert (str(found.PatientName), found.PatientID) == ("SUBJECT1", "SUBJECT1")
    assert found.PatientIdentityRemoved == "YES"
    assert found.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [one.CodeValue for one in found.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107"]
    assert (found.PatientBirthDate, found.PatientSex) == ("", "")
    assert "PatientAge" not in found


def test_references_between_objects_still_lead_to_each_other() -> None:
    first, second = an_object(), an_object()
    reference = Dataset()
    reference.ReferencedSOPClassUID = first.SOPClassUID
    reference.ReferencedSOPInstanceUID = first.SOPInstanceUID
    second.ReferencedImageSequence = [reference]
    kept = first.SOPInstanceUID
    new = done(first)
    again = done(second).ReferencedImageSequence[0]
    assert again.ReferencedSOPInstanceUID == new.SOPInstanceUID != kept
    assert new.SOPInstanceUID.is_valid
    assert again.ReferencedSOPClassUID == first.SOPClassUID
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID


def test_a_patient_has_one_pseudonym_in_a_project_and_another_in_the_next() -> None:
    one, other = b"1" * 32, b"2" * 32
    assert new_pseudonym(one, "number:county||7") == new_pseudonym(one, "number:county||7")
    assert new_pseudonym(one, "number:county||7") != new_pseudonym(other, "number:county||7")
    assert new_pseudonym(one, "number:county||7") != new_pseudonym(one, "number:lead||7")
    uid = "1.2.3"
    assert Subject(one, "a").uid(uid) == Subject(one, "b").uid(uid) != Subject(other, "a").uid(uid)


def test_dates_move_by_the_same_days_and_times_stay() -> None:
    first, second = an_object(), an_object()
    second.StudyDate = "20260315"
    second.AcquisitionDateTime = "20260315083000.5+0800"
    moved = [done(one, Option.RETAIN_MODIFIED_DATES) for one in (first, second)]
    days = [pydicom.valuerep.DA(one.StudyDate) for one in moved]
    assert (days[1] - days[0]).days == 14
    assert days[0] < pydicom.valuerep.DA("20260301")
    assert moved[1].AcquisitionDateTime == f"{moved[1].StudyDate}083000.5+0800"
    assert moved[0].StudyTime == "101500"
    assert done(an_object(), Option.RETAIN_FULL_DATES).StudyDate == "20260301"
    other = Subject(SUBJECT.key, "SUBJECT2")
    assert (
        done(an_object(), Option.RETAIN_MODIFIED_DATES, subject=other).StudyDate
        != moved[0].StudyDate
    )


def test_characteristics_stay_when_asked_for_but_no_age_over_89() -> None:
    data_set = an_object()
    data_set.PatientWeight = "61"
    found = done(data_set, Option.RETAIN_PATIENT_CHARACTERISTICS)
    assert (found.PatientSex, found.PatientAge, found.PatientWeight) == ("M", "090Y", 61)


@pytest.mark.parametrize(
    ("option", "keyword"),
    [
        (Option.RETAIN_INSTITUTION_IDENTITY, "InstitutionName"),
        (Option.RETAIN_DEVICE_IDENTITY, "DeviceSerialNumber"),
        (Option.RETAIN_UIDS, "SOPInstanceUID"),
    ],
)
def test_what_an_option_retains_stays_only_with_it(option: Option, keyword: str) -> None:
    data_set = an_object()
    data_set.InstitutionName, data_set.DeviceSerialNumber = "Qingshan County Hospital", "SN-4711"
    before = str(data_set[keyword].value)
    content = as_part10(data_set)
    assert str(read(taken(content, frozenset({option})))[keyword].value) == before
    assert str(read(taken(content, frozenset())).get(keyword, "")) != before


def test_descriptions_are_cleaned_word_by_word() -> None:
    data_set = an_object()
    data_set.StudyDescription = "CT chest with contrast Ouyang for Dr Kowalczyk 13801234567"
    data_set.SeriesDescription = "胸部平扫 欧阳晓明 复查"
    found = done(data_set, Option.CLEAN_DESCRIPTORS)
    assert found.StudyDescription == "CT chest with contrast * for *"
    assert found.SeriesDescription == "胸部平扫 * 复查"
    assert "StudyDescription" not in done(an_object())


def test_a_report_keeps_its_measurements_and_loses_its_names() -> None:
    found = done(a_report(), Option.CLEAN_STRUCTURED_CONTENT)
    text, name, born, uid, height, finding = found.ContentSequence
    assert text.TextValue.startswith("* lesion 12 mm in") or "lesion 12 mm in" in text.TextValue
    assert name.PersonName == "REMOVED"
    assert born.Date != BORN
    assert uid.UID.startswith("2.25.")
    assert height.MeasuredValueSequence[0].NumericValue == 12
    assert finding.ConceptCodeSequence[0].CodeValue == "REMOVED"
    bare = done(a_report()).ContentSequence
    assert [one.TextValue for one in bare] == ["REMOVED"]


def test_private_elements_go_unless_they_are_known_to_be_safe() -> None:
    data_set = an_object()
    safe = data_set.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    safe.add_new(0x0C, "IS", "1000")
    safe.add_new(0x55, "LO", "anything")
    other = data_set.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    other.add_new(0x10, "OB", SENTENCE.encode())
    content = as_part10(data_set)
    assert not [one for one in read(taken(content, frozenset())) if one.tag.is_private]
    kept = read(taken(content, frozenset({Option.RETAIN_SAFE_PRIVATE})))
    private = [one for one in kept if one.tag.is_private]
    assert [(one.tag, str(one.value)) for one in private] == [
        (0x00190010, "SIEMENS MR HEADER"),
        (0x0019100C, "1000"),
    ]


def test_nothing_of_the_sender_is_left_around_the_data_set() -> None:
    data_set = an_object()
    content = as_part10(data_set)
    content = SENTENCE.encode()[:40].ljust(128, b"\0") + content[128:]
    data_set = read(content)
    data_set.file_meta.SourceApplicationEntityTitle = "OUYANG"
    written = BytesIO()
    pydicom.dcmwrite(written, data_set, enforce_file_format=True)
    made = taken(written.getvalue(), frozenset())
    assert made[:128] == bytes(128)
    assert "SourceApplicationEntityTitle" not in read(made).file_meta
    assert betrays(made) == []


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({"EncapsulatedDocument": b"%PDF"}, "deidentify.document"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, "deidentify.label"),
        ({"BurnedInAnnotation": "YES"}, "deidentify.burned-in"),
        ({"SOPClassUID": UID("1.2.840.10008.5.1.4.1.1.9.4.1")}, "deidentify.voice"),
    ],
)
def test_what_no_rule_makes_safe_is_left_out(attributes: dict[str, Any], key: str) -> None:
    data_set = an_object()
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    with pytest.raises(Unsupported) as raised:
        done(data_set)
    assert raised.value.key == key


def test_a_name_known_only_to_the_record_is_looked_for_too() -> None:
    data_set = an_object()
    data_set.ConvolutionKernel = "WANGMEILI"
    known = Identity(words=frozenset({"wangmeili"}))
    content = deidentified(as_part10(data_set), SUBJECT, frozenset(), known, UNUSED).content
    assert b"WANGMEILI" not in content


@pytest.mark.filterwarnings("ignore")  # what pydicom says of broken files
@pytest.mark.parametrize("options", [frozenset[Option](), retaining()], ids=["basic", "retaining"])
def test_every_file_that_pydicom_brings_comes_out_readable_or_is_refused(
    options: frozenset[Option], tmp_path: Path
) -> None:
    """dcmdump reads what was written; nobody that pydicom finds in a name attribute is left."""
    made: list[Path] = []
    names: set[str] = set()
    for file in sorted(PYDICOM_FILES.rglob("*.dcm")):
        content = file.read_bytes()
        try:
            new = taken(content, options)
        except SeraiError:
            continue
        names |= {str(one.value) for one in read(new).iterall() if one.VR == "PN" and one.value}
        made.append(tmp_path / f"{len(made)}.dcm")
        made[-1].write_bytes(new)
    assert len(made) >= 60
    assert names <= {"SUBJECT1", "REMOVED"}
    dumped = subprocess.run(
        ["dcmdump", "-q", "+P", "PatientIdentityRemoved", *map(str, made)],
        capture_output=True,
        check=True,
    )
    assert dumped.stdout.count(b"[YES]") == len(made)
    assert dumped.stderr == b""


def test_an_unlisted_content_item_is_scrubbed_at_any_depth() -> None:
    data_set = a_report()
    deep = item("TEXT", "121106", "Comment", TextValue=NAME)
    for _ in range(6):
        deep = item("CONTAINER", "121070", "Findings", ContentSequence=[deep])
    data_set.ContentSequence = [deep]
    content = taken(as_part10(data_set), CLEANING)
    assert betrays(content) == []
    assert NUMBER.encode() not in content


@pytest.mark.filterwarnings("ignore")  # pydicom misses escapes that the writers left out
def test_names_in_every_character_set_are_found_and_gone() -> None:
    """pydicom's own samples: Chinese, Japanese, Korean, Arabic, Greek, Hebrew, Cyrillic, Latin."""
    files = sorted(PYDICOM_FILES.parent.joinpath("charset_files").glob("chr*.dcm"))
    assert len(files) >= 12
    for file in files:
        data_set = read(file.read_bytes())
        in_utf8(data_set)
        if "PatientName" not in data_set:
            continue
        name = str(data_set.PatientName)
        words = {one for one in re.split(r"[\s^=]+", name.casefold()) if len(one) > 1}
        data_set.SeriesDescription = data_set.ConvolutionKernel = name.replace("^", " ")
        content = as_part10(data_set)
        assert words
        assert all(one in content.decode("utf-8", "replace").casefold() for one in words), file.name
        made = taken(content, frozenset({Option.CLEAN_DESCRIPTORS}))
        left = made.decode("utf-8", "replace").casefold()
        assert [one for one in words if one in left] == [], file.name
