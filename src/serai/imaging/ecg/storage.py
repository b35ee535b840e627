"""An electrocardiogram as a DICOM ECG object (PS3.3 §A.34.3 to A.34.5), its original file inside.

The same file always becomes the same object, byte for byte, so that bringing it again is no
second recording: every UID comes from the file's digest (PS3.5 §B.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from serai.imaging.dataset.tolerance import pass_values_on
from serai.imaging.ecg.model import CODES_OF_LEADS, Ecg, Interval, Lead
from serai.imaging.ecg.waveform import (
    AMBULATORY,
    CONTENT_ELEMENT,
    GENERAL,
    LENGTH_ELEMENT,
    PRIVATE_CREATOR,
    PRIVATE_GROUP,
    SUFFIX_ELEMENT,
    TWELVE_LEAD,
)
from serai.kernel.errors import Malformed, Unsupported

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PADDING = -32768
HIGHEST = 32767
# Global measurements as PS3.16 CID 3228 and 3229 code them.
CODES = {
    Interval.RATE: ("2:16770", "Heart rate", "/min"),
    Interval.RR: ("2:16168", "RR interval global", "ms"),
    Interval.P: ("2:16184", "P duration global", "ms"),
    Interval.PR: ("2:15872", "PR interval global", "ms"),
    Interval.QRS: ("2:16156", "QRS duration global", "ms"),
    Interval.QT: ("2:16160", "QT interval global", "ms"),
    Interval.QTC: ("2:16164", "QTc interval global", "ms"),
    Interval.P_AXIS: ("2:16128", "P Axis", "deg"),
    Interval.QRS_AXIS: ("2:16132", "QRS axis", "deg"),
    Interval.T_AXIS: ("2:16136", "T axis", "deg"),
}


def object_of(ecg: Ecg, original: bytes, suffix: str) -> bytes:
    """A Part 10 file; `original` is what it was read from."""
    if not ecg.leads or not ecg.length:
        raise Malformed("ecg.no-waveform")
    digest = hashlib.sha256(original).hexdigest()
    data_set = _data_set(ecg, digest)
    data_set.WaveformSequence = [_group(ecg.leads, ecg, "RHYTHM")]
    if ecg.median and len({len(lead.samples) for lead in ecg.median}) == 1:
        data_set.WaveformSequence.append(_group(ecg.median, ecg, "MEDIAN BEAT"))
    if annotations := list(_annotations(ecg)):
        data_set.WaveformAnnotationSequence = annotations
    block = data_set.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    block.add_new(SUFFIX_ELEMENT, "LO", suffix)
    block.add_new(CONTENT_ELEMENT, "OB", original + b"\0" * (len(original) % 2))
    block.add_new(LENGTH_ELEMENT, "UL", len(original))
    return _part10(data_set)


def _uid(digest: str, purpose: str) -> str:
    made = hashlib.sha256(f"{purpose} {digest}".encode()).digest()
    return f"2.25.{int.from_bytes(made[:16], 'big')}"


def _data_set(ecg: Ecg, digest: str) -> Dataset:
    from pydicom.dataset import Dataset

    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = _sop_class(ecg)
    made.SOPInstanceUID = _uid(digest, "instance")
    made.StudyInstanceUID = _uid(digest, "study")
    made.SeriesInstanceUID = _uid(digest, "series")
    made.Modality = "ECG"
    made.StudyDescription = made.SeriesDescription = "ECG"
    made.StudyDate = made.ContentDate = f"{ecg.at:%Y%m%d}" if ecg.at else ""
    made.StudyTime = made.ContentTime = f"{ecg.at:%H%M%S}" if ecg.at else ""
    made.AcquisitionDateTime = f"{ecg.at:%Y%m%d%H%M%S}" if ecg.at else ""
    made.AccessionNumber = made.ReferringPhysicianName = made.StudyID = ""
    made.SeriesNumber = made.InstanceNumber = 1
    made.PatientID = ecg.subject.id[:64]
    made.PatientName = "^".join(filter(None, (ecg.subject.family, ecg.subject.given)))[:64]
    made.PatientBirthDate = f"{ecg.subject.birth_date:%Y%m%d}" if ecg.subject.birth_date else ""
    made.PatientSex = ecg.subject.sex if ecg.subject.sex in ("M", "F", "O") else ""
    made.Manufacturer = ecg.device.manufacturer[:64]
    made.ManufacturerModelName = ecg.device.model[:64]
    made.DeviceSerialNumber = ecg.device.serial[:64]
    made.InstitutionName = ecg.device.institution[:64]
    made.AcquisitionContextSequence = []
    return made


def _sop_class(ecg: Ecg) -> str:
    """By what each class allows (PS3.3 §A.34.3.4.4 and its neighbours)."""
    leads, rate, length = len(ecg.leads), ecg.rate, ecg.length
    standard = 200 <= rate <= 1000
    if standard and leads <= 13 and length <= 16_384:
        return TWELVE_LEAD
    if standard and leads <= 24:
        return GENERAL
    if 50 <= rate <= 1000 and leads <= 12:
        return AMBULATORY
    raise Unsupported("ecg.not-supported", what=f"{leads} x {rate:g} Hz")


def _group(leads: Sequence[Lead], ecg: Ecg, label: str) -> Dataset:
    from pydicom.dataset import Dataset

    step = _step(leads, ecg.resolution)
    length = min(len(lead.samples) for lead in leads)
    whole = np.column_stack([np.rint(lead.samples[:length] / step) for lead in leads])
    made = Dataset()
    made.MultiplexGroupTimeOffset = "0"
    made.WaveformOriginality = "ORIGINAL" if label == "RHYTHM" else "DERIVED"
    made.NumberOfWaveformChannels = len(leads)
    made.NumberOfWaveformSamples = length
    made.SamplingFrequency = f"{ecg.rate:g}"
    made.MultiplexGroupLabel = label
    made.ChannelDefinitionSequence = [_channel(lead, step) for lead in leads]
    made.WaveformBitsAllocated = 16
    made.WaveformSampleInterpretation = "SS"
    made.WaveformPaddingValue = PADDING.to_bytes(2, "little", signed=True)
    made["WaveformPaddingValue"].VR = "OW"
    made.WaveformData = np.where(np.isfinite(whole), whole, PADDING).astype("<i2").tobytes()
    made["WaveformData"].VR = "OW"
    return made


def _step(leads: Sequence[Lead], resolution: float) -> float:
    """The device's own step, unless its numbers do not fit into 16 bits."""
    highest = max((float(np.nanmax(np.abs(lead.samples), initial=0)) for lead in leads), default=0)
    step = resolution
    while highest / step > HIGHEST:
        step *= 2
    return float(f"{step:.9g}")


def _channel(lead: Lead, step: float) -> Dataset:
    from pydicom.dataset import Dataset

    made = Dataset()
    made.ChannelLabel = lead.name[:16]
    number = CODES_OF_LEADS.get(lead.name)
    code = ("2:" + str(number), "MDC") if number else (lead.name[:16], "99SERAI")
    made.ChannelSourceSequence = [_coded(*code, f"Lead {lead.name}")]
    made.ChannelSensitivity = f"{step:.9g}"
    made.ChannelSensitivityUnitsSequence = [_coded("uV", "UCUM", "microvolt")]
    made.ChannelSensitivityCorrectionFactor = "1"
    made.ChannelBaseline = made.ChannelSampleSkew = "0"
    made.WaveformBitsStored = 16
    return made


def _coded(value: str, scheme: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning[:64]
    return made


def _annotations(ecg: Ecg) -> Iterator[Dataset]:
    """What the device said and measured (PS3.3 §C.10.10), on all channels of the rhythm."""
    from pydicom.dataset import Dataset

    for text in ecg.said.statements:
        made = Dataset()
        made.ReferencedWaveformChannels = [1, 0]
        made.AnnotationGroupNumber = 0
        made.UnformattedTextValue = text[:1024]
        yield made
    for name, value in ecg.said.intervals.items():
        code, meaning, unit = CODES[name]
        made = Dataset()
        made.MeasurementUnitsCodeSequence = [_coded(unit, "UCUM", unit)]
        made.ConceptNameCodeSequence = [_coded(code, "MDC", meaning)]
        made.ReferencedWaveformChannels = [1, 0]
        made.AnnotationGroupNumber = 1
        made.NumericValue = f"{value:.9g}"
        yield made


def _part10(data_set: Dataset) -> bytes:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    data_set.file_meta.ImplementationClassUID = _uid("", "serai ecg")
    data_set.file_meta.ImplementationVersionName = "SERAI"
    written = BytesIO()
    pass_values_on()
    data_set.save_as(written, enforce_file_format=True)
    return written.getvalue()
