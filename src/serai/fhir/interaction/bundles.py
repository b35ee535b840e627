"""Searchset and history Bundles (R4 §2.36), resources spliced in as stored."""

from __future__ import annotations

from typing import Any

import msgspec

from serai.fhir.body import encode
from serai.fhir.outcome import of_issues
from serai.fhir.search.page import Entry, Page
from serai.fhir.store import Versions
from serai.fhir.stored import Stored
from serai.kernel.clock import instant
from serai.kernel.errors import Issue


def search_bundle(page: Page, base: str) -> bytes:
    """What a lenient client sent in vain is told in an outcome entry."""
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if page.total is not None:
        bundle["total"] = page.total
    bundle["link"] = _links(page.links, base)
    entries = [_match(entry, base) for entry in page.entries]
    if page.ignored:
        entries.append(_left_out(page.ignored))
    if entries:
        bundle["entry"] = entries
    return encode(bundle)


def history_bundle(versions: Versions, base: str) -> bytes:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "history"}
    if versions.total is not None:
        bundle["total"] = versions.total
    bundle["link"] = _links(versions.links, base)
    if versions.entries:
        bundle["entry"] = [_version(one, base) for one in versions.entries]
    return encode(bundle)


def _links(links: dict[str, str], base: str) -> list[dict[str, str]]:
    return [{"relation": name, "url": f"{base}/{address}"} for name, address in links.items()]


def _match(entry: Entry, base: str) -> dict[str, Any]:
    return {
        "fullUrl": f"{base}/{entry.stored.reference}",
        "resource": msgspec.Raw(entry.content),
        "search": {"mode": entry.mode},
    }


def _left_out(names: tuple[str, ...]) -> dict[str, Any]:
    issues = tuple(
        Issue("not-supported", "search.ignored", severity="warning", details={"parameter": name})
        for name in names
    )
    return {"resource": msgspec.Raw(of_issues(issues)), "search": {"mode": "outcome"}}


def _version(one: Stored, base: str) -> dict[str, Any]:
    url = one.type if one.method == "POST" else one.reference
    entry: dict[str, Any] = {"fullUrl": f"{base}/{one.reference}"}
    if one.content is not None:
        entry["resource"] = msgspec.Raw(one.content)
    entry["request"] = {"method": one.method, "url": url}
    entry["response"] = {
        "status": "204" if one.deleted else "201" if one.version == 1 else "200",
        "etag": f'W/"{one.version}"',
        "lastModified": instant(one.last_updated),
    }
    return entry
