"""What the ECG pages and the import of ECGs say."""

from __future__ import annotations

from collections.abc import Mapping

from serai.imaging.ecg.measuring.measurements import Why
from serai.imaging.ecg.model import Interval
from serai.web import wording
from serai.web.languages import N_

INTERVALS: Mapping[Interval, str] = {
    Interval.RATE: N_("Heart rate"),
    Interval.RR: N_("RR interval"),
    Interval.P: N_("P duration"),
    Interval.PR: N_("PR interval"),
    Interval.QRS: N_("QRS duration"),
    Interval.QT: N_("QT interval"),
    Interval.QTC: N_("QTc of the device"),
    Interval.P_AXIS: N_("P axis"),
    Interval.QRS_AXIS: N_("QRS axis"),
    Interval.T_AXIS: N_("T axis"),
}
UNITS: Mapping[Interval, str] = {
    **dict.fromkeys(Interval, "ms"),
    Interval.RATE: "/min",
    **dict.fromkeys((Interval.P_AXIS, Interval.QRS_AXIS, Interval.T_AXIS), "°"),
}
WHY: Mapping[Why, str] = {
    Why.DIFFER: N_("not measured: the two methods differ"),
    Why.NOT_FOUND: N_("not measured: a wave is not clear enough"),
    Why.TOO_FEW: N_("not measured: too few beats of one form"),
}
FILTERS: Mapping[str, str] = {
    "baseline": N_("Base line 0.5 Hz"),
    "mains50": N_("Mains 50 Hz"),
    "mains60": N_("Mains 60 Hz"),
    "muscle": N_("Muscle 40 Hz"),
}

wording.add(
    {
        "ecg.not-found": N_("There is no such ECG, or it is not shared with you."),
        "ecg.unreadable-waveform": N_("The waveform in this object cannot be read."),
        "ecg.no-waveform": N_("There is no ECG signal in it."),
        "ecg.sampling-rate": N_("The sampling rate of the ECG is not a possible one."),
        "ecg.truncated": N_("The ECG is incomplete: it ends in the middle."),
        "ecg.unit": N_("The unit of the ECG is not a voltage: %(unit)s."),
        "ecg.too-long": N_("The recording is too long to be drawn on a page."),
        "ecg.unknown-parameter": N_("The ECG page knows no setting %(parameter)s."),
        "ecg.setting": N_("The ECG page cannot be set to this: %(parameter)s."),
        "ecg.no-original": N_("This ECG came as DICOM; there is no other original."),
        "ecg.checksum": N_("The ECG file is damaged: a checksum is wrong (section %(section)s)."),
        "ecg.damaged": N_("The ECG file is damaged or incomplete (%(place)s)."),
        "ecg.not-supported": N_("The ECG file uses a form that is not read: %(what)s."),
    }
)
