"""R4 §3.1.1: each of HL7's examples is created, found by every parameter that its definitions
extract a value for, and read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from tests.conformance.refused_examples import REFUSED
from tests.conformance.test_hl7_examples import content, example_files

from serai.fhir.definitions import search_parameters
from serai.fhir.search.extract import index
from serai.fhir.search.indexed import Indexed, QuantityValue, ReferenceValue, TokenValue

JSON = {"content-type": "application/fhir+json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
AT_ONCE = 4
MOST_BYTES = 4_000_000
LONGEST_TEXT = 100
# The 17 that are larger, Bundles of definitions, take as long as all others; that they come back
# equal is tested with the others in `test_hl7_examples`.
LARGEST = 1_000_000
# What it refers to is written as neither Type/id nor URL: nothing that a search could tell from
# the id of a resource here.
NOT_FOUND = {"Library-library-fhir-helpers.json": ["predecessor=library-fhir-helpers-predecessor"]}

Question = tuple[str, str]


def escaped(text: str) -> str:
    for special in "\\,$|":
        text = text.replace(special, "\\" + special)
    return text


def told(value: TokenValue | ReferenceValue) -> str:
    """As a client asks for it."""
    if isinstance(value, ReferenceValue):
        return escaped(value.url or f"{value.type}/{value.id}")
    if value.param.endswith(":of-type"):
        code, _, number = value.code.partition("|")
        return f"{escaped(value.system or '')}|{escaped(code)}|{escaped(number)}"
    if value.param == "_id":
        return escaped(value.code)
    return f"{escaped(value.system or '')}|{escaped(value.code)}"


def amount(value: QuantityValue) -> str:
    return f"ge{value.low:f}" if value.low != Decimal("-Infinity") else f"le{value.high:f}"


def single(found: Indexed) -> Iterator[Question]:
    """Everything but composites."""
    yield from equal(found)
    yield from ordered(found)


def keyed(found: Indexed) -> list[TokenValue | ReferenceValue]:
    return [*found.tokens, *found.references]


def equal(found: Indexed) -> Iterator[Question]:
    for one in keyed(found):
        yield one.param, told(one)
    for uri in found.uris:
        yield uri.param, escaped(uri.value)


def ordered(found: Indexed) -> Iterator[Question]:
    for text in found.strings:
        if text.held is None:
            yield text.param, escaped(text.value[:LONGEST_TEXT])
    for date in found.dates:
        if date.held is None:
            yield (
                date.param,
                f"ge{date.low:%Y-%m-%dT%H:%M:%SZ}"
                if date.low
                else f"le{date.high:%Y-%m-%dT%H:%M:%SZ}",
            )
    for number in found.quantities:
        if number.held is None:
            yield number.param, amount(number)
    for place in found.positions:
        yield place.param, f"{place.latitude}|{place.longitude}|1|km"


def composites(kind: str, found: Indexed) -> Iterator[Question]:
    """The value that is held, beside each of those that may hold it."""
    for pair in found.pairs:
        first, second = pair.components
        if first and second:
            yield pair.param, f"{told(first[0])}${told(second[0])}"
    beside = [(one.param, amount(one)) for one in found.quantities if one.held is not None]
    beside += [(one.param, f"ge{one.low:%Y-%m-%d}") for one in found.dates if one.held and one.low]
    beside += [(one.param, escaped(one.value[:LONGEST_TEXT])) for one in found.strings if one.held]
    for param, value in beside:
        holding = search_parameters(kind)[param].components[0].code
        firsts = {told(one) for one in keyed(found) if one.param == holding}
        if firsts and len(search_parameters(kind)[param].components) == 2:
            yield param, ",".join(f"{first}${value}" for first in sorted(firsts))


def questions(data: dict[str, Any]) -> list[Question]:
    """One for each parameter that has a value."""
    found = index(data)
    asked: dict[str, str] = {}
    for param, value in (*single(found), *composites(data["resourceType"], found)):
        asked.setdefault(param, value)
    return list(asked.items())


async def is_found(fhir: httpx.AsyncClient, data: dict[str, Any], asked: list[Question]) -> bool:
    body = urlencode([*asked, ("_count", "1000"), ("_elements", "id")])
    answer = await fhir.post(f"{data['resourceType']}/_search", content=body, headers=FORM)
    if not answer.is_success:
        return False
    return data["id"] in {one["resource"]["id"] for one in answer.json().get("entry", [])}


async def examined(fhir: httpx.AsyncClient, raw: bytes) -> list[str]:
    """What went wrong with one example: parameters that do not find it, or the read."""
    data = json.loads(raw, parse_float=Decimal)
    asked = questions(data)
    wrong: list[str] = []
    if not await is_found(fhir, data, asked):
        wrong = [f"{one[0]}={one[1]}" for one in asked if not await is_found(fhir, data, [one])]
        wrong = wrong or ["all together"]
    read = await fhir.get(f"{data['resourceType']}/{data['id']}")
    if content(read.content) != content(raw):
        wrong.append("came back different")
    return wrong


def batches(files: list[Path]) -> Iterator[list[Path]]:
    some: list[Path] = []
    size = 0
    for path in files:
        size += path.stat().st_size
        if some and size > MOST_BYTES:
            yield some
            some, size = [], path.stat().st_size
        some.append(path)
    yield some


async def create(fhir: httpx.AsyncClient, files: list[Path]) -> None:
    entries = []
    for path in files:
        raw = path.read_bytes()
        data = json.loads(raw)
        request = {"method": "PUT", "url": f"{data['resourceType']}/{data['id']}"}
        entries.append(f'{{"resource":{raw.decode()},"request":{json.dumps(request)}}}')
    bundle = f'{{"resourceType":"Bundle","type":"batch","entry":[{",".join(entries)}]}}'
    answer = await fhir.post("", content=bundle.encode(), headers=JSON)
    assert answer.status_code == 200, answer.text[:2000]
    statuses = {one["response"]["status"][:3] for one in answer.json()["entry"]}
    assert statuses == {"201"}, answer.text[:2000]


@pytest.mark.timeout(300)
async def test_each_example_is_found_by_every_parameter_it_has_a_value_for(
    fhir: httpx.AsyncClient,
) -> None:
    files = [
        one for one in example_files() if one.name not in REFUSED and one.stat().st_size <= LARGEST
    ]
    assert len(files) > 5250
    for some in batches(files):
        await create(fhir, some)
    waiting = iter(files)
    surprises: dict[str, list[str]] = {}

    async def worker() -> None:
        for path in waiting:
            if wrong := await examined(fhir, path.read_bytes()):
                surprises[path.name] = wrong

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    assert surprises == NOT_FOUND


async def test_a_parameter_that_does_not_find_an_example_is_named(fhir: httpx.AsyncClient) -> None:
    """The examination itself can fail."""
    raw = next(one for one in example_files() if one.name == "Patient-example.json").read_bytes()
    await create(fhir, [next(one for one in example_files() if one.name == "Patient-f001.json")])
    assert "gender=http://hl7.org/fhir/administrative-gender|male" in (await examined(fhir, raw))
