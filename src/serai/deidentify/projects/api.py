"""`/api/deidentification`: projects for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from serai.deidentify.profile.options import Option
from serai.deidentify.projects import actions
from serai.deidentify.projects.actions import Desk
from serai.deidentify.projects.model import (
    LONGEST_NAME,
    LONGEST_PURPOSE,
    MOST_AT_ONCE,
    Listed,
    Project,
    Result,
    Seen,
    Terms,
    Writing,
)
from serai.kernel.clock import utc_now
from serai.web.authentication import require_actor

router = APIRouter(prefix="/deidentification", tags=["de-identification"])


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProjectIn(Strict):
    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    purpose: str = Field(min_length=1, max_length=LONGEST_PURPOSE)
    options: list[Option] = Field(default=[], description="Options of PS3.15 Annex E")
    writing: Writing = Field(
        default=Writing.ALL, description="Which burned-in writing is painted over"
    )
    stored: bool = Field(default=False, description="Keep the new studies in the archive")


class StudiesIn(Strict):
    studies: list[str] = Field(
        min_length=1, max_length=MOST_AT_ONCE, description="Study Instance UIDs"
    )


class MemberIn(Strict):
    login: str = Field(min_length=1, max_length=80)


class QuestionIn(Strict):
    subject: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=500)


class ResultOut(BaseModel):
    studies: int
    subjects: int
    objects: int
    size: int
    regions: int
    identifying: int

    @classmethod
    def of(cls, result: Result) -> ResultOut:
        return cls(**{name: getattr(result, name) for name in cls.model_fields})


class ProjectOut(BaseModel):
    id: str
    name: str
    purpose: str
    options: list[Option]
    writing: Writing
    stored: bool
    keeper: str
    created_at: datetime
    result: ResultOut

    @classmethod
    def of(cls, project: Project, result: Result) -> ProjectOut:
        terms = project.terms
        return cls(
            id=project.id,
            name=terms.name,
            purpose=terms.purpose,
            options=sorted(terms.options),
            writing=terms.writing,
            stored=terms.stored,
            keeper=project.keeper_name,
            created_at=project.created_at,
            result=ResultOut.of(result),
        )


class RunOut(BaseModel):
    status: str
    done: int
    total: int | None
    error: str | None


class SeenOut(ProjectOut):
    """`left_out` counts objects by the key of the reason."""

    members: list[str]
    studies: list[str]
    left_out: dict[str, int]
    run: RunOut | None

    @classmethod
    def all_of(cls, seen: Seen) -> SeenOut:
        run = seen.progress
        return cls(
            **ProjectOut.of(seen.project, seen.result).model_dump(),
            members=list(seen.members),
            studies=[one.uid for one in seen.studies],
            left_out=dict(seen.refusals),
            run=RunOut(status=run.status, done=run.done, total=run.total, error=run.error)
            if run
            else None,
        )


class Page(BaseModel):
    projects: list[ProjectOut]
    more: bool


class Known(BaseModel):
    id: str


class KnownAs(BaseModel):
    known_as: list[str]


def archive_headers(id: str) -> dict[str, str]:
    """Of the zip archive, wherever it is given."""
    name = f'attachment; filename="deidentified-{id}.zip"'
    return {"Content-Disposition": name, "Cache-Control": "no-store"}


def desk_of(request: Request) -> Desk:
    state = request.app.state
    return Desk(state.db, state.blobs, state.keys)


@router.get("", summary="The projects you are a member of, the newest first")
async def list_projects(request: Request, start: Annotated[int, Query(ge=0)] = 0) -> Page:
    rows, more = await actions.see_all(desk_of(request), start, actor=require_actor(request))
    return Page(projects=[_listed(row) for row in rows], more=more)


@router.post("", status_code=201, summary="Agree on a project; whoever does keeps it")
async def create_project(request: Request, asked: ProjectIn) -> Known:
    actor = require_actor(request)
    terms = Terms.agreed(
        asked.name, asked.purpose, asked.options, writing=asked.writing, stored=asked.stored
    )
    return Known(id=await actions.create(desk_of(request), terms, actor=actor, now=utc_now()))


@router.get("/{id}", summary="One project: its studies, its latest run, what came of it")
async def read_project(request: Request, id: str) -> SeenOut:
    return SeenOut.all_of(await actions.see(desk_of(request), id, actor=require_actor(request)))


@router.delete("/{id}", status_code=204, summary="End a project; nothing leads back any more")
async def discard_project(request: Request, id: str) -> None:
    await actions.discard(desk_of(request), id, actor=require_actor(request), now=utc_now())


@router.post("/{id}/studies", status_code=204, summary="Choose studies, all of them or none")
async def add_studies(request: Request, id: str, asked: StudiesIn) -> None:
    await actions.add_studies(
        desk_of(request), id, asked.studies, actor=require_actor(request), now=utc_now()
    )


@router.delete("/{id}/studies/{uid}", status_code=204, summary="Take a study out again")
async def remove_study(request: Request, id: str, uid: str) -> None:
    actor = require_actor(request)
    await actions.remove_study(desk_of(request), id, uid, actor=actor, now=utc_now())


@router.post("/{id}/members", status_code=204, summary="Let a colleague work on the project")
async def invite(request: Request, id: str, asked: MemberIn) -> None:
    actor = require_actor(request)
    await actions.invite(desk_of(request), id, asked.login, actor=actor, now=utc_now())


@router.post("/{id}/run", status_code=202, summary="De-identify what has not been yet")
async def run(request: Request, id: str) -> Known:
    actor = require_actor(request)
    return Known(id=await actions.run(desk_of(request), id, actor=actor, now=utc_now()))


@router.get("/{id}/objects.zip", summary="All new objects", response_class=StreamingResponse)
async def download(request: Request, id: str) -> StreamingResponse:
    parts = await actions.download(
        desk_of(request), id, actor=require_actor(request), now=utc_now()
    )
    return StreamingResponse(parts, media_type="application/zip", headers=archive_headers(id))


@router.post("/{id}/who-is", summary="Who a subject is; for the keeper alone, and remembered")
async def who_is(request: Request, id: str, asked: QuestionIn) -> KnownAs:
    found = await actions.who_is(
        desk_of(request),
        id,
        asked.subject,
        asked.reason,
        actor=require_actor(request),
        now=utc_now(),
    )
    return KnownAs(known_as=found)


def _listed(row: Listed) -> ProjectOut:
    return ProjectOut.of(row.project, row.result)
