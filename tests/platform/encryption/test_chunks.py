"""The sealed form: any part without the rest, and nothing that anybody changed."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serai.platform.blobs import Damaged
from serai.platform.encryption import chunks
from serai.platform.encryption.algorithms import ALGORITHMS
from serai.platform.encryption.chunks import CHUNK, HEADER, STEP, opened
from serai.platform.encryption.keyring import DataKey

KEYS = {
    name: DataKey("00112233445566ff", "objects", algorithm, os.urandom(algorithm.key_bytes))
    for name, algorithm in ALGORITHMS.items()
}
AES = KEYS["aes-256-gcm"]
BYTES = os.urandom(4 * CHUNK)
LENGTHS = st.sampled_from(
    [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 77]
) | st.integers(0, 4 * CHUNK)


def summed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def form_of(content: bytes, key: DataKey = AES) -> bytes:
    return chunks.sealed(key, summed(content), content)


def part(key: DataKey, form: bytes, digest: str, start: int, length: int | None) -> bytes:
    """Read as a store reads it: the header, then only the chunks it takes."""
    found = opened(key, form[:HEADER], digest)
    first, end = found.span(start, length)
    at, size = found.place(first, end) if end else (0, 0)
    return found.part(form[at : at + size], start, length)


@pytest.mark.parametrize("algorithm", sorted(KEYS))
@settings(max_examples=60, deadline=None)
@given(
    length=LENGTHS,
    start=st.integers(0, 5 * CHUNK),
    wanted=st.none() | st.integers(0, 3 * CHUNK),
)
def test_any_range_is_the_same_range_of_the_plain_bytes(
    algorithm: str, length: int, start: int, wanted: int | None
) -> None:
    content, key = BYTES[:length], KEYS[algorithm]
    form = form_of(content, key)
    assert len(form) == chunks.size_of(length)
    expected = content[start:] if wanted is None else content[start : start + wanted]
    assert part(key, form, summed(content), start, wanted) == expected


@settings(max_examples=200, deadline=None)
@given(length=LENGTHS, place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(length: int, place: float, bit: int) -> None:
    content = BYTES[:length]
    form = bytearray(form_of(content))
    at = int(place * len(form))
    form[at] ^= 1 << bit
    # The key's id in the header names another key, which opens nothing either.
    with pytest.raises(Damaged):
        part(AES, bytes(form), summed(content), 0, None)


@settings(max_examples=60, deadline=None)
@given(length=LENGTHS, kept=st.floats(0, 1, exclude_max=True))
def test_what_is_cut_off_is_found(length: int, kept: float) -> None:
    content = BYTES[:length]
    form = form_of(content)
    with pytest.raises(Damaged):
        part(AES, form[: int(kept * len(form))].ljust(HEADER, b"\0"), summed(content), 0, None)


@pytest.mark.parametrize("length", [1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_is_cut_off_between_two_chunks_or_added_is_found(length: int) -> None:
    content = BYTES[:length]
    form, digest = form_of(content), summed(content)
    found = opened(AES, form[:HEADER], digest)
    last = (chunks.count_of(length) - 1) * STEP
    for body in (form[HEADER : HEADER + last], form[HEADER:] + form[HEADER : HEADER + STEP]):
        with pytest.raises(Damaged):
            found.part(body, 0, None)


def test_chunks_that_change_places_are_found() -> None:
    form, digest = form_of(BYTES), summed(BYTES)
    first, second = HEADER, HEADER + STEP
    swapped = form[:first] + form[second : second + STEP] + form[first:second]
    swapped += form[second + STEP :]
    for start in (0, CHUNK):
        with pytest.raises(Damaged):
            part(AES, swapped, digest, start, 10)
    assert part(AES, swapped, digest, 2 * CHUNK, 10) == BYTES[2 * CHUNK :][:10]


def test_two_objects_that_change_places_are_found() -> None:
    one, other = BYTES[:CHUNK], BYTES[CHUNK : 2 * CHUNK]
    with pytest.raises(Damaged):
        part(AES, form_of(other), summed(one), 0, 10)


def test_a_chunk_of_another_object_or_of_an_older_form_of_the_same_is_found() -> None:
    form, older, digest = form_of(BYTES), form_of(BYTES), summed(BYTES)
    with pytest.raises(Damaged):
        part(AES, form[:HEADER] + older[HEADER:], digest, 0, 10)


def test_the_same_bytes_never_look_the_same_twice() -> None:
    one, other = form_of(bytes(CHUNK)), form_of(bytes(CHUNK))
    assert not {one[at : at + 16] for at in range(16, len(one) - 16)} & {
        other[at : at + 16] for at in range(16, len(other) - 16)
    }


def test_another_key_opens_nothing() -> None:
    other = DataKey(AES.id, AES.purpose, AES.algorithm, os.urandom(32))
    with pytest.raises(Damaged):
        opened(other, form_of(b"picture")[:HEADER])
