"""`/api/analyses`: how analyses stand, and asking for them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from serai.imaging.analysis import actions
from serai.imaging.analysis.actions import Desk
from serai.imaging.analysis.records import PER_PAGE, Analysis
from serai.imaging.analysis.registry import registered
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed
from serai.web.authentication import require_actor

router = APIRouter(prefix="/analyses", tags=["analyses"])

UID = r"[0-9]+(\.[0-9]+)*"
State = Literal["", "queued", "running", "done", "abstained", "failed"]


class AnalysisOut(BaseModel):
    """`why` is a stable key with its `details`; `result` are the figures and findings."""

    id: str
    study: str
    series: str
    analyser: str
    title: str
    revision: str
    fingerprint: str
    complete_because: str
    state: str
    tries: int
    why: str | None
    details: dict[str, Any]
    result: dict[str, Any]
    isolation: list[str]
    observation: str | None
    objects: list[str]
    asked_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, analysis: Analysis) -> AnalysisOut:
        known = asdict(analysis) | {"complete_because": analysis.reason}
        return cls(**{name: known[name] for name in cls.model_fields})


class Page(BaseModel):
    analyses: list[AnalysisOut]
    more: bool


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    study: str = Field(pattern=UID, max_length=64)
    series: str | None = Field(default=None, pattern=UID, max_length=64)
    analyser: str | None = Field(default=None, max_length=64)


class Queued(BaseModel):
    queued: int


class AnalyserOut(BaseModel):
    name: str
    title: str
    revision: str
    fingerprint: str
    intended_use: str
    limits: str
    licence: str
    manufacturer: str


def desk_of(request: Request) -> Desk:
    state = request.app.state
    return Desk(state.db, state.settings.home)


@router.get("", summary="Analyses of one study, or of your organisation's studies")
async def listed(
    request: Request,
    study: Annotated[str | None, Query(pattern=UID, max_length=64)] = None,
    state: State = "",
    start: Annotated[int, Query(alias="from", ge=0, le=1_000_000)] = 0,
) -> Page:
    _only(request, {"study"} if study else {"state", "from"})
    actor = require_actor(request)
    if study:
        found = await actions.see_study(desk_of(request), study, actor=actor)
        return Page(analyses=[AnalysisOut.of(each) for each in found], more=False)
    found = await actions.see(desk_of(request), state, start, actor=actor)
    shown = [AnalysisOut.of(each) for each in found[:PER_PAGE]]
    return Page(analyses=shown, more=len(found) > PER_PAGE)


@router.get("/analysers", summary="Which analysers are registered, models included")
async def analysers(request: Request) -> list[AnalyserOut]:
    require_actor(request)
    _only(request, ())
    found = await asyncio.to_thread(registered, desk_of(request).home)
    return [
        AnalyserOut(**{name: getattr(each, name) for name in AnalyserOut.model_fields})
        for each in found
    ]


@router.get("/{id}", summary="One analysis")
async def one(request: Request, id: str) -> AnalysisOut:
    _only(request, ())
    actor = require_actor(request)
    return AnalysisOut.of(await actions.see_one(desk_of(request), id, actor=actor))


@router.post("", status_code=202, summary="Analyse a study now")
async def ask(request: Request, body: Wanted) -> Queued:
    _only(request, ())
    desk = desk_of(request)
    queued = await actions.ask(
        desk,
        body.study,
        await asyncio.to_thread(registered, desk.home),
        actor=require_actor(request),
        now=utc_now(),
        series=body.series,
        name=body.analyser,
    )
    return Queued(queued=queued)


@router.post("/{id}/retry", status_code=202, summary="Try a failed analysis again")
async def retry(request: Request, id: str) -> Queued:
    _only(request, ())
    await actions.retry(desk_of(request), id, actor=require_actor(request), now=utc_now())
    return Queued(queued=1)


def _only(request: Request, known: Collection[str]) -> None:
    for name in request.query_params:
        if name not in known:
            raise Malformed("analysis.parameter", parameter=name[:40])
