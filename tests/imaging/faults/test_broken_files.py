"""Files with bytes changed anywhere: refused with a reason, or kept and shown without an error."""

from __future__ import annotations

import resource
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.imaging.objects import PYDICOM_FILES, with_own_uids
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

from serai.imaging.dataset.part10 import data_set_start

MEGABYTE = 1024 * 1024
# Each a way of writing of its own: implicit, big endian, deflated, in fragments, sequences,
# waveforms, several frames, a character set of several bytes.
NAMES = (
    "CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "JPEG2000.dcm", "rtplan.dcm",
    "waveform_ecg.dcm", "MR_small_RLE.dcm", "examples_overlay.dcm", "test-SR.dcm",
)  # fmt: skip
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["change", "cut", "put in", "end"]),
        # Behind the preamble: heads and lengths, or anywhere.
        st.one_of(st.integers(128, 1200), st.integers(128, 10_000_000)),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
)
READ = ("/metadata", "", "/rendered", "/thumbnail", "/frames/1", "/bulkdata/0-4/7FE00010")
ANYTHING = "*/*"


def changed(content: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    for kind, place, given_bytes in changes:
        at = 128 + place % max(1, len(content) - 128)
        before, behind = content[:at], content[at:]
        content = {
            "change": before + given_bytes + behind[len(given_bytes) :],
            "cut": before + behind[len(given_bytes) :],
            "put in": before + given_bytes + behind,
            "end": before,
        }[kind]
    return content


@pytest.fixture(scope="module")
def numbers() -> Callable[[], int]:
    counted = iter(range(10_000))
    return lambda: next(counted)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(name=st.sampled_from(NAMES), changes=CHANGES)
def test_a_broken_file_is_refused_with_a_reason_or_kept_and_shown(
    shared_server: Server,
    numbers: Callable[[], int],
    name: str,
    changes: list[tuple[str, int, bytes]],
) -> None:
    client = Client.of(shared_server)
    content = with_own_uids((PYDICOM_FILES / name).read_bytes(), numbers())
    answer = client.store(changed(content, changes))
    assert answer.status_code in (200, 409), answer.text
    for refused in _items(answer, "00081198") + _items(answer, "0008119A"):
        assert refused["00081197"]["Value"][0] > 0
        assert refused["00000902"]["Value"][0]
    for kept in _items(answer, "00081199"):
        path = kept["00081190"]["Value"][0].partition("/dicomweb")[2]
        for part in READ:
            assert client.get(f"{path}{part}", ANYTHING).status_code < 500, (part, path)
    assert client.get("/studies").status_code in (200, 204)


def test_a_deflated_file_of_kilobytes_that_unpacks_to_gigabytes_is_refused_in_bounded_memory(
    shared_server: Server,
) -> None:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    element = (0x7FE00010).to_bytes(4, "little")
    packed = packer.compress(element + b"OB\0\0" + (2000 * MEGABYTE).to_bytes(4, "little"))
    packed += b"".join(packer.compress(bytes(MEGABYTE)) for _ in range(2000)) + packer.flush()
    whole = (PYDICOM_FILES / "image_dfl.dcm").read_bytes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = Client.of(shared_server).store(whole[: data_set_start(whole)] + packed)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert answer.status_code == 409
    (refused,) = _items(answer, "0008119A")
    assert "too large" in refused["00000902"]["Value"][0]
    assert len(packed) < 3 * MEGABYTE
    assert grown_mb < 400


def _items(answer: httpx.Response, tag: str) -> list[Any]:
    found: list[Any] = answer.json().get(tag, {}).get("Value", [])
    return found
