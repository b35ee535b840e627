"""read, vread, search and history."""

from __future__ import annotations

from serai.fhir.interaction.asked import Asked, Pairs, Reply, Scene
from serai.fhir.interaction.bundles import history_bundle, search_bundle
from serai.fhir.search import places
from serai.fhir.search.intervals import Interval, interval
from serai.fhir.search.paging import CURSOR, read_cursor
from serai.fhir.search.parsing import DEFAULT_COUNT, FORM_PARAMETERS, MAX_COUNT
from serai.fhir.search.places import Place
from serai.fhir.store import HistoryAsked
from serai.fhir.stored import Stored
from serai.kernel.errors import Malformed, NotFound

# The only order a history has.
NEWEST_FIRST = "-_lastUpdated"


async def read(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.1"""
    refuse_parameters(asked)
    kind, id = asked.path
    stored = await scene.store.read(scene.connection, kind, id, actor=scene.actor)
    return found(asked, stored)


async def vread(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.2"""
    refuse_parameters(asked)
    return found(asked, await version(scene, asked.path))


async def version(scene: Scene, path: tuple[str, ...]) -> Stored:
    """`Type/id/_history/n`, whatever stands behind it."""
    kind, id, _, number = path[:4]
    if not (number.isascii() and number.isdecimal()) or len(number) > 9:
        raise NotFound("fhir.not-found", resource=f"{kind}/{id}/_history/{number}"[:200])
    return await scene.store.vread(scene.connection, kind, id, int(number), actor=scene.actor)


def found(asked: Asked, stored: Stored) -> Reply:
    """200, or 304 when the client has this version already (R4 §3.1.0.1.4)."""
    if asked.conditions.unchanged(stored):
        return Reply(304, stored=stored)
    return Reply(200, stored.content, stored)


async def search(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.1, by GET or POST: of a type, the system or a compartment"""
    page = await scene.store.search(
        scene.connection,
        _place(asked),
        asked.params,
        actor=scene.actor,
        now=scene.now,
        handling=asked.prefer.handling,
        base=asked.base,
    )
    return Reply(200, search_bundle(page, asked.base))


def _place(asked: Asked) -> Place:
    types = [value for name, value in asked.params if name == "_type"]
    match [part for part in asked.path if part != "_search"]:
        case [name, id, kind]:
            return places.compartment(name, id, kind, types)
        case [kind]:
            return places.of_type(kind)
    return places.system(types)


async def history(scene: Scene, asked: Asked) -> Reply:
    """R4 §3.1.0.11: of an instance, a type, or the whole system"""
    kind, id = (*asked.path[:-1], None, None)[:2]
    wanted = _history_asked(kind, id, asked.params)
    versions = await scene.store.history(scene.connection, wanted, actor=scene.actor)
    return Reply(200, history_bundle(versions, asked.base))


def refuse_parameters(asked: Asked) -> None:
    """Parameters that would be ignored are refused."""
    for name, _ in asked.params:
        if name not in FORM_PARAMETERS:
            raise Malformed("search.unsupported-parameter", parameter=name)


def _history_asked(kind: str | None, id: str | None, params: Pairs) -> HistoryAsked:
    wanted = _history_parameters(params)
    count = wanted.get("_count", str(DEFAULT_COUNT))
    if not (count.isascii() and count.isdecimal()) or len(count) > 9:
        raise Malformed("search.count", parameter="_count")
    return HistoryAsked(
        type=kind,
        id=id,
        count=min(int(count), MAX_COUNT),
        since=_period(wanted, "_since")[0] if "_since" in wanted else None,
        at=_period(wanted, "_at") if "_at" in wanted else None,
        at_text=wanted.get("_at", ""),
        cursor=read_cursor(wanted[CURSOR]) if CURSOR in wanted else None,
    )


def _history_parameters(params: Pairs) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for name, value in params:
        if name in FORM_PARAMETERS:
            continue
        if name not in ("_count", "_since", "_at", "_sort", CURSOR):
            raise Malformed("search.unsupported-parameter", parameter=name)
        if name in wanted:
            raise Malformed("operation.parameter-twice", parameter=name)
        # A + in an address arrives as a space: 2024-03-15T09:10:00+08:00.
        wanted[name] = value.replace(" ", "+")
    if wanted.get("_sort", NEWEST_FIRST) != NEWEST_FIRST:
        raise Malformed("search.sort", by=wanted["_sort"][:64])
    return wanted


def _period(wanted: dict[str, str], parameter: str) -> Interval:
    found = interval(wanted[parameter])
    if found is None:
        raise Malformed("search.date", parameter=parameter)
    return found
