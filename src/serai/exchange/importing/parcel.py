"""Entries as one transaction of the store, whose answer is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from serai.exchange.importing.door import Door
from serai.exchange.importing.ledger import Counts
from serai.exchange.importing.reading import Entry, Part
from serai.fhir import body
from serai.fhir.bundle import entries as requests
from serai.fhir.bundle import transaction
from serai.fhir.interaction.asked import Prefer, Scene
from serai.fhir.store import Write
from serai.kernel.ids import new_id
from serai.platform.db import Connection

CREATED = "201"


class _Response(msgspec.Struct):
    status: str


class _Answer(msgspec.Struct):
    response: _Response


class _Answers(msgspec.Struct):
    entry: list[_Answer] = []


async def keep(tx: Connection, door: Door, parts: Sequence[Part], *, now: datetime) -> Counts:
    """Write all parts, or raise for the first that is refused."""
    if all(part.body is not None or part.ahead is not None for part in parts):
        return await _keep_plain(tx, door, parts, now=now)
    entries = [entry for part in parts for entry in part.entries]
    kept = [_in_custody(entry, door.organisation) for entry in entries]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": kept}
    wanted = requests.read(
        body.encode(bundle), prefer=Prefer(returns="minimal"), base=door.fhir.base
    )
    answered = await transaction.run(Scene(door.fhir, tx, door.actor, now), wanted)
    return _counted(kept, answered)


async def _keep_plain(
    tx: Connection, door: Door, parts: Sequence[Part], *, now: datetime
) -> Counts:
    """Resources that need none of a transaction's rules go to the store as they are."""
    writes = [_write(part, door.organisation) for part in parts]
    made = await door.fhir.write(tx, writes, actor=door.actor, now=now)
    created = sum(one.version == 1 for one in made)
    return Counts(created=created, updated=len(made) - created)


def _write(part: Part, organisation: str | None) -> Write:
    if part.ahead is not None:
        made = part.ahead.made
        method = "POST" if made.fresh else "PUT"
        return Write(method, made.type, made.id, fresh=made.fresh, ahead=part.ahead)
    (entry,) = part.entries
    read = part.body
    assert read is not None
    if (kept := _in_custody(entry, organisation)) is not entry:
        read = body.parse(bytes(kept.resource))
    if read.id:
        return Write("PUT", read.type, read.id, read)
    return Write("POST", read.type, new_id(), read, fresh=True)


def _in_custody(entry: Entry, organisation: str | None) -> Entry:
    """A patient that names no custodian gets the one the import is for."""
    if organisation is None or not bytes(entry.resource):
        return entry
    if (entry.request or {}).get("url", "").partition("/")[0].partition("?")[0] != "Patient":
        return entry
    fields = msgspec.json.decode(entry.resource, type=dict[str, msgspec.Raw])
    if "managingOrganization" in fields:
        return entry
    custodian: dict[str, Any] = {"reference": f"Organization/{organisation}"}
    raw = body.encode({**fields, "managingOrganization": custodian})
    return msgspec.structs.replace(entry, resource=msgspec.Raw(raw))


def _counted(entries: Sequence[Entry], answered: bytes) -> Counts:
    """201 is new; 200 to a conditional create is there already, to anything else a change."""
    answers = msgspec.json.decode(answered, type=_Answers).entry
    kinds = Counter(
        "created"
        if answer.response.status == CREATED
        else "unchanged"
        if (entry.request or {}).get("method") == "POST"
        else "updated"
        for entry, answer in zip(entries, answers, strict=True)
    )
    return Counts(**kinds)
