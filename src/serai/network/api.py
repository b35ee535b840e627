"""`/api/organisations`: the network for programs that speak no FHIR."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from serai.network.directory import Directory, Organisation, directory
from serai.network.model import Tier
from serai.web.authentication import require_actor

router = APIRouter(tags=["organisations"])


class OrganisationOut(BaseModel):
    """One organisation; `names` maps languages to names."""

    id: str
    tier: Tier | None
    name: str
    names: dict[str, str]
    part_of: str | None
    country: str
    city: str
    active: bool
    specialties: list[str]


class OrganisationList(BaseModel):
    total: int
    organisations: list[OrganisationOut]


@router.get("/organisations")
async def list_organisations(
    request: Request,
    tier: Tier | None = None,
    specialty: str | None = None,
    q: Annotated[str, Query(max_length=200)] = "",
    start: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> OrganisationList:
    """Organisations in the order of their tiers, filtered by tier, specialty and words."""
    network = await _directory(request)
    found = [
        one
        for one in network.organisations
        if (tier is None or one.tier is tier)
        and (specialty is None or specialty in network.offering(one.id))
        and one.matches(q)
    ]
    page = found[start : start + count]
    return OrganisationList(total=len(found), organisations=[_out(network, one) for one in page])


@router.get("/organisations/{id}")
async def read_organisation(request: Request, id: str) -> OrganisationOut:
    """One organisation by its id."""
    network = await _directory(request)
    return _out(network, network.get(id))


async def _directory(request: Request) -> Directory:
    actor = require_actor(request)
    async with request.app.state.db.connection() as c:
        return await directory(c, request.app.state.fhir, actor=actor)


def _out(network: Directory, one: Organisation) -> OrganisationOut:
    return OrganisationOut(
        id=one.id,
        tier=one.tier,
        name=one.name,
        names=dict(one.names),
        part_of=one.parent,
        country=one.country,
        city=one.city,
        active=one.active,
        specialties=list(network.offering(one.id)),
    )
