"""What the header says of the pixels (Image Pixel Module, PS3.3 §C.7.6.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from serai.imaging.dataset.model_json import Attributes, first_text

Frame = NDArray[Any]
COLOURS = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"})


@dataclass(frozen=True, slots=True)
class Description:
    """How a frame's bytes are to be understood."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    photometric: str
    planar: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Little endian; single bits take a byte each once decoded."""
        size = max(self.bits_allocated // 8, 1)
        return np.dtype(f"<{'i' if self.signed else 'u'}{size}")

    @property
    def colour(self) -> bool:
        return self.samples > 1

    def decoded_as(self, photometric: str) -> Description:
        """Decoders give samples side by side, and some turn colours round."""
        return replace(self, photometric=photometric, planar=False)

    def options(self) -> dict[str, Any]:
        """As pydicom's decoders and encoders want it said, for one frame."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "samples_per_pixel": self.samples,
            "bits_allocated": self.bits_allocated,
            "bits_stored": self.bits_stored,
            "pixel_representation": int(self.signed),
            "photometric_interpretation": self.photometric,
            "planar_configuration": int(self.planar),
            "number_of_frames": 1,
            "pixel_keyword": "PixelData",
        }


def of_metadata(metadata: bytes) -> tuple[Description, Attributes]:
    """From DICOM JSON as the archive keeps it."""
    attributes: Attributes = orjson.loads(metadata)
    return of_attributes(attributes), attributes


def of_attributes(attributes: Attributes) -> Description:
    allocated = _number(attributes, "00280100", 8)
    return Description(
        rows=_number(attributes, "00280010", 0),
        columns=_number(attributes, "00280011", 0),
        samples=_number(attributes, "00280002", 1),
        bits_allocated=allocated,
        bits_stored=_number(attributes, "00280101", allocated),
        signed=first_text(attributes, "00280103") == "1",
        photometric=first_text(attributes, "00280004") or "MONOCHROME2",
        planar=first_text(attributes, "00280006") == "1",
    )


def of_data_set(data_set: Any) -> Description:
    """From pydicom's data set; AttributeError, TypeError or ValueError where it says too little."""
    return Description(
        rows=int(data_set.Rows),
        columns=int(data_set.Columns),
        samples=int(data_set.SamplesPerPixel),
        bits_allocated=int(data_set.BitsAllocated),
        bits_stored=int(data_set.BitsStored),
        signed=bool(data_set.PixelRepresentation),
        photometric=str(data_set.PhotometricInterpretation),
    )


def _number(attributes: Attributes, tag: str, otherwise: int) -> int:
    text = first_text(attributes, tag)
    return int(text) if text.isdigit() else otherwise
