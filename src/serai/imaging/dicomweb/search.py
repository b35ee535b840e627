"""Search Transaction, QIDO-RS (PS3.18 §10.6), over the index and ready-made metadata."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from serai.imaging.archive.header import tags
from serai.imaging.dicomweb.answers import dicom_json, dicomweb_root, may, require_json
from serai.imaging.dicomweb.query import parse
from serai.imaging.search.keys import Level
from serai.imaging.search.query import MAX_RESULTS, Query
from serai.imaging.search.rows import rows

Attributes = dict[str, Any]

# Always in the answer when the object has them (PS3.18 Tables 10.6.3-3 to 10.6.3-5).
STUDY_ALWAYS: Final = tags(
    "00080020 00080030 00080050 00080090 00080201 00081030 00100010 00100020 00100021 00100030 "
    "00100040 0020000D 00200010"
)
SERIES_ALWAYS: Final = tags(
    "00080060 00080201 0008103E 0020000E 00200011 00400244 00400245 00400275"
)
INSTANCE_ALWAYS: Final = tags(
    "00080016 00080018 00083002 00200013 00280008 00280010 00280011 00280100"
)
PATH_TAGS: Final = {"study": "0020000D", "series": "0020000E"}


def search(level: Level) -> Callable[[Request], Awaitable[Response]]:
    """The handler of one of the search resources."""

    async def handle(request: Request) -> Response:
        actor = may(request, "s")
        require_json(request)
        addressed = [
            (PATH_TAGS[name], value)
            for name, value in request.path_params.items()
            if name in PATH_TAGS
        ]
        query = parse(level, addressed, request.query_params.multi_items())
        found = await rows(request.app.state.db, query, actor)
        shown = _shown(query, {name for name, _ in addressed})
        root = dicomweb_root(request)
        objects = [_object(level, row, shown, root) for row in found[: query.limit]]
        content = orjson.dumps(objects, option=orjson.OPT_SORT_KEYS)
        response = dicom_json(request, content)
        for warning in _warnings(query, len(found)):
            response.headers.append("Warning", f'299 serai "{warning}"')
        return response

    return handle


def _shown(query: Query, addressed: set[str]) -> Callable[[str], bool]:
    """Which attributes an answer carries: those of the level, of unaddressed levels above it,
    and the fields asked for."""
    always: set[str] = set(query.include)
    if query.level is Level.STUDY or PATH_TAGS["study"] not in addressed:
        always |= STUDY_ALWAYS
    if query.level is Level.SERIES or (
        query.level is Level.INSTANCE and PATH_TAGS["series"] not in addressed
    ):
        always |= SERIES_ALWAYS
    if query.level is Level.INSTANCE:
        always |= INSTANCE_ALWAYS | {"0020000D", "0020000E"}
    if query.level is Level.SERIES:
        always.add("0020000D")
    return (lambda _: True) if query.include_all else always.__contains__


def _object(
    level: Level, row: tuple[Any, ...], shown: Callable[[str], bool], root: str
) -> Attributes:
    if level is Level.STUDY:
        return _study(row, shown, root)
    if level is Level.SERIES:
        return _series(row, shown, root)
    return _instance(row, shown, root)


def _study(row: tuple[Any, ...], shown: Callable[[str], bool], root: str) -> Attributes:
    attributes, modalities, instances, series = row
    found = _picked(orjson.loads(attributes), shown)
    uid = found["0020000D"]["Value"][0]
    return found | {
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00080061": {"vr": "CS", "Value": modalities} if modalities else {"vr": "CS"},
        "00081190": {"vr": "UR", "Value": [f"{root}/studies/{uid}"]},
        "00201206": {"vr": "IS", "Value": [series]},
        "00201208": {"vr": "IS", "Value": [instances]},
    }


def _series(row: tuple[Any, ...], shown: Callable[[str], bool], root: str) -> Attributes:
    study, series, study_uid, uid, instances = row
    address = f"{root}/studies/{study_uid}/series/{uid}"
    return _picked(orjson.loads(study) | orjson.loads(series), shown) | {
        "00081190": {"vr": "UR", "Value": [address]},
        "00201209": {"vr": "IS", "Value": [instances]},
    }


def _instance(row: tuple[Any, ...], shown: Callable[[str], bool], root: str) -> Attributes:
    study, series, metadata, study_uid, series_uid, uid = row
    address = f"{root}/studies/{study_uid}/series/{series_uid}/instances/{uid}"
    merged = orjson.loads(study) | orjson.loads(series) | orjson.loads(metadata)
    found = {tag: each for tag, each in _picked(merged, shown).items() if _is_small(each)}
    return found | {
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00081190": {"vr": "UR", "Value": [address]},
    }


def _picked(attributes: Attributes, shown: Callable[[str], bool]) -> Attributes:
    return {tag: each for tag, each in attributes.items() if shown(tag)}


def _is_small(attribute: Attributes) -> bool:
    return "BulkDataURI" not in attribute


def _warnings(query: Query, found: int) -> Iterable[str]:
    if found > query.limit == MAX_RESULTS:
        yield f"There are more results than {MAX_RESULTS}; ask for the rest with offset."
