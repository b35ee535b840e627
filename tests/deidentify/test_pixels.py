"""Writing burned into pictures: found in every frame, painted over, never lossy."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from tests.deidentify.planted import (
    NAME,
    NUMBER,
    WORDS,
    an_object,
    everywhere,
    with_frames,
    writing,
)
from tests.imaging.objects import as_part10

from serai.deidentify.objects import Done, deidentified
from serai.deidentify.pixels.cleaning import LOSSLESS
from serai.deidentify.pixels.reading import OVERLAP, TILE, Reader, _tiles
from serai.deidentify.pixels.regions import device_rules
from serai.deidentify.profile.options import Option
from serai.deidentify.scrubbing.identity import Identity
from serai.deidentify.scrubbing.subject import Subject
from serai.imaging.dataset.tolerance import pass_values_on
from serai.imaging.rendering.transcoding import transcoded
from serai.kernel.errors import Unavailable, Unsupported

SUBJECT = Subject(b"k" * 32, "SUBJECT1")
PIXELS = frozenset({Option.CLEAN_PIXEL_DATA})
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG = "1.2.840.10008.1.2.4.50"


def cleaned(
    content: bytes, reader: Reader, options: frozenset[Option] = PIXELS, *, everything: bool = True
) -> tuple[Dataset, Done]:
    done = deidentified(content, SUBJECT, options, Identity(), reader, everything=everything)
    return pydicom.dcmread(BytesIO(done.content)), done


def read(reader: Reader, data_set: Dataset) -> str:
    """What can still be read in any frame."""
    frames = data_set.pixel_array
    frames = frames if int(data_set.get("NumberOfFrames") or 1) > 1 else frames[None]
    shown = [np.repeat(one[..., None], 3, -1) if one.ndim == 2 else one for one in frames]
    return " ".join(line.text for one in shown for line in reader.read(one.astype(np.uint8)))


def stack(*frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack(frames)


@pytest.mark.parametrize(
    ("syntax", "becomes"),
    [
        ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1"),
        (JPEG_LS, JPEG_LS),
        (JPEG, LOSSLESS),
    ],
)
def test_a_burned_in_name_is_painted_over_without_loss(
    syntax: str, becomes: str, reader: Reader
) -> None:
    picture = writing("OUYANG XIAOMING")
    content = as_part10(with_frames(an_object(), stack(picture)))
    content = transcoded(content, syntax)
    before = pydicom.dcmread(BytesIO(content)).pixel_array
    found, done = cleaned(content, reader)
    after = found.pixel_array
    assert found.file_meta.TransferSyntaxUID == becomes
    assert (done.findings.regions, done.findings.identifying) == (1, 1)
    assert found.BurnedInAnnotation == "NO"
    changed = np.argwhere(after != before)
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    assert (after[top : bottom + 1, left : right + 1] == 0).all()
    assert 30 < top < bottom < 75
    assert (after[:30] == before[:30]).all()
    assert (after[75:] == before[75:]).all()


def test_an_object_full_of_the_patient_keeps_nothing_of_it_in_header_or_pixels(
    reader: Reader,
) -> None:
    data_set = with_frames(everywhere(), stack(writing(""), writing("OUYANG QX7788123")))
    for keyword in ("BurnedInAnnotation", "ImageType", "LossyImageCompression"):
        del data_set[keyword]
    options = PIXELS | {Option.CLEAN_DESCRIPTORS, Option.CLEAN_STRUCTURED_CONTENT}
    found, done = cleaned(as_part10(data_set), reader, options)
    lowered = done.content.lower()
    assert [word for word in WORDS if word.encode() in lowered] == []
    assert done.findings.identifying == 1
    assert read(reader, found) == ""


def test_writing_in_one_frame_is_gone_from_all(reader: Reader) -> None:
    plain = writing("")
    late = writing(f"ID {NUMBER}")
    found, done = cleaned(as_part10(with_frames(an_object(), stack(plain, plain, late))), reader)
    assert done.findings.identifying == 1
    where = late == 255
    assert (found.pixel_array[:, where] == 0).all()


def test_colour_frames_are_cleaned_too(reader: Reader) -> None:
    grey = writing("Xiaoming 19580402")
    colour = np.stack([grey // 3, grey, grey // 3], -1)
    found, done = cleaned(as_part10(with_frames(an_object(), colour[None])), reader)
    assert done.findings.identifying >= 1
    assert read(reader, found) == ""
    assert (found.pixel_array[:30] == colour[:30]).all()


def test_deep_grey_and_inverted_pictures_are_read_as_shown(reader: Reader) -> None:
    picture = writing("OUYANG XIAOMING")
    data_set = with_frames(an_object(), picture[None])
    deep = picture.astype(np.uint16) * 8
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 12, 11
    data_set.PhotometricInterpretation = "MONOCHROME1"
    data_set.PixelData = deep.tobytes()
    found, done = cleaned(as_part10(data_set), reader)
    assert done.findings.identifying == 1
    assert (found.pixel_array[deep == 255 * 8] == deep.max()).all()


def test_only_what_names_the_patient_goes_if_a_project_wants_it_so(reader: Reader) -> None:
    picture = np.maximum(writing("LEFT KIDNEY", rows=140), writing("OUYANG", rows=140, at=95))
    content = as_part10(with_frames(an_object(), picture[None]))
    some, done = cleaned(content, reader, everything=False)
    assert (done.findings.regions, done.findings.identifying) == (1, 1)
    assert "KIDNEY" in read(reader, some).replace(" ", "")
    every, done = cleaned(content, reader)
    assert (done.findings.regions, read(reader, every)) == (2, "")


def test_outside_of_declared_ultrasound_regions_nothing_stays(reader: Reader) -> None:
    data_set = with_frames(an_object(), np.full((1, 60, 80), 9, np.uint8))
    data_set.Modality = "US"
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 10, 20
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 69, 49
    data_set.SequenceOfUltrasoundRegions = [region]
    pixels = cleaned(as_part10(data_set), reader)[0].pixel_array
    assert (pixels[20:50, 10:70] == 9).all()
    assert pixels.sum() == 9 * 30 * 60


def test_the_banner_of_a_known_device_goes_unread(reader: Reader) -> None:
    data_set = with_frames(an_object(), np.full((1, 100, 80), 9, np.uint8))
    data_set.Modality, data_set.Manufacturer = "US", "Philips Medical Systems"
    data_set.ManufacturerModelName = "EPIQ 7C"
    pixels = cleaned(as_part10(data_set), reader)[0].pixel_array
    assert not pixels[:10].any()
    assert (pixels[10:] == 9).all()
    assert all(0 <= edge <= 1 for rule in device_rules() for edge in rule.part)


def an_overlay(data_set: Dataset, plane: NDArray[np.uint8]) -> None:
    packed = np.packbits(plane.reshape(-1), bitorder="little").tobytes()
    data_set.add_new(0x60000010, "US", plane.shape[0])
    data_set.add_new(0x60000011, "US", plane.shape[1])
    data_set.add_new(0x60000022, "LO", NAME)
    data_set.add_new(0x60000040, "CS", "G")
    data_set.add_new(0x60000050, "SS", [1, 1])
    data_set.add_new(0x60000100, "US", 1)
    data_set.add_new(0x60000102, "US", 0)
    data_set.add_new(0x60003000, "OW", packed)


def test_overlays_go_whole_or_without_their_writing(reader: Reader) -> None:
    plane = (writing("OUYANG XIAOMING") == 255).astype(np.uint8)
    plane[80:90, 200:210] = 1
    data_set = with_frames(an_object(), writing("")[None])
    an_overlay(data_set, plane)
    content = as_part10(data_set)
    bare, _ = cleaned(content, reader, frozenset())
    assert [one.tag for one in bare if one.tag.group == 0x6000] == []
    kept, done = cleaned(content, reader, frozenset({Option.CLEAN_GRAPHICS}))
    left = np.unpackbits(np.frombuffer(kept[0x60003000].value, np.uint8), bitorder="little")
    left = left[: plane.size].reshape(plane.shape)
    assert done.findings.regions == 1
    assert left[80:90, 200:210].all()
    assert not left[:78].any()
    assert 0x60000022 not in kept


def test_an_overlay_hidden_in_the_upper_bits_of_pixels_is_cleared(reader: Reader) -> None:
    picture = writing("")
    data_set = with_frames(an_object(), picture[None])
    plain = picture.astype(np.uint16)
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 12, 11
    data_set.PixelData = (plain | 0x8000).tobytes() + b"OUYANG XIAOMING "
    data_set.add_new(0x60000102, "US", 15)
    found, done = cleaned(as_part10(data_set), reader, frozenset())
    assert (found.pixel_array == plain).all()
    assert b"OUYANG" not in done.content


def test_a_remark_in_a_code_stream_is_not_passed_on(reader: Reader) -> None:
    picture = writing("")
    content = transcoded(as_part10(with_frames(an_object(), picture[None])), JPEG)
    data_set = pydicom.dcmread(BytesIO(content))
    stream = next(pydicom.encaps.generate_frames(data_set.PixelData, number_of_frames=1))
    remark = b"\xff\xfe\x00\x11OUYANG XIAOMING"
    data_set.PixelData = pydicom.encaps.encapsulate([stream[:2] + remark + stream[2:]])
    written = BytesIO()
    data_set.save_as(written)
    found, done = cleaned(written.getvalue(), reader, frozenset())
    assert b"OUYANG" not in done.content
    assert (found.pixel_array == pydicom.dcmread(BytesIO(content)).pixel_array).all()


def test_what_cannot_be_decoded_is_refused_rather_than_let_through(reader: Reader) -> None:
    pass_values_on()
    data_set = with_frames(an_object(), writing("")[None])
    data_set = pydicom.dcmread(BytesIO(as_part10(data_set)))
    data_set.PixelData = pydicom.encaps.encapsulate([b"\0\0\1\xb3 an MPEG stream"])
    data_set["PixelData"].is_undefined_length = True
    data_set.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    written = BytesIO()
    data_set.save_as(written)
    with pytest.raises(Unsupported) as raised:
        cleaned(written.getvalue(), reader)
    assert raised.value.key == "deidentify.pixels-not-readable"


def test_a_reader_that_does_not_answer_is_ended() -> None:
    with Reader(seconds=0.0) as hasty, pytest.raises(Unavailable) as raised:
        hasty.read(writing("OUYANG")[..., None].repeat(3, -1))
    assert raised.value.key == "deidentify.reader-failed"


def test_the_reader_knows_no_secret_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERAI_DATABASE_URL", "postgresql://secret")
    with Reader() as own:
        own.read(writing("", rows=32, columns=32)[..., None].repeat(3, -1))
        process: Any = own._process
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    assert b"secret" not in environment
    assert os.getpid() != process.pid


def test_large_pictures_are_read_in_parts_that_overlap() -> None:
    """Every line of writing up to the overlap's height lies whole in one part at least."""
    large = np.zeros((3100, 2000, 3), np.uint8)
    parts = [(x, y, *part.shape[1::-1]) for x, y, part in _tiles(large)]
    assert max(max(width, height) for _, _, width, height in parts) <= TILE
    for top in range(0, 3100 - OVERLAP, 50):
        for left in range(0, 2000 - OVERLAP, 50):
            assert any(
                x <= left and left + OVERLAP <= x + width
                and y <= top and top + OVERLAP <= y + height
                for x, y, width, height in parts
            )  # fmt: skip
