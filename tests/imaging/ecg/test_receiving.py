"""Files of other forms on their way into the archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.imaging.archive.test_intake import COUNTY, NOON, the_study
from tests.imaging.ecg.samples import WAVEFORM, kept

from serai.exchange.importing.recognise import Form, recognise
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.imaging.ecg import aecg, is_ecg, receive, schiller, waveform
from serai.imaging.ecg.model import LIMB
from serai.imaging.ecg.receiving import converted
from serai.kernel.errors import Malformed, SeraiError
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.web import wording

FORMS = {name: kept(name) for name in ("example.scp", "example.xml.gz", "sample.xml.gz")}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_a_file_becomes_a_twelve_lead_object_with_the_file_inside(content: bytes) -> None:
    received = receive(content)
    assert isinstance(received.content, bytes)
    assert received.instance.sop_class == waveform.TWELVE_LEAD
    assert received.instance.modality == "ECG"
    original = waveform.original(received.content)
    assert original is not None
    assert original.content == content
    assert len(waveform.read(received.content).leads) == 12


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_the_same_file_is_the_same_object_and_another_is_another(content: bytes) -> None:
    assert converted(content) == converted(content)
    others = [receive(each).instance.uid for each in FORMS.values()]
    assert len(set(others)) == len(FORMS)


def test_samples_and_measurements_survive_the_change_of_form() -> None:
    before, after = (
        aecg.read(kept("example.xml.gz")),
        waveform.read(converted(FORMS["example.xml.gz"])),
    )
    for lead in before.leads:
        samples = after.lead(lead.name)
        assert samples is not None
        assert np.allclose(samples, lead.samples, atol=1e-6)
    assert after.said.intervals == before.said.intervals
    assert after.said.statements == before.said.statements
    assert after.subject == before.subject


async def test_it_is_kept_once_with_its_imaging_study(db: Database, tmp_path: Path) -> None:
    archive = Archive(FhirStore(), Blobs(tmp_path))
    intake = archive.intake(db, COUNTY)
    first = await intake.keep([receive(FORMS["example.scp"])], now=NOON)
    again = await intake.keep([receive(FORMS["example.scp"])], now=NOON)
    await intake.finish(now=NOON)
    assert [one.error for one in (*first, *again)] == [None, None]
    assert [one.already for one in (*first, *again)] == [False, True]
    study = await the_study(archive, db)
    assert [one["code"] for one in study["modality"]] == ["ECG"]
    assert study["started"] == "2002-11-22"
    assert study["subject"] == {"identifier": {"value": "SBJ-123"}, "display": "Clark"}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_an_import_knows_it_by_its_content(content: bytes) -> None:
    assert recognise(content[: 64 * 1024]) is Form.ECG


@pytest.mark.parametrize("content", [WAVEFORM, b"<html/>", b"{}", b"AnnotatedECG", b""])
def test_what_is_something_else_is_left_alone(content: bytes) -> None:
    assert not is_ecg(content)


def test_the_limb_leads_that_were_not_sent_are_computed() -> None:
    ecg = aecg.read(kept("example.xml.gz"))
    one, two, third = ecg.lead("I"), ecg.lead("II"), ecg.lead("III")
    assert one is not None
    assert two is not None
    assert third is not None
    from serai.imaging.ecg.model import Lead, completed

    derived = completed([Lead("I", one), Lead("II", two)])
    assert [lead.name for lead in derived] == list(LIMB)
    assert np.abs(derived[2].samples - third).max() <= 5


DIGITS = b"<digits>"
HOSTILE: dict[str, bytes] = {
    "entities": b'<!DOCTYPE a [<!ENTITY b "c">]><AnnotatedECG>&b;</AnnotatedECG>',
    "a file of the server": b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><AnnotatedECG/>',
    "no series": b"<AnnotatedECG xmlns='urn:hl7-org:v3'/>",
    "not XML": b"<AnnotatedECG",
    "no leads": b"<AnnotatedECG><component><series><code code='RHYTHM'/><component>"
    b"<sequenceSet/></component></series></component></AnnotatedECG>",
    "letters for samples": kept("example.xml.gz").replace(DIGITS, DIGITS + b" x ", 1),
    "infinity": kept("example.xml.gz").replace(DIGITS, DIGITS + b" inf ", 1),
    "another unit": kept("example.xml.gz").replace(
        b'value="2.5" unit="uV"', b'value="2" unit="kg"'
    ),
    "another voltage": kept("sample.xml.gz").replace(b"<units>UV", b"<units>KV"),
    "another rate": kept("sample.xml.gz").replace(b"<exponent>1", b"<exponent>3"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_read_surely_is_refused_with_a_reason(content: bytes) -> None:
    read = schiller.read if b"Schiller" in content else aecg.read
    with pytest.raises(SeraiError, match=r"^ecg\.") as refused:
        read(content)
    assert wording.known(refused.value.key)
    assert wording.known("ecg.checksum")


@settings(max_examples=15, deadline=None)
@given(form=st.sampled_from(sorted(FORMS)), share=st.floats(0.0, 0.999))
def test_a_file_cut_off_anywhere_is_refused(form: str, share: float) -> None:
    content = FORMS[form]
    with pytest.raises(Malformed):
        receive(content[: int(len(content) * share)])


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=25, deadline=None)
@given(start=st.integers(0x200, len(WAVEFORM) - 400), body=st.binary(min_size=1, max_size=64))
def test_a_damaged_waveform_object_is_drawn_or_refused(start: int, body: bytes) -> None:
    damaged = WAVEFORM[:start] + body + WAVEFORM[start + len(body) :]
    try:
        waveform.read(damaged)
    except SeraiError as error:
        known = error.key
    else:
        known = "ecg.truncated"
    assert wording.known(known)
