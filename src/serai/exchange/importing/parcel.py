"""Entries as one transaction of the store, whose answer is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from serai.exchange.importing.door import Door
from serai.exchange.importing.ledger import Counts
from serai.exchange.importing.reading import Entry
from serai.fhir import body
from serai.fhir.bundle import entries as requests
from serai.fhir.bundle import transaction
from serai.fhir.interaction.asked import Prefer, Scene
from serai.platform.db import Connection

CREATED = "201"


class _Response(msgspec.Struct):
    status: str


class _Answer(msgspec.Struct):
    response: _Response


class _Answers(msgspec.Struct):
    entry: list[_Answer] = []


async def keep(tx: Connection, door: Door, entries: Sequence[Entry], *, now: datetime) -> Counts:
    """Write all entries, or raise for the first that is refused."""
    kept = [_in_custody(entry, door.organisation) for entry in entries]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": kept}
    wanted = requests.read(
        body.encode(bundle), prefer=Prefer(returns="minimal"), base=door.fhir.base
    )
    answered = await transaction.run(Scene(door.fhir, tx, door.actor, now), wanted)
    return _counted(kept, answered)


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
