"""The Worklist Service, UPS-RS (PS3.18 §11), under /dicomweb."""

from __future__ import annotations

import secrets
from urllib.parse import quote
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from serai.fhir.store import FhirStore
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.dicomweb.answers import dicom_json, dicomweb_root, require_json
from serai.imaging.search.query import MAX_RESULTS
from serai.imaging.ups import acting, finding, store, subscribing
from serai.imaging.ups import attributes as a
from serai.imaging.ups.answers import (
    ALREADY,
    LOCK_NOT_GRANTED,
    MORE,
    NO_STORE,
    WITH_MODIFICATIONS,
    answering,
    done,
    may,
    only,
    sent,
    warn,
)
from serai.imaging.ups.attributes import RULES
from serai.imaging.ups.finding import Pair
from serai.imaging.ups.reading import is_uid
from serai.imaging.ups.subscribing import FILTERED, WORKLIST, ae_title
from serai.imaging.ups.workitem import has_value
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed

UID_PARAMETERS = ("AffectedSOPInstanceUID", "workitem")
TRANSACTION_PARAMETERS = ("transaction-uid", "TransactionUID")
BOOLEANS = {"true": True, "false": False}
ALWAYS_RETURNED = frozenset(tag for tag, rule in RULES.items() if rule.returned in ("1", "2"))


async def create(request: Request) -> Response:
    actor = may(request, "c")
    uid = _named_in_address(request, UID_PARAMETERS)
    given = await sent(request)
    uid = uid or _of(given) or f"2.25.{UUID(bytes=secrets.token_bytes(16), version=4).int}"
    if not is_uid(uid) or uid in (WORKLIST, FILTERED):
        raise Malformed("ups.uid")
    async with request.app.state.db.transaction() as tx:
        made = await acting.create(tx, given, uid, actor=actor, now=utc_now())
    modified = made.attributes[a.WORKLIST_LABEL] != given[a.WORKLIST_LABEL]
    response = done(request, 201, WITH_MODIFICATIONS if modified else "")
    response.headers["Location"] = f"{dicomweb_root(request)}/workitems/{uid}"
    return response


async def retrieve(request: Request) -> Response:
    actor = may(request, "r")
    require_json(request)
    only(request)
    async with request.app.state.db.connection() as connection:
        workitem = await store.read(connection, _uid(request), actor=actor)
    records: FhirStore = request.app.state.fhir
    records.trail.note(actor, "ups.read", f"Workitem/{workitem.id}", at=utc_now())
    return dicom_json(request, orjson.dumps([workitem.attributes]))


async def update(request: Request) -> Response:
    actor = may(request, "u")
    in_address = _named_in_address(request, TRANSACTION_PARAMETERS)
    given = await sent(request)
    transaction_uid = first_text(given, a.TRANSACTION_UID) or in_address
    if in_address not in ("", transaction_uid):
        raise Malformed("ups.transaction-uid")
    async with request.app.state.db.transaction() as tx:
        await acting.update(tx, given, _uid(request), transaction_uid, actor=actor, now=utc_now())
    return done(request)


async def change_state(request: Request) -> Response:
    actor = may(request, "u")
    only(request)
    given = await sent(request)
    unknown = set(given) - {a.STATE, a.TRANSACTION_UID, a.SPECIFIC_CHARACTER_SET}
    if unknown:
        raise Malformed("ups.not-of-a-state-change", attributes=sorted(unknown))
    wanted, transaction_uid = (first_text(given, tag) for tag in (a.STATE, a.TRANSACTION_UID))
    async with request.app.state.db.transaction() as tx:
        outcome = await acting.change_state(
            tx, _uid(request), wanted, transaction_uid, actor=actor, now=utc_now()
        )
    return done(request, warning=ALREADY.format(state=wanted) if outcome.warning else "")


async def request_cancellation(request: Request) -> Response:
    actor = may(request, "u")
    only(request)
    told = await sent(request, optional=True)
    if not has_value(told, a.CONTACT_NAME) and actor.name:
        told |= {a.CONTACT_NAME: {"vr": "LO", "Value": [actor.name[:64]]}}
    async with request.app.state.db.transaction() as tx:
        outcome = await acting.request_cancellation(
            tx,
            _uid(request),
            told,
            actor=actor,
            now=utc_now(),
            ae_title=request.app.state.settings.ae_title,
        )
    return done(request, 202, ALREADY.format(state="CANCELED") if outcome.warning else "")


async def search(request: Request) -> Response:
    """Return keys of type 1 and 2, what was matched and what was asked for (§11.9.2)."""
    actor = may(request, "s")
    require_json(request)
    wanted = finding.parse(request.query_params.multi_items())
    found = await finding.found(request.app.state.db, wanted, actor)
    if not found:
        return Response(status_code=204, headers=NO_STORE)
    shown = ALWAYS_RETURNED | wanted.include
    objects = [orjson.loads(each) for each in found[: wanted.limit]]
    if not wanted.include_all:
        objects = [{tag: each[tag] for tag in each if tag in shown} for each in objects]
    response = dicom_json(request, orjson.dumps(objects))
    if len(found) > wanted.limit:
        warn(request, response, MORE)
        if wanted.limit == MAX_RESULTS and response.status_code == 200:
            response.status_code = 206
    return response


async def subscribe(request: Request) -> Response:
    actor = may(request, "r")
    uid, subscriber = _uid(request), _subscriber(request)
    given = only(request, "deletionlock", "filter")
    lock, pairs = _lock(given), _filter(uid, given.get("filter"))
    granted = True
    async with request.app.state.db.transaction() as tx:
        if uid in (WORKLIST, FILTERED):
            await subscribing.subscribe_globally(
                tx, subscriber, pairs, lock=lock, actor=actor, now=utc_now()
            )
        else:
            granted = await subscribing.subscribe(
                tx, uid, subscriber, lock=lock, actor=actor, now=utc_now()
            )
    response = done(request, 201, "" if granted else LOCK_NOT_GRANTED)
    # http becomes ws, https wss.
    sockets = f"ws{dicomweb_root(request).removeprefix('http')}"
    response.headers["Content-Location"] = f"{sockets}/subscribers/{quote(subscriber, safe='')}"
    return response


async def unsubscribe(request: Request) -> Response:
    actor = may(request, "r")
    only(request)
    async with request.app.state.db.transaction() as tx:
        await subscribing.unsubscribe(
            tx, _uid(request), _subscriber(request), actor=actor, now=utc_now()
        )
    return done(request)


async def suspend(request: Request) -> Response:
    actor = may(request, "r")
    only(request)
    uid = _uid(request)
    if uid not in (WORKLIST, FILTERED):
        raise Malformed("ups.not-global")
    async with request.app.state.db.transaction() as tx:
        await subscribing.suspend(tx, uid, _subscriber(request), actor=actor, now=utc_now())
    return done(request)


ONE = "/dicomweb/workitems/{workitem}"
SUBSCRIBER = f"{ONE}/subscribers/{{aetitle}}"
SERVED = (
    ("POST", "/dicomweb/workitems", create),
    ("GET", "/dicomweb/workitems", search),
    ("GET", ONE, retrieve),
    ("POST", ONE, update),
    ("PUT", f"{ONE}/state", change_state),
    ("POST", f"{ONE}/cancelrequest", request_cancellation),
    ("POST", SUBSCRIBER, subscribe),
    ("DELETE", SUBSCRIBER, unsubscribe),
    ("POST", f"{SUBSCRIBER}/suspend", suspend),
)


def routes() -> list[BaseRoute]:
    """To stand before the other DICOMweb resources, which take the rest of the addresses."""
    return [Route(path, answering(handler), methods=[method]) for method, path, handler in SERVED]


def _uid(request: Request) -> str:
    uid: str = request.path_params["workitem"]
    if not is_uid(uid):
        raise Malformed("ups.uid")
    return uid


def _of(given: Attributes) -> str:
    return first_text(given, a.AFFECTED_SOP_INSTANCE_UID) or first_text(given, a.SOP_INSTANCE_UID)


def _subscriber(request: Request) -> str:
    return ae_title(request.path_params["aetitle"])


def _named_in_address(request: Request, names: tuple[str, ...]) -> str:
    """A UID behind the question mark: by itself, as PS3.18 writes it, or under a name."""
    asked = request.query_params.multi_items()
    given = [(name, value) for name, value in asked if name not in ("accept", "charset")]
    if not given:
        return ""
    name, value = given[0]
    uid = value if name in names else name
    if len(given) > 1 or (name not in names and value):
        raise Malformed("ups.parameter", known=sorted(names))
    if not is_uid(uid):
        raise Malformed("ups.uid")
    return uid


def _lock(given: dict[str, str]) -> bool:
    text = given.get("deletionlock", "false").lower()
    if text not in BOOLEANS:
        raise Malformed("ups.parameter", known=sorted(BOOLEANS))
    return BOOLEANS[text]


def _filter(uid: str, text: str | None) -> list[Pair] | None:
    """Keys and values with commas between them; a piece without `=` belongs to the value before,
    as in a list of UIDs."""
    if (text is not None) != (uid == FILTERED):
        raise Malformed("ups.filter")
    if text is None:
        return None
    pairs: list[Pair] = []
    for piece in text.split(","):
        name, equals, value = piece.partition("=")
        if equals:
            pairs.append((name.strip(), value))
        elif pairs:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]},{piece}")
        else:
            raise Malformed("ups.filter")
    return pairs
