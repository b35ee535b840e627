"""`/api/studies`: links to a study, and studies as zip or disc image."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from serai.care.sharing import actions
from serai.care.sharing.actions import Sharing
from serai.care.sharing.model import LONGEST, MOST_VIEWS, Event, Link, Purpose, Wanted
from serai.fhir.visibility import require
from serai.imaging import media
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid
from serai.web.authentication import require_actor

router = APIRouter(prefix="/studies", tags=["studies"])

MOST_STUDIES = 100
Uid = Annotated[str, Field(max_length=64)]


class LinkIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    days: int = Field(ge=1, le=LONGEST.days)
    hides_name: bool = False
    passcode: bool = True
    download: bool = False
    most_views: int | None = Field(default=None, ge=1, le=MOST_VIEWS)

    def wanted(self) -> Wanted:
        return Wanted(
            purpose=self.purpose,
            lasts=timedelta(days=self.days),
            hides_name=self.hides_name,
            passcode=self.passcode,
            download=self.download,
            most_views=self.most_views,
        )


class MadeOut(BaseModel):
    id: str
    address: str = Field(description="Told once: only a hash of its secret is kept")
    passcode: str = Field(description="Told once; empty when none was asked for")


class EventOut(BaseModel):
    at: datetime
    act: str
    address: str


class LinkOut(BaseModel):
    id: str
    purpose: Purpose
    made_by: str
    made_at: datetime
    expires_at: datetime
    state: str
    hides_name: bool
    passcode: bool
    download: bool
    most_views: int | None
    views: int
    events: list[EventOut]

    @classmethod
    def of(cls, link: Link, events: tuple[Event, ...], now: datetime) -> LinkOut:
        return cls(
            id=link.id,
            purpose=link.purpose,
            made_by=link.made_by_name,
            made_at=link.made_at,
            expires_at=link.expires_at,
            state=link.state(now).value,
            hides_name=link.hides_name,
            passcode=link.passcode_hash is not None,
            download=link.download,
            most_views=link.most_views,
            views=link.views,
            events=[EventOut(at=one.at, act=one.act, address=one.address) for one in events],
        )


@router.get("/media.{form}", summary="Several studies as one zip archive or disc image")
async def several(
    request: Request,
    form: Literal["zip", "iso"],
    study: Annotated[list[Uid], Query(min_length=1, max_length=MOST_STUDIES)],
) -> Response:
    return await _media(request, list(dict.fromkeys(study)), form)


@router.get("/{study}/media.{form}", summary="A study as zip archive or disc image")
async def one(request: Request, study: Uid, form: Literal["zip", "iso"]) -> Response:
    return await _media(request, [study], form)


@router.get("/{study}/links", summary="The links of your organisation to a study")
async def links(request: Request, study: Uid) -> list[LinkOut]:
    now = utc_now()
    found = await actions.overview(_sharing(request), study, actor=require_actor(request))
    return [LinkOut.of(link, events, now) for link, events in found.links]


@router.post("/{study}/links", status_code=201, summary="Make a link to a study")
async def make(request: Request, study: Uid, body: LinkIn) -> MadeOut:
    actor = require_actor(request)
    made = await actions.make(_sharing(request), study, body.wanted(), actor=actor, now=utc_now())
    address = f"{request.app.state.settings.public_url}/link/{made.secret}"
    return MadeOut(id=made.id, address=address, passcode=made.passcode)


@router.delete("/{study}/links/{link}", status_code=204, summary="Revoke a link at once")
async def revoke(request: Request, study: Uid, link: Uid) -> None:
    actor = require_actor(request)
    await actions.revoke(_sharing(request), study, link, actor=actor, now=utc_now())


def _sharing(request: Request) -> Sharing:
    return Sharing(request.app.state.db)


async def _media(request: Request, studies: list[str], form: str) -> Response:
    if "\0" in "".join(studies):
        raise Invalid("sharing.no-such-study")
    actor, state, now = require_actor(request), request.app.state, utc_now()
    require(actor, "r", "ImagingStudy")
    contents = await media.gathered(state.db, studies, actor=actor, now=now)
    origin = state.settings.public_url
    if form == "iso":
        return await media.disc_answer(contents, state.blobs, origin, now)
    return media.zip_answer(contents, state.blobs, origin, now)
