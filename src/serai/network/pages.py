"""Pages about the network: all organisations, one organisation with its people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.network.directory import (
    Directory,
    Organisation,
    all_staff,
    directory,
    staff_of,
)
from serai.network.model import Tier
from serai.network.wording import SPECIALTY_NAMES, TIERS
from serai.platform.auth.roles import ROLES
from serai.web.authentication import require_staff
from serai.web.languages import N_
from serai.web.navigation import NavItem
from serai.web.rendering import render

PATH = "/organisations"
STAFF_PATH = "/staff"
PER_PAGE = 50
NAVIGATION = (NavItem(N_("Network"), PATH, "building", home_for=frozenset({"admin"})),)

TONES: Mapping[Tier, str] = {
    Tier.LEAD: "info",
    Tier.COUNTY: "success",
    Tier.TOWNSHIP: "neutral",
    Tier.VILLAGE: "neutral",
    Tier.PARTNER: "warning",
}


def routes() -> list[Route]:
    return [
        Route(PATH, list_organisations, methods=["GET"]),
        Route(PATH + "/{id}", show_organisation, methods=["GET"]),
        Route(STAFF_PATH, list_staff, methods=["GET"]),
    ]


async def list_organisations(request: Request) -> Response:
    network = await _directory(request)
    words = request.query_params.get("q", "").strip()[:200]
    tier = request.query_params.get("tier", "")
    start = _start(request.query_params.get("from", ""))
    rows = [(depth, one) for depth, one in network.tree() if one.matches(words)]
    counts = Counter(one.tier for _, one in rows)
    if tier:
        rows = [(depth, one) for depth, one in rows if one.tier == tier]
    flat = bool(words or tier)
    return render(
        request,
        "network/organisations.html",
        fragment="results",
        network=network,
        rows=[(0 if flat else depth, one) for depth, one in rows[start : start + PER_PAGE]],
        found=len(rows),
        start=start,
        counts=counts,
        tier=tier,
        words=words,
        tiers=TIERS,
        tones=TONES,
        previous=_page(PATH, start - PER_PAGE, tier=tier, q=words) if start else "",
        next=_page(PATH, start + PER_PAGE, tier=tier, q=words)
        if start + PER_PAGE < len(rows)
        else "",
    )


async def show_organisation(request: Request) -> Response:
    actor = require_staff(request)
    async with request.app.state.db.connection() as c:
        network = await directory(c, request.app.state.fhir, actor=actor)
        one = network.get(request.path_params["id"])
        staff = await staff_of(c, request.app.state.fhir, one.id, actor=actor)
    return render(
        request,
        "network/organisation.html",
        one=one,
        staff=staff,
        network=network,
        above=list(reversed(network.above(one.id))),
        children=network.children(one.id),
        below=_count_below(network, one),
        tiers=TIERS,
        tones=TONES,
        specialty_names=SPECIALTY_NAMES,
    )


async def list_staff(request: Request) -> Response:
    actor = require_staff(request)
    async with request.app.state.db.connection() as c:
        network = await directory(c, request.app.state.fhir, actor=actor)
        everybody = await all_staff(c, request.app.state.fhir, actor=actor)
    words = request.query_params.get("q", "").strip()[:200]
    role = request.query_params.get("role", "")
    start = _start(request.query_params.get("from", ""))
    found = [one for one in everybody if one.matches(words)]
    counts = Counter(one.role for one in found)
    shown = [one for one in found if not role or one.role == role]
    return render(
        request,
        "network/staff.html",
        fragment="results",
        network=network,
        rows=shown[start : start + PER_PAGE],
        found=len(shown),
        start=start,
        counts=counts,
        role=role,
        roles=ROLES,
        words=words,
        specialty_names=SPECIALTY_NAMES,
        previous=_page(STAFF_PATH, start - PER_PAGE, role=role, q=words) if start else "",
        next=_page(STAFF_PATH, start + PER_PAGE, role=role, q=words)
        if start + PER_PAGE < len(shown)
        else "",
    )


async def _directory(request: Request) -> Directory:
    actor = require_staff(request)
    async with request.app.state.db.connection() as c:
        return await directory(c, request.app.state.fhir, actor=actor)


def _count_below(network: Directory, one: Organisation) -> Counter[Tier | None]:
    counts: Counter[Tier | None] = Counter()
    waiting: list[Organisation] = list(_children(network, one))
    while waiting:
        child = waiting.pop()
        counts[child.tier] += 1
        waiting += _children(network, child)
    return counts


def _children(network: Directory, one: Organisation) -> Sequence[Organisation]:
    return network.children(one.id)


def _start(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 7 else 0


def _page(path: str, start: int, **query: str) -> str:
    kept = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(kept | {'from': max(start, 0)})}"
