"""What of a study can be leafed through, read once for as long as the study stays the same."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Any

import orjson

from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.light.series import Instance, Series, series_of
from serai.imaging.rendering.native import can_decode
from serai.imaging.search.rows import visible
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, NotFound
from serai.platform.db import Database

OF_STUDY = """FROM imaging_study s
    JOIN imaging_series e ON e.study_uid = s.uid
    JOIN imaging_instance i ON i.study_uid = e.study_uid AND i.series_uid = e.uid
    WHERE s.uid = %(study)s AND {visible}"""
# Changes whenever anything that is shown does.
STATE = f"""SELECT min(s.resource), count(*), max(i.received_at), max(s.revision)
            {OF_STUDY} HAVING count(*) > 0"""
INSTANCES = f"""SELECT e.uid, e.number, i.uid, i.number, i.frames, i.transfer_syntax, i.metadata
                {OF_STUDY} ORDER BY e.number NULLS LAST, e.uid"""
KEPT = 64
# Of the object's header; the rest of it is not for this page.
STUDY_FACTS = {"date": "00080020", "description": "00081030", "id": "00100020",
               "born": "00100030", "sex": "00100040"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lineup:
    """A study's series in order. `version` names this state of it."""

    study: str
    resource: str
    version: str
    facts: dict[str, Any]
    series: dict[str, Series]
    # Reports, waveforms and films that no decoder here opens.
    others: int

    def outline(self) -> bytes:
        """Everything the page must know before its first picture."""
        listed = [each.facts for each in self.series.values()]
        return orjson.dumps(
            {"version": self.version, "study": self.facts, "series": listed, "others": self.others}
        )

    def of(self, series: str, version: str) -> Series:
        """The series as whoever asks knows it; Conflict when it has changed since."""
        if series not in self.series:
            raise NotFound("light.no-such-series")
        if version != self.version:
            raise Conflict("light.study-grew")
        return self.series[series]


class Lineups:
    """The studies looked at last. Whether somebody may see one is asked before, every time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Any, ...], Lineup] = OrderedDict()

    async def of(self, db: Database, study: str, *, actor: Actor) -> Lineup:
        seen, values = visible(actor)
        wanted = {"study": study, **values}
        state = (await _rows(db, STATE.format(visible=seen), wanted))[:1]
        if not state:
            raise NotFound("wado.nothing-there")
        key = (study, *state[0])
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        rows = await _rows(db, INSTANCES.format(visible=seen), wanted)
        lineup = await asyncio.to_thread(_lined_up, study, state[0], rows)
        self._kept[key] = lineup
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return lineup


async def _rows(db: Database, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    async with db.connection() as connection, connection.cursor(binary=True) as cursor:
        await cursor.execute(statement.encode(), values)
        return await cursor.fetchall()


def _lined_up(study: str, state: tuple[Any, ...], rows: Sequence[tuple[Any, ...]]) -> Lineup:
    series: dict[str, Series] = {}
    facts: dict[str, Any] = {}
    others = 0
    for (uid, number), members in groupby(rows, key=lambda row: (row[0], row[1])):
        shown = []
        for _, _, instance, order, frames, syntax, metadata in members:
            attributes = orjson.loads(metadata)
            facts = facts or _of_study(attributes)
            if frames and can_decode(syntax):
                shown.append(Instance(instance, order, frames, attributes))
            else:
                others += 1
        if shown:
            series[uid] = series_of(uid, number, shown)
    version = blake2b(repr((study, *state)).encode(), digest_size=8).hexdigest()
    return Lineup(study, state[0], version, facts, series, others)


def _of_study(attributes: Attributes) -> dict[str, Any]:
    known: dict[str, Any] = {name: first_text(attributes, tag) for name, tag in STUDY_FACTS.items()}
    names = (attributes.get("00100010", {}).get("Value") or [{}])[0]
    writings = names.values() if isinstance(names, dict) else [str(names)]
    return known | {"name": [each.replace("^", " ").strip() for each in writings]}
