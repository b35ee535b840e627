"""Value sets that a release lists code by code; they are replaced with the release."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from serai.fhir.terminology import artifacts
from serai.fhir.terminology.artifacts import Artifact
from serai.fhir.terminology.value_sets import COPY
from serai.fhir.terminology.words import as_vector
from serai.platform.db import Connection

FORGET: Final = """DELETE FROM terminology_artifact
    WHERE kind = 'ValueSet' AND origin = 'release' AND version = %s AND systems = ARRAY[%s]"""


class Listed(NamedTuple):
    """One code of one set; without a display it is called what the code system calls it."""

    url: str
    name: str | None
    code: str
    display: str | None
    position: int


async def keep_listed(
    tx: Connection, system: str, version: str, read: Callable[[], Iterable[Listed]]
) -> None:
    """`read` gives the codes in any order, and is asked twice: sets can be many and large."""
    await tx.execute(FORGET, (version, system))
    names: dict[str, str | None] = {}
    for one in read():
        names.setdefault(one.url, one.name)
    ids = {url: await _kept(tx, system, version, url, name) for url, name in names.items()}
    async with tx.cursor() as cursor, cursor.copy(COPY) as copy:
        for one in read():
            words = as_vector([one.display or ""])
            row = (ids[one.url], 0, one.code, one.display, one.position, words, None)
            await copy.write_row(row)


async def _kept(tx: Connection, system: str, version: str, url: str, name: str | None) -> int:
    data = {"resourceType": "ValueSet", "url": url, "version": version, "status": "active"}
    rules = {"include": [{"system": system, "enumerated": 0}], "exclude": []}
    titled = data | ({"title": name} if name else {})
    return await artifacts.keep(
        tx, Artifact("ValueSet", titled, "release", rules=rules, systems=[system])
    )
