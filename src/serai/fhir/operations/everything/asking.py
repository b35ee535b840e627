"""One page of `$everything`: members of the compartment, then what they point to.

The supporting resources come behind the last member, so that over all pages each comes once.
Of every patient the actor may see, one follows the other; a page never spans two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from serai.fhir.body import encode
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.everything.compartment import Compartment
from serai.fhir.operations.everything.supporting import (
    Reference,
    closure,
    references,
    supporting_types,
)
from serai.fhir.operations.everything.wanted import Wanted, wanted
from serai.fhir.operations.operation import Operation
from serai.fhir.search.paging import CURSOR
from serai.fhir.visibility import clause, require
from serai.kernel.errors import Malformed

Cursor = tuple[str, ...]
Entries = list[tuple[str, str, bytes, str]]

MEMBERS: Final = "members"
SUPPORTING: Final = "supporting"

NEXT_PATIENTS = """SELECT r.id FROM fhir_resource r
    WHERE r.type = 'Patient' AND r.id >= %(first)s AND NOT r.deleted AND {visible}
    ORDER BY r.id LIMIT 2"""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries with their search mode, and where the next page starts."""

    entries: Entries
    next: Cursor | None


async def of_one(scene: Scene, asked: Asked) -> Reply:
    """Of the Patient or Encounter in the address."""
    kind, id, _ = asked.path
    wish = wanted(asked)
    page = await _page(scene, asked, Compartment(kind, id), wish, wish.cursor)
    return _reply(asked, wish, page)


async def of_all_patients(scene: Scene, asked: Asked) -> Reply:
    """The next patient's page; the cursor starts with that patient's id."""
    require(scene.actor, "r", "Patient")
    require(scene.actor, "s", "Patient")
    wish = wanted(asked)
    visible, values = clause(scene.actor)
    values["first"] = wish.cursor[0] if wish.cursor else ""
    found = await scene.connection.execute(NEXT_PATIENTS.format(visible=visible), values)
    ids = [str(row[0]) for row in await found.fetchall()]
    if not ids:
        return _reply(asked, wish, Page([], None))
    resumed = wish.cursor[1:] if wish.cursor and wish.cursor[0] == ids[0] else ()
    page = await _page(scene, asked, Compartment("Patient", ids[0]), wish, resumed or None)
    following = (ids[0], *page.next) if page.next else (ids[1],) if len(ids) > 1 else None
    return _reply(asked, wish, Page(page.entries, following))


async def _page(
    scene: Scene, asked: Asked, focus: Compartment, wish: Wanted, cursor: Cursor | None
) -> Page:
    require(scene.actor, "r", focus.kind)
    phase, last = _position(cursor)
    entries: Entries = []
    contents: list[bytes] | None = None
    if phase == MEMBERS:
        members = await focus.page(scene.connection, wish, actor=scene.actor, after=last)
        rows = members.rows
        await _require_focus(scene, focus, seen=bool(rows and rows[0].rank == ""))
        entries = [(one.type, one.id, one.content, "match") for one in rows]
        if members.more:
            return Page(entries, (MEMBERS, rows[-1].rank, rows[-1].id))
        if last is None and not wish.types:
            contents = [one.content for one in rows]
        last = None
    else:
        await _require_focus(scene, focus, seen=False)
    if not _may_support(focus, wish):
        return Page(entries, None)
    return await _with_supporting(scene, asked, focus, wish, entries, contents, last)


async def _with_supporting(
    scene: Scene,
    asked: Asked,
    focus: Compartment,
    wish: Wanted,
    entries: Entries,
    contents: list[bytes] | None,
    last: Reference | None,
) -> Page:
    """Fills up the page; `contents` are all members where this page holds them all."""
    pointed = (
        references(contents, asked.base)
        if contents is not None
        else await _all_references(scene, asked, focus, wish)
    )
    start = {one for one in pointed if _is_supporting(focus, one)}
    found = await closure(scene.connection, start, actor=scene.actor, base=asked.base)
    if focus.kind != "Patient":
        found = await _without_members(scene, focus, wish, found)
    ordered = sorted(
        one
        for one in found
        if (not wish.types or one[0] in wish.types) and (last is None or one > last)
    )
    room = wish.count - len(entries)
    shown = ordered[:room]
    entries = [*entries, *((kind, id, found[kind, id], "include") for kind, id in shown)]
    if len(ordered) <= room:
        return Page(entries, None)
    return Page(entries, (SUPPORTING, *(shown[-1] if shown else ("", ""))))


async def _all_references(
    scene: Scene, asked: Asked, focus: Compartment, wish: Wanted
) -> set[Reference]:
    """Of all members, in pieces, so that the memory stays bounded."""
    found: set[Reference] = set()
    after: tuple[str, str] | None = None
    more = True
    while more:
        members = await focus.page(
            scene.connection, wish, actor=scene.actor, after=after, all_types=True
        )
        found |= references((one.content for one in members.rows), asked.base)
        found -= {one for one in found if not _is_supporting(focus, one)}
        more = members.more
        after = (members.rows[-1].rank, members.rows[-1].id) if members.rows else None
    return found


async def _without_members(
    scene: Scene, focus: Compartment, wish: Wanted, found: dict[Reference, bytes]
) -> dict[Reference, bytes]:
    """An encounter's resources point to each other; those are members already."""
    after: tuple[str, str] | None = None
    more = True
    while more:
        members = await focus.page(scene.connection, wish, actor=scene.actor, after=after)
        found = {
            one: content
            for one, content in found.items()
            if one not in {(row.type, row.id) for row in members.rows}
        }
        more = members.more
        after = (members.rows[-1].rank, members.rows[-1].id) if members.rows else None
    return found


def _is_supporting(focus: Compartment, one: Reference) -> bool:
    """An encounter also brings the patient, conditions and others that it points to."""
    return focus.kind == "Encounter" or one[0] in supporting_types()


def _may_support(focus: Compartment, wish: Wanted) -> bool:
    return (
        focus.kind == "Encounter" or not wish.types or not wish.types.isdisjoint(supporting_types())
    )


async def _require_focus(scene: Scene, focus: Compartment, *, seen: bool) -> None:
    """404 or 410 where a read would say so, even to who may see a row about it."""
    if not seen:
        await scene.store.read(scene.connection, focus.kind, focus.id, actor=scene.actor)


def _position(cursor: Cursor | None) -> tuple[str, tuple[str, str] | None]:
    if cursor is None:
        return MEMBERS, None
    if len(cursor) != 3 or cursor[0] not in (MEMBERS, SUPPORTING):
        raise Malformed("search.cursor", parameter=CURSOR)
    return cursor[0], (cursor[1], cursor[2])


def _reply(asked: Asked, wish: Wanted, page: Page) -> Reply:
    """The stored bytes spliced in as they are."""
    address = f"{asked.base}/{'/'.join(asked.path)}"
    links = [{"relation": "self", "url": f"{address}?{wish.this_page()}"}]
    if page.next is not None:
        links.append({"relation": "next", "url": f"{address}?{wish.next_page(page.next)}"})
    head = encode({"resourceType": "Bundle", "type": "searchset", "link": links})
    if not page.entries:
        return Reply(200, head)
    base = encode(asked.base)[:-1]
    entries = [
        b'{"fullUrl":%b/%b/%b","resource":%b,"search":{"mode":"%b"}}'
        % (base, kind.encode(), id.encode(), content, mode.encode())
        for kind, id, content, mode in page.entries
    ]
    return Reply(200, b'%b,"entry":[%b]}' % (head[:-1], b",".join(entries)))


async def _patients(scene: Scene, asked: Asked) -> Reply:
    return await (of_one if len(asked.path) == 3 else of_all_patients)(scene, asked)


PATIENT: Final = Operation(
    name="everything",
    handler=_patients,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/OperationDefinition/Patient-everything",
    types=frozenset({"Patient"}),
)
ENCOUNTER: Final = Operation(
    name="everything",
    handler=of_one,
    levels=frozenset({"instance"}),
    definition="http://hl7.org/fhir/OperationDefinition/Encounter-everything",
    types=frozenset({"Encounter"}),
)
