"""Bytes in, bytes out: what is kept, what is refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serai.fhir import body
from serai.kernel.errors import Malformed, SeraiError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def stamped(raw: bytes) -> bytes:
    return body.stamp(body.parse(raw), id="1", version=2, at=NOON)


def test_the_server_sets_id_and_version_and_leaves_the_rest_as_sent() -> None:
    raw = (
        b'{ "active": true, "meta": {"versionId": "9", "tag": [{"code": "x"}]},'
        b' "resourceType": "Patient", "id": "z", "a": 1.10, "b": 1E-8, "c": "\\u00e9 {" }'
    )
    assert stamped(raw) == (
        b'{"resourceType":"Patient","id":"1","meta":{"versionId":"2",'
        b'"lastUpdated":"2026-11-23T12:00:00.000Z","tag":[{"code":"x"}]},'
        b'"active":true,"a":1.10,"b":1E-8,"c":"\\u00e9 {"}'
    )


@pytest.mark.parametrize(
    "raw",
    [
        b'{"resourceType":"Patient","id":"1","id":"2"}',
        b'{"resourceType":"Patient","name":[{"family":"a","family":"a"}]}',
        b'{"resourceType":"Patient","a":{"":1,"":2}}',
    ],
)
def test_a_key_given_twice_is_refused_at_any_depth(raw: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        body.parse(raw)
    assert refused.value.key == "fhir.duplicate-key"


def test_text_that_looks_like_keys_is_only_text() -> None:
    raw = b'{"resourceType":"Patient","a":"\\":\\"","b\\"":"\\\\","c":"\\u0022:"}'
    assert body.parse(raw).data["a"] == '":"'


def test_only_a_real_nul_character_is_refused() -> None:
    assert body.parse(b'{"resourceType":"Patient","a":"\\\\u0000"}').data["a"] == "\\u0000"
    with pytest.raises(Malformed):
        body.parse(b'{"resourceType":"Patient","a":["\\u0000"]}')


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(SeraiError):
        body.parse(raw)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_what_was_made_here_can_be_read_again(data: dict[str, object]) -> None:
    data |= {"resourceType": "Basic"}
    assert body.of(data).data == data
