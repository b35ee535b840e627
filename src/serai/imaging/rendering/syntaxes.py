"""Transfer syntaxes: the media type of their frames, and which of them this server can write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from serai.imaging.dataset import part10

RLE_LOSSLESS: Final = "1.2.840.10008.1.2.5"
JPEG: Final = "1.2.840.10008.1.2.4."
JPEG_BASELINE: Final = f"{JPEG}50"
JPEG_EXTENDED: Final = f"{JPEG}51"

# Media types of compressed frames (PS3.18 Table 8.7.3-5).
MEDIA_TYPES: Final = {
    **{f"{JPEG}{each}": "image/jpeg" for each in (50, 51, 57, 70)},
    **{f"{JPEG}{each}": "image/jls" for each in (80, 81)},
    **{f"{JPEG}{each}": "image/jp2" for each in (90, 91)},
    **{f"{JPEG}{each}": "image/jpx" for each in (92, 93)},
    **{f"{JPEG}{each}": "image/jxl" for each in (110, 111, 112)},
    **{f"{JPEG}{each}": "image/jphc" for each in (201, 202, 203)},
    RLE_LOSSLESS: "image/dicom-rle",
    **{f"{JPEG}{each}": "video/mpeg" for each in (100, 101)},
    **{f"{JPEG}{each}": "video/mp4" for each in (102, 103, 104, 105, 106)},
    **{f"{JPEG}{each}": "video/H265" for each in (107, 108)},
}
# What a media type means that comes without a transfer syntax (PS3.18 Table 8.7.3-5).
DEFAULTS: Final = {
    "image/jpeg": f"{JPEG}70",
    "image/jls": f"{JPEG}80",
    "image/jp2": f"{JPEG}90",
    "image/jphc": f"{JPEG}201",
    "image/dicom-rle": RLE_LOSSLESS,
}


class Codec(Enum):
    """How a frame becomes a code stream."""

    RLE = "rle"
    JPEG_LOSSY = "jpeg-lossy"
    JPEG_LOSSLESS = "jpeg-lossless"
    JPEG_LS = "jpeg-ls"
    JPEG_2000 = "jpeg-2000"
    HTJ2K = "htj2k"


@dataclass(frozen=True, slots=True)
class Written:
    """A compressed syntax this server writes. `method` names a lossy one (PS3.3 §C.7.6.1.1.5)."""

    codec: Codec
    method: str = ""

    @property
    def lossy(self) -> bool:
        return bool(self.method)


# .57 allows any predictor, .70 only the first, which serves both. .91 and .203 allow lossless
# streams as well, and whoever asks for them gets nothing worse.
WRITTEN: Final = {
    RLE_LOSSLESS: Written(Codec.RLE),
    JPEG_BASELINE: Written(Codec.JPEG_LOSSY, "ISO_10918_1"),
    JPEG_EXTENDED: Written(Codec.JPEG_LOSSY, "ISO_10918_1"),
    f"{JPEG}57": Written(Codec.JPEG_LOSSLESS),
    f"{JPEG}70": Written(Codec.JPEG_LOSSLESS),
    f"{JPEG}80": Written(Codec.JPEG_LS),
    f"{JPEG}81": Written(Codec.JPEG_LS, "ISO_14495_1"),
    f"{JPEG}90": Written(Codec.JPEG_2000),
    f"{JPEG}91": Written(Codec.JPEG_2000),
    f"{JPEG}201": Written(Codec.HTJ2K),
    f"{JPEG}203": Written(Codec.HTJ2K),
}
# Explicit VR Big Endian is retired; it is read, and never written.
WRITTEN_NATIVE: Final = part10.NATIVE - {part10.EXPLICIT_VR_BIG_ENDIAN}


def can_write(transfer_syntax: str) -> bool:
    """Whether objects and frames can be given in a syntax they are not stored in."""
    return transfer_syntax in WRITTEN or transfer_syntax in WRITTEN_NATIVE
