"""C-FIND in the patient root and study root models (PS3.4 §C.4.1), over the archive's search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from serai.imaging.archive.header import SERIES_TAGS, STUDY_TAGS
from serai.imaging.dataset.model_json import Attribute, Attributes, vr_of
from serai.imaging.dimse.exchange import Exchange
from serai.imaging.dimse.identifiers import NOT_KEYS, UNIQUE_KEYS, Wanted, level_of, read
from serai.imaging.search.keys import Level
from serai.imaging.search.query import Query
from serai.imaging.search.rows import rows

PENDING: Final = 0xFF00
# Pending, but a key that was asked for is not supported (PS3.4 Table C.4-1).
PENDING_WITHOUT_SOME_KEYS: Final = 0xFF01
CANCELLED: Final = 0xFE00
SUCCESS: Final = 0x0000
PATIENT_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
# Answers are read and sent so many at a time.
PAGE: Final = 500
COUNTED: Final = {
    Level.PATIENT: frozenset({"00201200"}),
    Level.STUDY: frozenset({"00080061", "00201206", "00201208"}),
    Level.SERIES: frozenset({"00201209"}),
    Level.INSTANCE: frozenset[str](),
}


def find(exchange: Exchange) -> None:
    """Every match as a pending response, then success; a C-CANCEL ends it between two."""
    identifier = exchange.identifier
    patient_root = exchange.model == PATIENT_ROOT_FIND
    wanted = read(identifier, level_of(identifier, patient_root=patient_root))
    returned = _returned(identifier, wanted.level)
    unsupported = wanted.unsupported or not all(_is_kept(tag, wanted.level) for tag in returned)
    status = PENDING_WITHOUT_SOME_KEYS if unsupported else PENDING
    for found in matches(exchange, wanted):
        if exchange.cancelled:
            exchange.respond(CANCELLED)
            return
        exchange.respond(status, _answer(found, returned, exchange.house.ae_title))
    exchange.respond(SUCCESS)


def matches(exchange: Exchange, wanted: Wanted) -> Iterator[Attributes]:
    """Page after page, for as long as anybody listens."""
    house, offset = exchange.house, 0
    while exchange.open:
        query = Query.all_of(wanted.level, wanted.filters, limit=PAGE, offset=offset)
        found = house.loop.run(rows(house.db, query, exchange.peer.actor))
        for row in found[:PAGE]:
            yield FROM_ROW[wanted.level](row)
        if len(found) <= PAGE:
            return
        offset += PAGE


def _returned(identifier: Attributes, level: Level) -> set[str]:
    """The keys given, and those that say which object is meant."""
    above = {tag for each, tag in UNIQUE_KEYS.items() if Level.PATIENT < each <= level}
    return (set(identifier) - NOT_KEYS) | (above or {UNIQUE_KEYS[level]})


def _is_kept(tag: str, level: Level) -> bool:
    """Whether answers of this level can have the attribute at all."""
    if level is Level.INSTANCE or tag in COUNTED[level] or tag.startswith("0010"):
        return True
    kept = STUDY_TAGS | (SERIES_TAGS if level is Level.SERIES else frozenset())
    return level is not Level.PATIENT and tag in kept


def _answer(found: Attributes, returned: set[str], ae_title: str) -> Attributes:
    return {tag: _small(found.get(tag), tag) for tag in returned} | {
        "00080052": found["00080052"],
        "00080054": {"vr": "AE", "Value": [ae_title]},
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
    }


def _small(attribute: Attribute | None, tag: str) -> Attribute:
    """Large values are retrieved, not found."""
    if attribute is None or "BulkDataURI" in attribute:
        return {"vr": vr_of(int(tag, 16))}
    return attribute


def _patient(row: tuple[Any, ...]) -> Attributes:
    attributes, studies = row
    told = {tag: each for tag, each in orjson.loads(attributes).items() if tag.startswith("0010")}
    return told | {
        "00080052": {"vr": "CS", "Value": ["PATIENT"]},
        "00201200": {"vr": "IS", "Value": [studies]},
    }


def _study(row: tuple[Any, ...]) -> Attributes:
    attributes, modalities, instances, series = row
    told: Attributes = orjson.loads(attributes)
    return told | {
        "00080052": {"vr": "CS", "Value": ["STUDY"]},
        "00080061": {"vr": "CS", "Value": modalities},
        "00201206": {"vr": "IS", "Value": [series]},
        "00201208": {"vr": "IS", "Value": [instances]},
    }


def _series(row: tuple[Any, ...]) -> Attributes:
    study, series, _, _, instances = row
    told: Attributes = orjson.loads(study) | orjson.loads(series)
    return told | {
        "00080052": {"vr": "CS", "Value": ["SERIES"]},
        "00201209": {"vr": "IS", "Value": [instances]},
    }


def _instance(row: tuple[Any, ...]) -> Attributes:
    study, series, metadata = row[:3]
    told: Attributes = orjson.loads(study) | orjson.loads(series) | orjson.loads(metadata)
    return told | {"00080052": {"vr": "CS", "Value": ["IMAGE"]}}


FROM_ROW: Final[dict[Level, Callable[[tuple[Any, ...]], Attributes]]] = {
    Level.PATIENT: _patient,
    Level.STUDY: _study,
    Level.SERIES: _series,
    Level.INSTANCE: _instance,
}
