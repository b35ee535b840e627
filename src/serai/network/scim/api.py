"""The endpoints of SCIM (RFC 7644 §3.2) for the organisation whose token asks.

What an organisation's directory may do ends at its own staff: an account of another organisation
is not there for it, though its login is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SeraiError,
    Stale,
    Unsupported,
)
from serai.network.scim import schemas
from serai.network.scim.filtering import Filter, parse_filter
from serai.network.scim.groups import as_group, joined
from serai.network.scim.outcome import answer, body_of, listed, refusal
from serai.network.scim.patching import patched
from serai.network.scim.schemas import Data
from serai.network.scim.users import as_person as wanted_person
from serai.network.scim.users import as_user, renamed, version
from serai.network.staff.changing import Feed, as_person, carry_out_one
from serai.network.staff.model import Change, Person, Step, differing
from serai.platform.auth import feeds
from serai.platform.auth.feeds import Fed
from serai.platform.auth.roles import ROLES, known_role
from serai.platform.auth.tokens import STAFF_FEED
from serai.platform.db import Connection
from serai.web.authentication import require_actor

PATH = "/scim/v2"
PARAMETERS = frozenset({"filter", "startIndex", "count", "attributes", "excludedAttributes"})


def application() -> Starlette:
    """To be mounted at `PATH`; its state is that of the whole application."""
    return Starlette(
        routes=[
            Route("/Users", list_users, methods=["GET"]),
            Route("/Users", create_user, methods=["POST"]),
            Route("/Users/{id}", read_user, methods=["GET"]),
            Route("/Users/{id}", replace_user, methods=["PUT"]),
            Route("/Users/{id}", patch_user, methods=["PATCH"]),
            Route("/Users/{id}", delete_user, methods=["DELETE"]),
            Route("/Groups", list_groups, methods=["GET"]),
            Route("/Groups/{id}", read_group, methods=["GET"]),
            Route("/Groups/{id}", patch_group, methods=["PATCH"]),
            Route("/ServiceProviderConfig", show_service_provider, methods=["GET"]),
            Route("/ResourceTypes", list_resource_types, methods=["GET"]),
            Route("/ResourceTypes/{id}", read_resource_type, methods=["GET"]),
            Route("/Schemas", list_schemas, methods=["GET"]),
            Route("/Schemas/{id}", read_schema, methods=["GET"]),
        ],
        exception_handlers={SeraiError: refusal, HTTPException: _not_offered},
    )


async def list_users(request: Request) -> Response:
    wanted, start, count = _asked(request)
    found = [one for one in await _all(request) if wanted.admits(one)]
    page = found[start - 1 : start - 1 + count]
    base = _base(request)
    return listed([as_user(one, base) for one in page], total=len(found), start=start)


async def create_user(request: Request) -> Response:
    """Signs nobody in: the person gets a link from an administrator to choose a password."""
    feed_of = _feeding(request)
    person = _right(wanted_person(await body_of(request), _organisation(request)))
    async with request.app.state.db.transaction() as tx:
        taken = await feeds.fed_by_login(tx, [person.login])
        if taken:
            raise Conflict("account.login-taken", login=person.login)
        step = Change(Step.JOIN, None, person)
        account = await carry_out_one(feed_of(tx), step)
        if not person.active:
            await carry_out_one(feed_of(tx), Change(Step.LEAVE, person, person))
        made = await feeds.fed_to_change(tx, person.organisation, account.id)
    return _shown(request, made, status=201)


async def read_user(request: Request) -> Response:
    async with request.app.state.db.connection() as c:
        found = await feeds.fed_to_change(c, _organisation(request), request.path_params["id"])
    _note(request, "scim.read")
    if request.headers.get("if-none-match") == version(found):
        return Response(status_code=304, headers={"ETag": version(found)})
    return _shown(request, found)


async def replace_user(request: Request) -> Response:
    user = await body_of(request)
    return await _alter(request, lambda _before: user)


async def patch_user(request: Request) -> Response:
    operations = await body_of(request)
    return await _alter(request, lambda before: renamed(patched(before, operations), before))


async def delete_user(request: Request) -> Response:
    """The account is closed and stays for the audit; for the directory it is gone."""
    feed_of, organisation = _feeding(request), _organisation(request)
    async with request.app.state.db.transaction() as tx:
        found = await feeds.fed_to_change(tx, organisation, request.path_params["id"])
        _unchanged(request, found)
        person = as_person(found)
        if person.active:
            await carry_out_one(feed_of(tx), Change(Step.LEAVE, person, person))
        await feeds.remove(tx, found.account, utc_now())
    return Response(status_code=204)


async def list_groups(request: Request) -> Response:
    wanted = request.query_params.get("filter")
    if wanted is not None:
        raise Invalid("scim.filter", filter=wanted[:100])
    staff = await _all(request)
    groups = [as_group(role, staff, _base(request)) for role in ROLES]
    return listed(groups, total=len(groups), start=1)


async def read_group(request: Request) -> Response:
    role = _role(request)
    return answer(as_group(role, await _all(request), _base(request)))


async def patch_group(request: Request) -> Response:
    """Who is added has the role from now on; a role is left by taking another."""
    role, ids = _role(request), joined(await body_of(request))
    feed_of, organisation = _feeding(request), _organisation(request)
    async with request.app.state.db.transaction() as tx:
        for one in ids:
            found = await feeds.fed_to_change(tx, organisation, one)
            before = as_person(found)
            after = replace(before, role=role)
            if before.role != role:
                await carry_out_one(feed_of(tx), Change(Step.MOVE, before, after, ("role",)))
        staff = await feeds.fed_of(tx, [organisation])
    return answer(as_group(role, staff, _base(request)))


async def show_service_provider(request: Request) -> Response:
    _organisation(request)
    return answer(schemas.service_provider())


async def list_resource_types(request: Request) -> Response:
    _organisation(request)
    found = schemas.resource_types()
    return listed(found, total=len(found), start=1)


async def read_resource_type(request: Request) -> Response:
    return _one(request, schemas.resource_types())


async def list_schemas(request: Request) -> Response:
    _organisation(request)
    found = schemas.schemas()
    return listed(found, total=len(found), start=1)


async def read_schema(request: Request) -> Response:
    return _one(request, schemas.schemas())


async def _not_offered(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    kind = Unsupported("scim.not-offered") if status == 405 else NotFound("scim.unknown")
    response = await refusal(request, kind)
    response.status_code = 501 if status == 405 else 404
    return response


async def _alter(request: Request, change: Callable[[Data], Data]) -> Response:
    feed_of, organisation = _feeding(request), _organisation(request)
    async with request.app.state.db.transaction() as tx:
        found = await feeds.fed_to_change(tx, organisation, request.path_params["id"])
        _unchanged(request, found)
        before = as_person(found)
        after = _right(wanted_person(change(as_user(found, _base(request))), organisation))
        if after.login != before.login:
            await feeds.rename(tx, found.account, after.login)
        await _step(feed_of(tx), before, after)
        made = await feeds.fed_to_change(tx, organisation, found.account.id)
    return _shown(request, made)


async def _step(feed: Feed, before: Person, after: Person) -> None:
    facts = differing(before, after) + (() if after.login == before.login else ("login",))
    if after.active:
        step = Step.MOVE if before.active else Step.RETURN
        if facts or step is Step.RETURN:
            await carry_out_one(feed, Change(step, before, after, facts))
        return
    if facts:
        await carry_out_one(feed, Change(Step.MOVE, before, after, facts))
    if before.active or facts:
        await carry_out_one(feed, Change(Step.LEAVE, before, after))


def _right(person: Person) -> Person:
    if not person.login:
        raise Invalid("scim.wrong-value", name="userName")
    known_role(person.role)
    return person


def _unchanged(request: Request, found: Fed) -> None:
    expected = request.headers.get("if-match")
    if expected not in (None, "*", version(found)):
        raise Stale("scim.changed")


def _asked(request: Request) -> tuple[Filter, int, int]:
    """What to list; counting starts at 1 (RFC 7644 §3.4.2.4)."""
    query = request.query_params
    unknown = sorted(set(query.keys()) - PARAMETERS)
    if unknown:
        raise Invalid("scim.unknown-attribute", names=[name[:60] for name in unknown])
    text = query.get("filter")
    wanted = Filter() if text is None else parse_filter(text)
    start, count = _number(query.get("startIndex"), 1), _number(query.get("count"), schemas.MOST)
    return wanted, max(start, 1), min(max(count, 0), schemas.MOST)


def _number(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if not text.lstrip("-").isdecimal() or len(text) > 9:
        raise Invalid("scim.wrong-value", name="startIndex, count")
    return int(text)


def _organisation(request: Request) -> str:
    """Of the machine that asks; Forbidden for everybody who is not a register's."""
    actor = require_actor(request)
    feeds_staff = actor.kind is Kind.MACHINE and STAFF_FEED in actor.scopes
    if not feeds_staff or actor.organisation is None:
        raise Forbidden("scim.not-a-register")
    return actor.organisation


def _feeding(request: Request) -> Callable[[Connection], Feed]:
    actor: Actor = require_actor(request)
    return lambda tx: Feed(tx, request.app.state.fhir, actor, utc_now())


async def _all(request: Request) -> list[Fed]:
    organisation = _organisation(request)
    async with request.app.state.db.connection() as c:
        found = await feeds.fed_of(c, [organisation])
    _note(request, "scim.search")
    return found


def _note(request: Request, act: str) -> None:
    trail = request.app.state.fhir.trail
    trail.note(require_actor(request), act, "account", at=utc_now())


def _role(request: Request) -> str:
    _organisation(request)
    role = str(request.path_params["id"])
    if role not in ROLES:
        raise NotFound("scim.unknown")
    return role


def _one(request: Request, known: list[Data]) -> Response:
    _organisation(request)
    for one in known:
        if one["id"] == request.path_params["id"]:
            return answer(one)
    raise NotFound("scim.unknown")


def _shown(request: Request, fed: Fed, *, status: int = 200) -> Response:
    user = as_user(fed, _base(request))
    location = user["meta"]["location"]
    return answer(user, status=status, version=version(fed), location=location)


def _base(request: Request) -> str:
    return f"{request.app.state.settings.public_url}{PATH}"
