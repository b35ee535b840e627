"""What leaves the archive in another syntax shows the same picture, pixel for pixel."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from tests.imaging.objects import PYDICOM_FILES, a_picture

from serai.imaging.rendering.native import decoded_frames
from serai.imaging.rendering.syntaxes import WRITTEN, WRITTEN_NATIVE
from serai.imaging.rendering.transcoding import transcoded
from serai.kernel.errors import Unsupported

LOSSLESS = sorted({uid for uid, each in WRITTEN.items() if not each.lossy} | WRITTEN_NATIVE)
# Real pixels: signed and unsigned, 8 to 16 bits, one and three samples, one and many frames,
# native in both orders of bytes and both planar configurations, and every family of codecs.
PICTURES = [
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_RLE.dcm",
    "JPEG2000.dcm",
    "693_J2KI.dcm",
    "JPGExtended.dcm",
    "JPEGLSNearLossless_16.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",
    "examples_palette.dcm",
    "examples_jpeg2k.dcm",
    "examples_overlay.dcm",
    "image_dfl.dcm",
]


def frames(content: bytes) -> tuple[list[NDArray[Any]], list[str]]:
    decoded = list(decoded_frames(content))
    return [frame for frame, _ in decoded], [photometric for _, photometric in decoded]


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("name", PICTURES)
def test_a_lossless_syntax_loses_nothing(name: str, syntax: str) -> None:
    original = (PYDICOM_FILES / name).read_bytes()
    given = transcoded(original, syntax)
    read = pydicom.dcmread(BytesIO(given))
    assert read.file_meta.TransferSyntaxUID == syntax
    assert read.SOPInstanceUID == pydicom.dcmread(BytesIO(original)).SOPInstanceUID
    before, colours_before = frames(original)
    after, colours_after = frames(given)
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert one.shape == other.shape
        assert np.array_equal(one, other)
    assert colours_before == colours_after


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("examples_rgb_color.dcm", "1.2.840.10008.1.2.4.50"),
        ("SC_ybr_full_422_uncompressed.dcm", "1.2.840.10008.1.2.4.50"),
        ("CT_small.dcm", "1.2.840.10008.1.2.4.81"),
    ],
)
def test_a_lossy_picture_says_so_and_is_another_object(name: str, syntax: str) -> None:
    original = (PYDICOM_FILES / name).read_bytes()
    source = pydicom.dcmread(BytesIO(original))
    if source.PixelRepresentation:
        with pytest.raises(Unsupported):
            transcoded(original, syntax)
        return
    given = pydicom.dcmread(BytesIO(transcoded(original, syntax)))
    assert given.LossyImageCompression == "01"
    assert given.ImageType[0] == "DERIVED"
    assert given.SOPInstanceUID != source.SOPInstanceUID
    assert given.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    difference = given.pixel_array.astype(int) - source.pixel_array.astype(int)
    assert float(np.abs(difference).mean()) < 8


def test_baseline_jpeg_is_refused_for_what_it_cannot_hold() -> None:
    with pytest.raises(Unsupported):
        transcoded((PYDICOM_FILES / "CT_small.dcm").read_bytes(), "1.2.840.10008.1.2.4.50")


def test_the_same_lossy_object_comes_at_every_request() -> None:
    picture = a_picture()
    one, other = (transcoded(picture, "1.2.840.10008.1.2.4.50") for _ in range(2))
    assert one == other


@pytest.mark.parametrize("name", ["liver_1frame.dcm", "rtdose_1frame.dcm"])
def test_single_bits_and_doses_are_not_forced_into_a_picture_codec(name: str) -> None:
    original = (PYDICOM_FILES / name).read_bytes()
    with pytest.raises(Unsupported):
        transcoded(original, "1.2.840.10008.1.2.4.80")
    deflated = pydicom.dcmread(BytesIO(transcoded(original, "1.2.840.10008.1.2.1.99")))
    assert deflated.PixelData == pydicom.dcmread(BytesIO(original)).PixelData
