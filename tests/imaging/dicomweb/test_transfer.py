"""The forms in which pictures leave: other syntaxes, parts of them, older addresses."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from tests.imaging.dicomweb.test_retrieve import DICOM_PARTS, OCTET_PARTS, parts_of, stored
from tests.imaging.dicomweb.test_stow import instance_path
from tests.imaging.objects import PYDICOM_FILES, a_picture, uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

JPEG_LS, JPEG_2000, HTJ2K, JPEG_LOSSLESS, RLE, DEFLATED = (
    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99",
)  # fmt: skip
MEDIA_TYPES = {
    JPEG_LS: "image/jls", JPEG_2000: "image/jp2", HTJ2K: "image/jphc",
    JPEG_LOSSLESS: "image/jpeg", RLE: "image/dicom-rle",
}  # fmt: skip
SOURCES = ["CT_small.dcm", "MR_small_RLE.dcm", "examples_jpeg2k.dcm"]


@pytest.mark.parametrize("syntax", [*MEDIA_TYPES, DEFLATED, "1.2.840.10008.1.2"])
@pytest.mark.parametrize("name", SOURCES)
def test_an_object_comes_in_the_syntax_asked_for(
    shared_server: Server, name: str, syntax: str
) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, name)
    answer = client.get(path, accept=f"{DICOM_PARTS}; transfer-syntax={syntax}")
    ((header, given),) = parts_of(answer)
    read = pydicom.dcmread(BytesIO(given))
    assert f"transfer-syntax={syntax}" in header
    assert read.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(read.pixel_array, pydicom.dcmread(BytesIO(content)).pixel_array)


@pytest.mark.parametrize("syntax", MEDIA_TYPES)
def test_a_frame_comes_in_the_syntax_asked_for(shared_server: Server, syntax: str) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, "CT_small.dcm")
    kind = f'multipart/related; type="{MEDIA_TYPES[syntax]}"; transfer-syntax={syntax}'
    ((header, frame),) = parts_of(client.get(f"{path}/frames/1", accept=kind))
    assert f"{MEDIA_TYPES[syntax]}; transfer-syntax={syntax}" in header
    source = pydicom.dcmread(BytesIO(content))
    source.PixelData = pydicom.encaps.encapsulate([frame])
    source["PixelData"].VR = "OB"
    source["PixelData"].is_undefined_length = True
    source.file_meta.TransferSyntaxUID = syntax
    assert np.array_equal(source.pixel_array, pydicom.dcmread(BytesIO(content)).pixel_array)
    # Without naming a syntax the media type's own default is meant (PS3.18 Table 8.7.3-5).
    single = client.get(f"{path}/frames/1", accept=MEDIA_TYPES[syntax])
    assert single.content == frame


def test_what_a_syntax_cannot_hold_is_refused(shared_server: Server) -> None:
    client = Client.of(shared_server)
    _, path = stored(client, "CT_small.dcm")
    baseline = "1.2.840.10008.1.2.4.50"
    refused = client.get(path, accept=f"{DICOM_PARTS}; transfer-syntax={baseline}")
    assert refused.status_code == 406
    frame = f'multipart/related; type="image/jpeg"; transfer-syntax={baseline}'
    assert client.get(f"{path}/frames/1", accept=frame).status_code == 406


def test_a_report_among_compressed_pictures_stays_uncompressed(shared_server: Server) -> None:
    client, study = Client.of(shared_server), "1.2.77.1"
    report = pydicom.dcmread(PYDICOM_FILES / "test-SR.dcm")
    picture = a_picture(
        StudyInstanceUID=study,
        PatientID=report.PatientID,
        IssuerOfPatientID=report.get("IssuerOfPatientID", ""),
    )
    report.StudyInstanceUID = study
    written = BytesIO()
    report.save_as(written)
    assert client.store(picture, written.getvalue()).status_code == 200
    answer = client.get(f"/studies/{study}", accept=f"{DICOM_PARTS}; transfer-syntax={JPEG_LS}")
    syntaxes = {
        pydicom.dcmread(BytesIO(part)).file_meta.TransferSyntaxUID for _, part in parts_of(answer)
    }
    assert syntaxes == {JPEG_LS, "1.2.840.10008.1.2.1"}


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-16", 206, slice(-16, None)),
        ("bytes=0-", 200, slice(0, None)),
        ("bytes=0-1,5-6", 200, slice(0, None)),
        ("lines=1-2", 200, slice(0, None)),
    ],
)
def test_a_transfer_broken_off_goes_on_where_it_stopped(
    shared_server: Server, asked: str, status: int, expected: slice
) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, "CT_small.dcm")
    pixels = pydicom.dcmread(BytesIO(content)).PixelData
    (metadata,) = client.found(f"{path}/metadata")
    bulk = metadata["7FE00010"]["BulkDataURI"].removeprefix(shared_server.dicomweb)
    ranged = Client(shared_server, client.headers | {"Range": asked})
    for address, accept, whole in (
        (path, "application/dicom", content),
        (bulk, "application/octet-stream", pixels),
        (f"{path}/frames/1", "application/octet-stream", pixels),
    ):
        answer = ranged.get(address, accept=accept)
        assert answer.status_code == status
        assert answer.content == whole[expected]
        if status == 206:
            end = int(answer.headers["Content-Range"].partition("/")[2])
            assert end == len(whole)


def test_a_range_behind_the_end_or_of_another_version(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, "CT_small.dcm")
    behind = Client(shared_server, client.headers | {"Range": "bytes=99999999-"})
    refused = behind.get(path, accept="application/dicom")
    assert refused.status_code == 416
    assert refused.headers["Content-Range"] == f"bytes */{len(content)}"
    other = client.headers | {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert Client(shared_server, other).get(path, accept="application/dicom").content == content


def test_an_unchanged_picture_is_not_sent_twice(shared_server: Server) -> None:
    client = Client.of(shared_server)
    _, path = stored(client, "CT_small.dcm")
    for suffix, accept in (
        ("", "application/dicom"), ("/frames/1", "application/octet-stream"),
        ("/metadata", "application/dicom+json"), ("/rendered", "image/png"),
    ):  # fmt: skip
        first = client.get(path + suffix, accept=accept)
        again = Client(shared_server, client.headers | {"If-None-Match": first.headers["ETag"]})
        answer = again.get(path + suffix, accept=accept)
        assert (answer.status_code, answer.content) == (304, b"")


def test_the_window_decides_what_is_black_and_white(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, "CT_small.dcm")
    source = pydicom.dcmread(BytesIO(content))
    values = source.pixel_array * float(source.RescaleSlope) + float(source.RescaleIntercept)

    def shown(window: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        answer = client.get(f"{path}/rendered", accept="image/png", window=window)
        return np.asarray(Image.open(BytesIO(answer.content)))

    # PS3.3 §C.11.2.1.2.1, §C.11.2.1.3.2 and §C.11.2.1.3.1 in their own words.
    linear = np.clip(((values - 39.5) / 399 + 0.5) * 255, 0, 255)
    exact = np.clip(((values - 40) / 400 + 0.5) * 255, 0, 255)
    sigmoid = 255 / (1 + np.exp(-4 * (values - 40) / 400))
    for name, expected in (("linear", linear), ("linear-exact", exact), ("sigmoid", sigmoid)):
        assert np.abs(shown(f"40,400,{name}") - expected).max() <= 1
    assert client.get(f"{path}/rendered", accept="image/png", window="40").status_code == 400
    wrong = client.get(f"{path}/rendered", accept="image/png", annotation="patient")
    assert wrong.status_code == 400


def test_a_region_fills_the_viewport(shared_server: Server) -> None:
    client = Client.of(shared_server)
    _, path = stored(client, "CT_small.dcm")

    def shown(**query: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        answer = client.get(f"{path}/rendered", accept="image/png", **query)
        assert answer.status_code == 200, answer.text
        return np.asarray(Image.open(BytesIO(answer.content)))

    whole = shown()
    assert np.array_equal(shown(viewport="64,64,10,20,64,64"), whole[20:84, 10:74])
    turned = shown(viewport="64,64,10,20,-64,64")
    assert np.array_equal(turned, whole[20:84, 10:74][:, ::-1])


def test_every_picture_of_a_series_can_be_had_rendered(shared_server: Server) -> None:
    client, series = (
        Client.of(shared_server),
        {"StudyInstanceUID": "1.2.78", "SeriesInstanceUID": "1.2.78.1"},
    )
    pictures = [a_picture(InstanceNumber=number, **series) for number in (1, 2, 3)]
    client.store(*pictures)
    kind = 'multipart/related; type="image/jpeg"'
    for path in ("/studies/1.2.78", "/studies/1.2.78/series/1.2.78.1"):
        images = parts_of(client.get(f"{path}/rendered", accept=kind))
        assert len(images) == 3
        one = client.get(f"{path}/rendered", accept="image/png")
        assert Image.open(BytesIO(one.content)).size == (8, 8)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({}, "image/jpeg"),
        ({"contentType": "image/png", "rows": "32", "columns": "32"}, "image/png"),
        ({"contentType": "application/dicom"}, "application/dicom"),
        ({"contentType": "application/dicom", "transferSyntax": HTJ2K}, "application/dicom"),
        ({"windowCenter": "40", "windowWidth": "400", "frameNumber": "1"}, "image/jpeg"),
    ],
)
def test_the_older_address_gives_the_same_pictures(
    shared_server: Server, query: dict[str, str], kind: str
) -> None:
    client = Client.of(shared_server)
    content, _ = stored(client, "CT_small.dcm")
    names = {"studyUID": "StudyInstanceUID", "seriesUID": "SeriesInstanceUID",
             "objectUID": "SOPInstanceUID"}  # fmt: skip
    asked = {name: uid(content, keyword) for name, keyword in names.items()}
    answer = client.get("/wado", requestType="WADO", **asked, **query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == kind
    if kind == "application/dicom":
        read = pydicom.dcmread(BytesIO(answer.content))
        wanted = query.get("transferSyntax", "1.2.840.10008.1.2.1")
        assert read.file_meta.TransferSyntaxUID == wanted
    assert client.get("/wado", **asked).status_code == 400
    assert client.get("/wado", requestType="WADO", anonymize="yes", **asked).status_code == 400
    township = Client.of(shared_server, "township")
    assert township.get("/wado", requestType="WADO", **asked).status_code == 404


def test_a_python_client_reads_what_it_stored(shared_server: Server) -> None:
    client = Client.of(shared_server)
    web = DICOMwebClient(shared_server.dicomweb, headers=client.headers)
    data_set = pydicom.dcmread(PYDICOM_FILES / "CT_small.dcm")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(data_set, keyword, pydicom.uid.generate_uid())
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    web.store_instances([data_set])
    place = (data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.SOPInstanceUID)
    assert web.retrieve_instance(*place).PixelData == data_set.PixelData
    assert web.retrieve_instance_frames(*place, [1]) == [data_set.PixelData]
    (compressed,) = web.retrieve_instance_frames(*place, [1], media_types=(("image/jls", JPEG_LS),))
    assert compressed.startswith(b"\xff\xd8")
    assert web.retrieve_instance_metadata(*place)["00080018"]["Value"] == [place[2]]
    rendered = web.retrieve_instance_rendered(*place, media_types=("image/png",))
    assert Image.open(BytesIO(rendered)).size == (128, 128)
    assert len(list(web.retrieve_series(*place[:2]))) == 1


def test_all_frames_come_from_the_pixel_data_address(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content, path = stored(client, "SC_rgb_rle_2frame.dcm")
    answer = client.get(f"{path}/pixeldata", accept=OCTET_PARTS)
    frames = [frame for _, frame in parts_of(answer)]
    assert b"".join(frames) == pydicom.dcmread(BytesIO(content)).pixel_array.tobytes()
    lone = a_picture(NumberOfFrames=3, PixelData=bytes(192))
    client.store(lone)
    answer = client.get(f"{instance_path(lone)}/pixeldata", accept=OCTET_PARTS)
    assert len(parts_of(answer)) == 3
