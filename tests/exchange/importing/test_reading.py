"""FHIR files taken apart into what is imported whole or not at all."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from serai.exchange.importing import limits
from serai.exchange.importing.chunks import chunks
from serai.exchange.importing.reading import Part, parts
from serai.exchange.importing.recognise import HEAD, Form, recognise
from serai.exchange.importing.sources import Source


def read(content: bytes, form: Form | None = None) -> list[Part]:
    form = form or recognise(content[:HEAD])
    return list(parts(Source("file", len(content), form, lambda: io.BytesIO(content))))


def bundle(kind: str, *entries: dict[str, Any]) -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()


def requests(found: list[Part]) -> list[list[tuple[str, str]]]:
    return [
        [(str(e.request["method"]), str(e.request["url"])) for e in part.entries if e.request]
        for part in found
    ]


PATIENT = {"resourceType": "Patient", "id": "p1"}
NAMELESS = {"resourceType": "Observation"}


def test_a_resource_with_an_id_keeps_it_and_one_without_gets_one() -> None:
    assert requests(read(json.dumps(PATIENT).encode())) == [[("PUT", "Patient/p1")]]
    assert requests(read(json.dumps(NAMELESS).encode())) == [[("POST", "Observation")]]


def test_every_line_of_ndjson_stands_for_itself_and_names_its_place() -> None:
    found = read(b'{"resourceType":"Patient"}\n\n{"broken": \n{"resourceType":"Patient"}\n')
    assert [part.place for part in found] == ["line 1", "line 3", "line 4"]
    assert [part.position for part in found] == [0, 1, 2]
    assert [part.error is None for part in found] == [True, False, True]


@pytest.mark.parametrize("kind", ["transaction", "collection", "searchset"])
def test_entries_that_may_point_at_each_other_are_one_part(kind: str) -> None:
    found = read(bundle(kind, {"resource": PATIENT}, {"resource": NAMELESS}))
    assert requests(found) == [[("PUT", "Patient/p1"), ("POST", "Observation")]]


def test_what_a_search_says_about_itself_is_not_a_record() -> None:
    outcome = {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}
    assert len(read(bundle("searchset", {"resource": PATIENT}, outcome))[0].entries) == 1


def test_entries_of_a_batch_stand_for_themselves() -> None:
    request = {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=a|1"}
    found = read(
        bundle(
            "batch",
            {"resource": PATIENT, "request": request},
            {"request": {"method": "PATCH", "url": "Patient/1"}},
        )
    )
    assert [part.place for part in found] == ["entry 1", "entry 2"]
    assert found[1].error is not None
    assert found[1].error.key == "import.method"


def test_a_document_is_kept_as_one_resource() -> None:
    assert requests(read(bundle("document"))) == [[("POST", "Bundle")]]


def test_a_history_is_refused() -> None:
    (part,) = read(bundle("history"))
    assert part.error is not None
    assert part.error.key == "import.bundle-type"


def test_decimals_keep_their_digits() -> None:
    (part,) = read(b'{"resourceType":"Observation","valueQuantity":{"value":1.00}}')
    assert b"1.00" in bytes(part.entries[0].resource)


def test_an_endless_line_is_refused_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINE_BYTES", 100)
    content = b'{"a": "' + b"x" * 500 + b'"}\n{"resourceType":"Patient"}\n'
    found = read(content, Form.NDJSON)
    assert [part.error is None for part in found] == [False, True]


def test_ndjson_with_a_very_long_first_line_is_still_ndjson() -> None:
    long = b'{"resourceType":"Binary","data":"' + b"A" * 2 * HEAD + b'"}'
    content = long + b'\n{"resourceType":"Patient"}\n'
    assert len(read(content, Form.JSON)) == 2
    assert len(read(long, Form.JSON)) == 1


def test_parts_share_a_transaction_unless_they_write_the_same() -> None:
    line = b'{"resourceType":"Patient","id":"%d"}\n'
    found = read(b"".join(line % (number % 4) for number in range(6)))
    together = list(chunks(found))
    assert [len(chunk.parts) for chunk in together] == [4, 2]
    assert [chunk.last for chunk in together] == [False, True]
