"""transaction: all entries or none, as if in the order DELETE, POST, PUT and PATCH, GET
(R4 §3.1.0.11.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from serai.fhir.body import Body, parse
from serai.fhir.bundle import conditional, references, replies
from serai.fhir.bundle.conditional import Coming
from serai.fhir.bundle.entries import Entry, Requests
from serai.fhir.interaction.asked import Pairs, Reply, Scene
from serai.fhir.interaction.patching import patched
from serai.fhir.interaction.table import find
from serai.fhir.interaction.writing import answer
from serai.fhir.places import placing
from serai.fhir.store import FhirStore, Write
from serai.fhir.store.writing import breathe
from serai.fhir.stored import Stored
from serai.kernel.errors import Malformed, NotFound
from serai.kernel.ids import new_id


@dataclass(frozen=True, slots=True)
class Planned:
    """An entry whose identity is settled. `found` answers it without a write; neither `write`
    nor `found` means a conditional delete of nothing."""

    entry: Entry
    write: Write | None = None
    found: Stored | None = None

    @property
    def reference(self) -> str | None:
        if self.found is not None:
            return self.found.reference
        return f"{self.write.type}/{self.write.id}" if self.write else None


def is_one_statement(requests: Requests, store: FhirStore) -> bool:
    """Whether it only creates, unconditionally: then the one statement that writes all rows is
    all of the transaction."""
    return all(
        entry.asked.method == "POST"
        and entry.asked.conditions.if_none_exist is None
        and len(entry.asked.path) == 1
        and not store.guarded(entry.asked.path[0])
        and not references.conditional(entry.asked.raw)
        for entry in requests.entries
    )


async def run(scene: Scene, requests: Requests) -> bytes:
    """`scene.connection` must be inside a transaction, which any error rolls back; unless
    `is_one_statement`."""
    entries = requests.entries
    _refuse_double_urls(entries)
    writing = [entry for entry in entries if entry.asked.method != "GET"]
    planned = await _plan_all(scene, writing)
    known = _known(planned)
    await _resolve_conditions(scene, planned, known)
    ready: list[Planned] = []
    for position, one in enumerate(planned):
        await breathe(position)
        ready.append(await _with_body(scene, one, known))
    done = await _write_all(scene, ready)
    # What was read is several times the size of the bundle; the answer is made from what is stored.
    del planned, ready
    for entry in entries:
        if entry.asked.method == "GET":
            with placing(entry.place):
                interaction = find("GET", entry.asked.path)
                done[entry.position] = await interaction.handler(scene, entry.asked)
    answers = [replies.succeeded(entry, done[entry.position]) for entry in entries]
    return replies.bundle("transaction", answers)


def _refuse_double_urls(entries: Iterable[Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.full_url in seen:
            raise Malformed("bundle.full-url-twice", place=f"{entry.place}.fullUrl")
        if entry.full_url:
            seen.add(entry.full_url)


async def _plan_all(scene: Scene, writing: Sequence[Entry]) -> list[Planned]:
    """Deletions first: what they take away no condition of another entry finds."""
    await _hold_conditions(scene, writing)
    gone: set[str] = set()
    planned: dict[int, Planned] = {}
    for entry in sorted(writing, key=lambda one: one.asked.method != "DELETE"):
        with placing(entry.place):
            one = await _plan(scene, entry, frozenset(gone))
        planned[entry.position] = one
        if entry.asked.method == "DELETE" and one.reference:
            gone.add(one.reference)
    return [planned[entry.position] for entry in writing]


async def _hold_conditions(scene: Scene, writing: Sequence[Entry]) -> None:
    conditions: list[tuple[str, Pairs]] = []
    creating: set[tuple[str, Pairs]] = set()
    for entry in writing:
        asked = entry.asked
        condition = asked.conditions.if_none_exist
        if condition is not None and asked.path:
            wanted = (asked.path[0], condition)
            if wanted in creating:
                raise Malformed("bundle.condition-twice", place=entry.place)
            creating.add(wanted)
        elif asked.method != "POST" and len(asked.path) == 1:
            conditions.append((asked.path[0], asked.params))
    if conditions or creating:
        await scene.store.hold_conditions(scene.connection, [*conditions, *creating])


async def _plan(scene: Scene, entry: Entry, gone: frozenset[str]) -> Planned:
    """The write an entry comes down to, its body still to be resolved."""
    asked = entry.asked
    find(asked.method, asked.path)
    if asked.method == "POST":
        return await _plan_create(scene, entry, gone)
    kind, version = asked.path[0], asked.conditions.version
    if len(asked.path) == 2:
        return Planned(entry, Write(asked.method, kind, asked.path[1], if_match=version))
    found = await scene.store.existing(scene.connection, kind, asked.params, actor=scene.actor)
    if found is not None and found.reference not in gone:
        return Planned(entry, Write(asked.method, kind, found.id, if_match=version))
    if asked.method == "DELETE":
        return Planned(entry)
    if asked.method == "PATCH":
        raise NotFound("patch.nothing-matches", type=kind)
    given = parse(asked.raw).id
    return Planned(entry, Write("PUT", kind, given or new_id(), if_match=version))


async def _plan_create(scene: Scene, entry: Entry, gone: frozenset[str]) -> Planned:
    asked = entry.asked
    if len(asked.path) != 1:
        raise Malformed("bundle.method", method="POST", place=f"{entry.place}.request.url")
    condition = asked.conditions.if_none_exist
    if condition is not None:
        found = await scene.store.existing(
            scene.connection, asked.path[0], condition, actor=scene.actor
        )
        if found is not None and found.reference not in gone:
            return Planned(entry, found=found)
    return Planned(entry, Write("POST", asked.path[0], new_id(), fresh=True))


def _known(planned: Sequence[Planned]) -> dict[bytes, bytes]:
    """What each fullUrl turns out to be."""
    return {
        one.entry.full_url.encode(): one.reference.encode()
        for one in planned
        if one.entry.full_url and one.reference
    }


async def _resolve_conditions(
    scene: Scene, planned: Sequence[Planned], known: dict[bytes, bytes]
) -> None:
    wanted = set().union(*(references.conditional(one.entry.asked.raw) for one in planned))
    if not wanted:
        return
    gone = frozenset(
        one.reference
        for one in planned
        if one.write and one.write.method == "DELETE" and one.reference
    )
    coming = [_coming(one) for one in planned if one.write and one.write.method in ("POST", "PUT")]
    for reference in sorted(wanted):
        known[reference] = await conditional.resolve(scene, reference, coming, gone)


def _coming(one: Planned) -> Coming:
    asked = one.entry.asked
    condition = asked.params if asked.method == "PUT" else asked.conditions.if_none_exist
    return Coming(asked.path[0], one.reference or "", asked.raw, condition or ())


async def _with_body(scene: Scene, one: Planned, known: dict[bytes, bytes]) -> Planned:
    if one.write is None or one.write.method == "DELETE":
        return one
    place = one.entry.place
    raw = references.replace(one.entry.asked.raw, known)
    references.require_resolved(raw, place)
    with placing(place):
        if one.write.method == "PATCH":
            asked = replace(one.entry.asked, raw=raw)
            body = await patched(scene, asked, one.write.id)
            return replace(one, write=replace(one.write, method="PUT", body=body))
        body = parse(raw)
        _check_identity(one.write, one.entry, body)
    return replace(one, write=replace(one.write, body=body))


def _check_identity(write: Write, entry: Entry, body: Body) -> None:
    if write.method != "PUT":
        return
    if body.id is None and len(entry.asked.path) == 2:
        raise Malformed("fhir.no-id")
    if body.id not in (None, write.id):
        raise Malformed("fhir.other-id")


async def _write_all(scene: Scene, ready: Sequence[Planned]) -> dict[int, Reply]:
    done: dict[int, Reply] = {
        one.entry.position: _settled(one) for one in ready if one.write is None
    }
    _refuse_double_writes(ready)
    group = [one for one in ready if one.write]
    writes = [replace(one.write, place=one.entry.place) for one in group if one.write]
    made = await scene.store.write(scene.connection, writes, **scene.who) if writes else []
    for one, stored in zip(group, made, strict=True):
        done[one.entry.position] = _reply(one, stored)
    return done


def _refuse_double_writes(ready: Sequence[Planned]) -> None:
    seen: set[str | None] = set()
    for one in ready:
        if one.write is not None and one.reference in seen:
            raise Malformed("fhir.written-twice", place=one.entry.place)
        seen.add(one.reference if one.write else None)


def _settled(one: Planned) -> Reply:
    return answer(one.entry.asked, one.found, 200) if one.found else Reply(204)


def _reply(one: Planned, stored: Stored) -> Reply:
    if one.entry.asked.method == "DELETE":
        return Reply(204)
    created = one.entry.asked.method == "POST" or stored.version == 1
    return answer(one.entry.asked, stored, 201 if created else 200)
