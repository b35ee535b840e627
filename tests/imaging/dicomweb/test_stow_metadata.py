"""Objects sent as metadata and bulk data (PS3.18 §10.5.1.1), as some senders prefer."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx
import numpy as np
import orjson
import pydicom
import pytest
from tests.imaging.dicomweb.test_stow import blobs, failures
from tests.imaging.objects import PYDICOM_FILES, a_picture
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

from serai.imaging import reasons

Part = tuple[str, str, bytes]
DICOM_JSON = "application/dicom+json"


def described(content: bytes, location: str) -> dict[str, Any]:
    data_set = pydicom.dcmread(BytesIO(content))
    metadata: dict[str, Any] = data_set.to_json_dict(
        bulk_data_threshold=1024, bulk_data_element_handler=lambda _: location
    )
    syntax = str(data_set.file_meta.TransferSyntaxUID)
    return metadata | {"00083002": {"vr": "UI", "Value": [syntax]}}


def send(client: Client, *parts: Part, study: str = "") -> httpx.Response:
    body = b"".join(
        f"\r\n--cut\r\nContent-Type: {kind}\r\nContent-Location: {place}\r\n\r\n".encode() + content
        for kind, place, content in parts
    )
    kind = f'multipart/related; type="{DICOM_JSON}"; boundary=cut'
    address = f"{client.server.dicomweb}/studies" + (f"/{study}" if study else "")
    headers = client.headers | {"Content-Type": kind}
    return httpx.post(address, content=body + b"\r\n--cut--", headers=headers)


@pytest.mark.parametrize("name", ["CT_small.dcm", "SC_rgb_small_odd.dcm", "MR_small_RLE.dcm",
                                  "MR_small_jpeg_ls_lossless.dcm"])  # fmt: skip
def test_an_object_in_two_parts_is_the_same_picture(server: Server, name: str) -> None:
    client, content = Client.of(server), (PYDICOM_FILES / name).read_bytes()
    source = pydicom.dcmread(BytesIO(content))
    syntax, kind, pixels = str(source.file_meta.TransferSyntaxUID), "", source.PixelData
    if source.file_meta.TransferSyntaxUID.is_encapsulated:
        kind = "image/dicom-rle" if syntax.endswith(".5") else "image/jls"
        (pixels,) = pydicom.encaps.generate_frames(source.PixelData, number_of_frames=1)
    metadata = described(content, "here/1")
    metadata["7FE00010"] = {"vr": "OW", "BulkDataURI": "here/1"}
    answer = send(
        client,
        (DICOM_JSON, "", orjson.dumps([metadata])),
        ((kind and f"{kind}; transfer-syntax={syntax}") or "application/octet-stream", "here/1",
         pixels),
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    path = f"/studies/{source.StudyInstanceUID}"
    given = client.get(path, accept='multipart/related; type="application/dicom"')
    start = given.content.index(b"\r\n\r\n") + 4
    read = pydicom.dcmread(BytesIO(given.content[start : given.content.rindex(b"\r\n--")]))
    assert np.array_equal(read.pixel_array, source.pixel_array)
    assert read.get("PatientName") == source.get("PatientName")
    assert answer.json()["00081199"]["Value"][0]["00081155"]["Value"] == [source.SOPInstanceUID]


def test_what_lacks_its_bulk_data_is_refused_and_its_neighbour_kept(server: Server) -> None:
    client, first, second = Client.of(server), a_picture(), a_picture()
    metadata = [described(first, "a"), described(second, "b")]
    for each, place in zip(metadata, "ab", strict=True):
        each["7FE00010"] = {"vr": "OB", "BulkDataURI": place}
    answer = send(
        client,
        (DICOM_JSON, "", orjson.dumps(metadata)),
        ("application/octet-stream", "b", bytes(64)),
    )
    assert answer.status_code == 202
    assert failures(answer) == [reasons.CANNOT_UNDERSTAND]
    assert len(blobs(server)) == 1


@pytest.mark.parametrize("metadata", [b"no JSON", b"[1]", b'[{"00080018": 7}]', b"[]"])
def test_metadata_that_cannot_be_read_leaves_nothing_behind(
    server: Server, metadata: bytes
) -> None:
    client = Client.of(server)
    answer = send(client, (DICOM_JSON, "", metadata))
    assert answer.status_code in (400, 409)
    assert blobs(server) == []
    assert client.found("/studies") == []
