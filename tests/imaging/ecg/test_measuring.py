from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.imaging.ecg.samples import RATE, WAVEFORM, a_recording, kept, unsaid

from serai.imaging.ecg import aecg, schiller, scp, waveform
from serai.imaging.ecg.measuring import Measurements, measure
from serai.imaging.ecg.measuring.measurements import Source, Why
from serai.imaging.ecg.model import Ecg, Interval, Lead, Said

PR, QRS, QT, RATE_ = Interval.PR, Interval.QRS, Interval.QT, Interval.RATE

# What the devices that recorded them wrote down; milliseconds, and beats a minute.
REFERENCES: list[tuple[Callable[[bytes], Ecg], bytes, dict[Interval, float]]] = [
    (waveform.read, WAVEFORM, {PR: 161, QRS: 75, QT: 368, RATE_: 61}),
    (waveform.read, kept("sample.dcm.gz"), {PR: 156, QRS: 86, QT: 398, RATE_: 80}),
    (scp.read, kept("example.scp"), {PR: 148, QRS: 120, QT: 420, RATE_: 72}),
    (schiller.read, kept("sample.xml.gz"), {PR: 174, QRS: 94, QT: 370, RATE_: 69}),
]


@pytest.mark.parametrize(
    ("read", "content", "reference"),
    REFERENCES,
    ids=["pydicom", "cardio", "scp-ecg", "schiller"],
)
def test_what_both_ways_agree_on_is_what_the_device_measured(
    read: Callable[[bytes], Ecg], content: bytes, reference: dict[Interval, float]
) -> None:
    measured = measure(unsaid(read(content)))
    for name, expected in reference.items():
        value = measured.value(name)
        assert value is not None, name
        assert abs(value - expected) <= (2 if name is RATE_ else 15), name


def test_a_recording_is_measured_as_it_was_made() -> None:
    measured = measure(a_recording([0.6 + 0.8 * n for n in range(11)], pr=0.17, qt=0.39))
    assert measured.value(Interval.RR) == pytest.approx(800, abs=3)
    assert measured.value(RATE_) == pytest.approx(75, abs=0.5)
    assert measured.value(PR) == pytest.approx(170, abs=20)
    assert measured.value(QT) == pytest.approx(390, abs=20)
    assert not measured.irregular


@pytest.mark.parametrize("shift", [0.0, 0.03, -0.03])
def test_a_longer_qt_measures_longer(shift: float) -> None:
    places = [0.6 + 0.9 * n for n in range(10)]
    usual = measure(a_recording(places)).value(QT)
    moved = measure(a_recording(places, qt=0.40 + shift)).value(QT)
    assert usual is not None
    assert moved is not None
    assert moved - usual == pytest.approx(shift * 1000, abs=8)


def test_bazett_and_fridericia_correct_for_the_rate() -> None:
    ecg = replace(a_recording([0.5]), said=Said({QT: 400.0, Interval.RR: 810.0}))
    measured = measure(ecg)
    assert measured.bazett == pytest.approx(400 / 0.9)
    assert measured.fridericia == pytest.approx(400 / 0.81 ** (1 / 3))


def test_the_device_comes_first_and_is_named() -> None:
    found = measure(waveform.read(WAVEFORM)).found
    assert (found[QT].value, found[QT].source) == (368, Source.DEVICE)
    assert found[RATE_].source is Source.SERAI


def test_methods_that_differ_say_nothing() -> None:
    """A U wave that hangs on to T: one way ends before it, the other behind it."""
    places = [0.6 + 0.9 * n for n in range(10)]
    ecg = a_recording(places)
    time = np.arange(ecg.length) / RATE
    wave = sum(90 * np.exp(-0.5 * ((time - at - 0.43) / 0.05) ** 2) for at in places)
    hung = [Lead(lead.name, lead.samples + wave) for lead in ecg.leads]
    found = measure(replace(ecg, leads=tuple(hung))).found[QT]
    assert (found.value, found.why) == (None, Why.DIFFER)
    assert max(found.ways) - min(found.ways) > 20


def test_without_p_waves_there_is_no_pr() -> None:
    ecg = a_recording([0.6 + 0.9 * n for n in range(10)], pr=2.5)
    assert measure(ecg).found[PR].value is None


def test_irregular_beats_are_for_review_and_get_no_name() -> None:
    gaps = [0.62, 1.05, 0.7, 0.98, 0.6, 1.12, 0.75, 0.9, 0.64, 1.0]
    places = list(0.6 + np.cumsum([0, *gaps]))
    measured = measure(a_recording([at for at in places if at < 9.4]))
    assert measured.irregular


NOTHING: dict[str, Ecg] = {
    "no leads": Ecg((), RATE),
    "no samples": Ecg((Lead("I", np.array([])),), RATE),
    "flat": Ecg((Lead("I", np.zeros(5000)),), RATE),
    "short": Ecg((Lead("I", np.ones(100)),), RATE),
    "gaps": Ecg((Lead("I", np.full(5000, np.nan)),), RATE),
    "noise": Ecg((Lead("I", np.random.default_rng(1).normal(0, 80, 5000)),), RATE),
}


@pytest.mark.parametrize("ecg", NOTHING.values(), ids=NOTHING)
def test_where_there_is_no_heart_beat_nothing_is_measured(ecg: Ecg) -> None:
    measured: Measurements = measure(ecg)
    assert [measured.value(name) for name in (PR, QRS, QT)] == [None, None, None]
    assert (measured.bazett, measured.fridericia) == (None, None)


def test_one_recording_in_two_forms_is_one_signal() -> None:
    one, other = scp.read(kept("example.scp")), aecg.read(kept("example.xml.gz"))
    assert one.rate == other.rate == 500
    for lead in one.leads:
        samples = other.lead(lead.name)
        assert samples is not None
        assert np.array_equal(lead.samples, samples), lead.name
