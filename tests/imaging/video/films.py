"""Small films as endoscopes and ultrasound machines make them, in DICOM objects."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid
from tests.imaging.documents.reports import a_document
from tests.imaging.objects import as_part10

ENDOSCOPY = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.3.1"
MPEG2, H264, HEVC = (f"1.2.840.10008.1.2.4.{each}" for each in (100, 102, 107))
RATE = 10
# The containers and elementary streams that PS3.5 §8.2 allows.
CODECS = {
    "mpeg2video": ("mpeg2video", MPEG2),
    "h264": ("libx264", H264),
    "mp4": ("libx264", H264),
    "mpegts": ("libx264", H264),
    "hevc": ("libx265", HEVC),
}


def a_stream(form: str, frames: int, side: int = 64) -> bytes:
    """A grey that brightens from frame to frame."""
    codec, _ = CODECS[form]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film"
        with av.open(str(path), "w", format=form) as written:
            options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
            stream: Any = written.add_stream(codec, rate=Fraction(RATE), options=options)
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
            for index in range(frames):
                grey = np.full((side, side, 3), 40 + index * 150 // frames, np.uint8)
                written.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
            written.mux(stream.encode(None))
        return path.read_bytes()


def a_film(form: str = "h264", frames: int = 20, **attributes: Any) -> bytes:
    data_set = a_picture_in_colour(ENDOSCOPY, "ES", 64, frames)
    data_set.CineRate = RATE
    data_set.PhotometricInterpretation = "YBR_PARTIAL_420"
    data_set.LossyImageCompression = "01"
    data_set.PixelData = encapsulate([a_stream(form, frames)], has_bot=False)
    data_set["PixelData"].is_undefined_length = True
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return as_part10(data_set, CODECS[form][1])


def a_picture_in_colour(sop_class: str, modality: str, side: int, frames: int) -> Dataset:
    data_set = a_document(sop_class, modality, str(generate_uid()))
    data_set.Rows = data_set.Columns = side
    data_set.SamplesPerPixel, data_set.PlanarConfiguration = 3, 0
    data_set.PhotometricInterpretation = "RGB"
    data_set.BitsAllocated = data_set.BitsStored = 8
    data_set.HighBit, data_set.PixelRepresentation = 7, 0
    data_set.NumberOfFrames = frames
    return data_set
