from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.imaging.ecg.samples import kept
from tests.imaging.ecg.scp_writing import (
    Ints,
    Record,
    definitions,
    framed,
    patient,
    resummed,
    signal,
    written,
)

from serai.imaging.ecg import scp
from serai.imaging.ecg.model import Interval
from serai.kernel.errors import Malformed, Unsupported

EXAMPLE = kept("example.scp")
RUN = np.cumsum(np.random.default_rng(3).integers(-300, 300, 400)).astype(np.int64)


def a_record(**changed: object) -> Record:
    return Record({1: RUN, 2: RUN[::-1].copy()}, **changed)  # type: ignore[arg-type]


def test_a_real_record_is_read_with_all_it_says() -> None:
    ecg = scp.read(EXAMPLE)
    assert (ecg.rate, ecg.length, len(ecg.leads), ecg.resolution) == (500, 5000, 12, 2.5)
    assert (ecg.subject.family, ecg.subject.sex) == ("Clark", "M")
    assert str(ecg.subject.birth_date) == "1953-05-08"
    assert f"{ecg.at}" == "2002-11-22 09:10:00+00:00"
    assert ecg.device.model == "ELI250"
    intervals = {Interval.PR: 148, Interval.QRS: 120, Interval.QT: 420, Interval.QRS_AXIS: -61}
    assert {name: ecg.said.intervals[name] for name in intervals} == intervals


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("huffman", [True, False])
def test_every_encoding_gives_the_samples_back(
    order: int,
    huffman: bool,
) -> None:
    ecg = scp.read(written(a_record(order=order, huffman=huffman)))
    assert np.array_equal(ecg.leads[0].samples, RUN * 5.0)
    assert np.array_equal(ecg.leads[1].samples, RUN[::-1] * 5.0)


@settings(max_examples=40, deadline=None)
@given(
    run=st.lists(st.integers(-8000, 8000), min_size=1, max_size=60),
    order=st.integers(0, 2),
)
def test_whatever_is_written_is_read(run: list[int], order: int) -> None:
    samples = np.array(run, np.int64)
    ecg = scp.read(written(Record({1: samples}, order=order)))
    assert np.array_equal(ecg.leads[0].samples, samples * 5.0)


def test_a_table_of_its_own_and_a_switch_to_another() -> None:
    """Table 1: 0 is 0, 10 goes to table 2; there 0 is 5 and 1 takes 8 bits as they are."""
    own = struct.pack("<H", 2)
    own += struct.pack("<H", 2) + struct.pack("<BBBhI", 1, 1, 1, 0, 0)
    own += struct.pack("<BBBhI", 2, 2, 0, 2, 0b01)
    own += struct.pack("<H", 2) + struct.pack("<BBBhI", 1, 1, 1, 5, 0)
    own += struct.pack("<BBBhI", 1, 9, 1, 0, 1)
    bits = "0" + "10" + "0" + "1" + f"{-7 & 0xFF:08b}" + "000"
    run = int(bits, 2).to_bytes(2, "big")
    rhythm = struct.pack("<HHBBH", 1000, 2000, 0, 0, len(run)) + run
    record = written(Record({1: np.zeros(4, np.int64)}, sections={2: own, 6: rhythm}))
    assert scp.read(record).leads[0].samples.tolist() == [0, 5, -7, 5]


def test_reference_beats_are_added_where_they_were_subtracted() -> None:
    beat = np.array([0, 10, 50, 10, 0], np.int64)
    rest = np.arange(20, dtype=np.int64)
    locations = struct.pack("<HHH", 10, 3, 2)
    locations += struct.pack("<HIII", 0, 2, 4, 6) + struct.pack("<HIII", 0, 11, 13, 15)
    shared = Record({1: rest}, nanovolts=1000)
    record = Record(
        {1: rest},
        nanovolts=1000,
        sections={
            3: definitions([(1, 20, 1)], subtracted=True),
            4: locations,
            5: signal([beat], shared),
        },
    )
    expected = rest.astype(float)
    expected[1:6] += beat
    expected[10:15] += beat
    assert scp.read(written(record)).leads[0].samples.tolist() == expected.tolist()


def test_what_was_thinned_outside_qrs_is_drawn_through() -> None:
    """Bimodal: 4 samples are one outside samples 9 to 12, which are all there (§5.9)."""
    stored = np.array([10, 20, 100, 200, 300, 100, 40, 40], np.int64)
    locations = struct.pack("<HHH", 10, 3, 1) + struct.pack("<HIII", 1, 9, 10, 12)
    locations += struct.pack("<II", 9, 12)
    shared = Record({1: stored}, nanovolts=1000, interval_us=8000)
    record = Record(
        {1: stored},
        sections={
            3: definitions([(1, 20, 1)]),
            4: locations,
            5: signal([np.zeros(5, np.int64)], Record({}, nanovolts=1000)),
            6: signal([stored], shared, bimodal=True),
        },
    )
    ecg = scp.read(written(record))
    samples = ecg.leads[0].samples
    assert ecg.rate == 500
    assert samples[8:12].tolist() == [100, 200, 300, 100]
    assert (samples[0], samples[13:20].tolist()[-1]) == (10, 40)
    assert np.all(np.diff(samples[2:6]) > 0)


def test_names_in_another_alphabet_are_read_by_the_devices_language() -> None:
    section = patient("李伟", "gb2312", 0x27)
    assert scp.read(written(a_record(sections={1: section}))).subject.family == "李伟"


def test_a_lead_recorded_later_leaves_a_gap() -> None:
    later = definitions([(1, 400, 1), (101, 500, 2)])
    ecg = scp.read(written(Record({1: RUN, 2: RUN}, sections={3: later})))
    assert np.isnan(ecg.leads[1].samples[:100]).all()
    assert np.array_equal(ecg.leads[1].samples[100:], RUN * 5.0)


def test_a_wrong_checksum_is_told_by_its_section() -> None:
    content = bytearray(written(a_record()))
    content[-1] ^= 1
    with pytest.raises(Malformed, match=r"ecg\.checksum") as refused:
        scp.read(bytes(content))
    assert refused.value.details["section"] == "record"
    with pytest.raises(Malformed, match=r"ecg\.checksum") as refused:
        scp.read(resummed(bytes(content)))
    assert refused.value.details["section"] == 6


BROKEN: dict[str, dict[int, bytes]] = {
    "no signal": {6: b""},
    "no leads": {3: b"\0\0"},
    "ends before it begins": {3: definitions([(9, 3, 1), (1, 400, 2)])},
    "a lead of four thousand million samples": {3: definitions([(1, 2**32 - 1, 1), (1, 400, 2)])},
    "more samples than there are": {3: definitions([(1, 9000, 1), (1, 400, 2)])},
    "no voltage": {6: struct.pack("<HHBBHH", 0, 2000, 0, 0, 0, 0)},
    "no rate": {6: struct.pack("<HHBBHH", 5000, 0, 0, 0, 0, 0)},
    "third differences": {6: signal([RUN, RUN], Record({}, order=0))[:4] + b"\3\0"},
    "no tables": {2: struct.pack("<H", 0)},
    "a table that leads nowhere": {2: struct.pack("<HHBBBhI", 1, 1, 1, 1, 0, 9, 0)},
    "bimodal without beats": {6: signal([RUN, RUN], Record({}), bimodal=True)},
    "tags cut off": {1: b"\0\xff\xff"},
}


@pytest.mark.parametrize("sections", BROKEN.values(), ids=BROKEN)
def test_what_is_damaged_inside_is_refused_with_a_reason(sections: dict[int, bytes]) -> None:
    with pytest.raises((Malformed, Unsupported), match=r"^ecg\."):
        scp.read(written(a_record(sections=sections)))


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(EXAMPLE) - 1))
def test_a_record_cut_off_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(Malformed):
        scp.read(EXAMPLE[:cut])


@settings(max_examples=60, deadline=None)
@given(
    place=st.integers(6, 1000), byte=st.integers(0, 255), body=st.binary(min_size=0, max_size=200)
)
def test_garbage_is_read_or_refused_but_never_breaks(place: int, byte: int, body: bytes) -> None:
    record: Ints = RUN[:50]
    content = bytearray(written(Record({1: record}, sections={7: body, 8: body[::-1]})))
    content[place % len(content)] = byte
    for each in (resummed(bytes(content)), framed({3: body, 6: body}), body):
        with suppress(Malformed, Unsupported):
            scp.read(each)
