from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from io import BytesIO

import httpx
import pydicom
import pytest
from PIL import Image
from tests.imaging.dicomweb.test_stow import instance_path
from tests.imaging.objects import PYDICOM_FILES, a_picture, uid, with_own_uids
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

DICOM_PARTS = 'multipart/related; type="application/dicom"'
OCTET_PARTS = 'multipart/related; type="application/octet-stream"'


def parts_of(answer: httpx.Response) -> list[tuple[str, bytes]]:
    """As a mail library, which knows nothing of DICOM, takes the answer apart."""
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + answer.content)
    boundary = message.get_boundary()
    assert boundary
    pieces = answer.content.split(f"\r\n--{boundary}".encode())[1:-1]
    split = (piece.partition(b"\r\n\r\n") for piece in pieces)
    return [(header.decode().strip(), content) for header, _, content in split]


def stored(client: Client, name: str) -> tuple[bytes, str]:
    content = with_own_uids((PYDICOM_FILES / name).read_bytes(), sum(name.encode()))
    assert client.store(content).status_code == 200
    return content, instance_path(content)


def test_objects_come_back_exactly_as_they_were_sent(shared_server: Server) -> None:
    client, picture = Client.of(shared_server), a_picture()
    client.store(picture)
    study = f"/studies/{uid(picture, 'StudyInstanceUID')}"
    series = f"{study}/series/{uid(picture, 'SeriesInstanceUID')}"
    for path in (study, series, instance_path(picture)):
        answer = client.get(path, accept=f"{DICOM_PARTS}; transfer-syntax=*")
        assert [content for _, content in parts_of(answer)] == [picture]
        assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_metadata_leads_to_bulk_data(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, "CT_small.dcm")
    (metadata,) = client.found(f"{path}/metadata")
    address = metadata["7FE00010"]["BulkDataURI"]
    pixels = httpx.get(address, headers=client.headers | {"Accept": "application/octet-stream"})
    assert pixels.content == pydicom.dcmread(BytesIO(content)).PixelData
    answer = httpx.get(address, headers=client.headers | {"Accept": OCTET_PARTS})
    assert parts_of(answer)[0][1] == pixels.content


def test_metadata_is_compressed_for_slow_lines(shared_server: Server) -> None:
    client = Client.of(shared_server)
    _, path = stored(client, "CT_small.dcm")
    answer = client.get(f"{path}/metadata")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) < len(answer.content) / 2


def test_a_native_frame_is_its_bytes(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, "CT_small.dcm")
    pixels = pydicom.dcmread(BytesIO(content)).PixelData
    for accept in (f"{OCTET_PARTS}; transfer-syntax=*", OCTET_PARTS, "*/*"):
        ((header, frame),) = parts_of(client.get(f"{path}/frames/1", accept=accept))
        assert frame == pixels
        assert "transfer-syntax=1.2.840.10008.1.2.1" in header
    assert client.get(f"{path}/frames/1", accept="application/octet-stream").content == pixels


def test_big_endian_frames_are_turned_round(shared_server: Server) -> None:
    client = Client.of(shared_server)
    _, path = stored(client, "MR_small_bigendian.dcm")
    little = pydicom.dcmread(PYDICOM_FILES / "MR_small.dcm").PixelData
    assert client.get(f"{path}/frames/1", accept="application/octet-stream").content == little


def test_compressed_frames_come_as_stored_or_decoded(shared_server: Server) -> None:
    client = Client.of(shared_server)
    _, path = stored(client, "MR_small_jp2klossless.dcm")
    asked = f"{OCTET_PARTS}; transfer-syntax=*"
    ((header, frame),) = parts_of(client.get(f"{path}/frames/1", accept=asked))
    assert "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90" in header
    assert frame.startswith(b"\xff\x4f\xff\x51")
    ((_, decoded),) = parts_of(client.get(f"{path}/frames/1", accept=OCTET_PARTS))
    assert decoded == pydicom.dcmread(PYDICOM_FILES / "MR_small.dcm").PixelData


def test_several_frames_come_in_the_order_asked_for(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, "SC_rgb_rle_2frame.dcm")
    both = parts_of(client.get(f"{path}/frames/2,1", accept=f"{OCTET_PARTS}; transfer-syntax=*"))
    data_set = pydicom.dcmread(BytesIO(content))
    expected = list(pydicom.encaps.generate_frames(data_set.PixelData, number_of_frames=2))
    assert [frame for _, frame in both] == expected[::-1]
    assert client.get(f"{path}/frames/3", accept=OCTET_PARTS).status_code == 404
    assert client.get(f"{path}/frames/0", accept=OCTET_PARTS).status_code == 404
    assert client.get(f"{path}/frames/1,x", accept=OCTET_PARTS).status_code == 400


def test_a_client_that_reads_only_uncompressed_gets_that(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, "MR_small_jp2klossless.dcm")
    ((_, plain),) = parts_of(client.get(path, accept=DICOM_PARTS))
    read = pydicom.dcmread(BytesIO(plain))
    assert read.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert read.SOPInstanceUID == uid(content)
    assert (read.pixel_array == pydicom.dcmread(BytesIO(content)).pixel_array).all()
    refused = client.get(path, accept=f"{DICOM_PARTS}; transfer-syntax=1.2.840.10008.1.2.4.102")
    assert refused.status_code == 406


@pytest.mark.parametrize(
    ("accept", "kind"), [("image/png", "PNG"), ("image/jpeg", "JPEG"), ("*/*", "JPEG")]
)
def test_pictures_for_people(shared_server: Server, accept: str, kind: str) -> None:
    client = Client.of(shared_server)
    _, path = stored(client, "CT_small.dcm")
    image = Image.open(BytesIO(client.get(f"{path}/rendered", accept=accept).content))
    assert (image.format, image.size) == (kind, (128, 128))
    small = client.get(f"{path}/thumbnail", accept=accept, viewport="32,32")
    assert Image.open(BytesIO(small.content)).size == (32, 32)


@pytest.mark.parametrize(
    "name",
    ["JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm", "examples_palette.dcm", "examples_ybr_color.dcm",
     "SC_rgb_rle_16bit.dcm", "MR_small_jpeg_ls_lossless.dcm", "693_J2KI.dcm"],
)  # fmt: skip
def test_every_kind_of_picture_can_be_rendered(shared_server: Server, name: str) -> None:
    client = Client.of(shared_server)
    _, path = stored(client, name)
    answer = client.get(f"{path}/rendered", accept="image/png")
    assert answer.status_code == 200, answer.text
    extrema = Image.open(BytesIO(answer.content)).convert("L").getextrema()
    assert extrema[0] != extrema[1]


@pytest.mark.parametrize(
    "suffix", ["", "/metadata", "/frames/1", "/rendered", "/bulkdata/1-2/7FE00010"]
)
def test_what_is_not_there_is_404(shared_server: Server, suffix: str) -> None:
    path = f"/studies/1.2/series/1.2/instances/1.2{suffix}"
    assert Client.of(shared_server).get(path, accept="*/*").status_code == 404


def test_nobody_anonymous_reads(shared_server: Server) -> None:
    assert Client(shared_server, {}).get("/studies").status_code == 401


def test_forms_that_are_not_offered_are_refused(shared_server: Server) -> None:
    client = Client.of(shared_server)
    xml = 'multipart/related; type="application/dicom+xml"'
    assert client.get("/studies", accept=xml).status_code == 406
    unknown = client.get("/nothing-known")
    assert unknown.status_code == 404
    assert unknown.json()["error"] == "dicomweb.no-such-resource"


def test_single_bit_frames_are_cut_between_bytes(shared_server: Server) -> None:
    client = Client.of(shared_server)
    bits = a_picture(
        Rows=3, Columns=3, NumberOfFrames=2, BitsAllocated=1, BitsStored=1, HighBit=0,
        PixelData=(0b1_0101_0101 | 0b0_1110_0111 << 9).to_bytes(4, "little"),
    )  # fmt: skip
    client.store(bits)
    frames = [
        client.get(f"{instance_path(bits)}/frames/{number}", accept="application/octet-stream")
        for number in (1, 2)
    ]
    assert int.from_bytes(frames[1].content, "little") == 0b0_1110_0111
    assert int.from_bytes(frames[0].content, "little") & 0b1_1111_1111 == 0b1_0101_0101
