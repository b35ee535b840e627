"""All of HL7's R4 examples go in by PUT and POST and come back equal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conformance.refused_examples import REFUSED

EXAMPLES = Path("node_modules/hl7.fhir.r4.examples")
JSON = {"content-type": "application/fhir+json"}
AT_ONCE = 4


def content(raw: bytes) -> Any:
    """The resource without what the server sets; decimals as written, so that 1.0 is not 1.00."""
    data = json.loads(raw, parse_float=lambda digits: ("decimal", digits))
    meta = data.get("meta", {})
    for name in ("versionId", "lastUpdated"):
        meta.pop(name, None)
    if not meta:
        data.pop("meta", None)
    return data


async def round_trip(fhir: httpx.AsyncClient, raw: bytes) -> str | None:
    """None when it came back equal both ways, else what happened."""
    sent = content(raw)
    kind = sent["resourceType"]
    put = await fhir.put(f"{kind}/{sent['id']}", content=raw, headers=JSON)
    if not put.is_success:
        return f"PUT {put.status_code}: {put.text[:300]}"
    read = await fhir.get(f"{kind}/{sent['id']}")
    if content(read.content) != sent:
        return "PUT came back different"
    post = await fhir.post(kind, content=raw, headers=JSON)
    if not post.is_success:
        return f"POST {post.status_code}"
    made = content(post.content)
    if made | {"id": sent["id"]} != sent:
        return "POST came back different"
    return None


def example_files() -> list[Path]:
    """The package's own manifest files are no resources."""
    files = sorted(EXAMPLES.glob("*.json"))
    return [one for one in files if one.name != "package.json" and not one.name.startswith(".")]


@pytest.mark.timeout(600)
async def test_hl7_examples_come_back_equal(fhir: httpx.AsyncClient) -> None:
    files = example_files()
    assert len(files) > 5000
    queue = iter(files)
    outcomes: dict[str, str] = {}

    async def worker() -> None:
        for path in queue:
            outcome = await round_trip(fhir, path.read_bytes())
            if outcome is not None:
                outcomes[path.name] = outcome

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    surprises = {name: why for name, why in outcomes.items() if name not in REFUSED}
    assert surprises == {}
    assert set(outcomes) == set(REFUSED)
