"""What the search modifiers :in, :not-in, :above and :below stand for (R4 §3.1.1.4.10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from serai.fhir.search.vocabulary import MOST_CODES
from serai.fhir.terminology.concepts import ancestors, descendants, expansion_codes
from serai.fhir.terminology.known import resolve
from serai.kernel.errors import Malformed, NotFound
from serai.platform.db import Connection

Codes = Sequence[tuple[str, str]]

# Value sets are shared by everybody on the network, so this asks for nobody's rights.
_URL_OF: Final = """SELECT url FROM terminology_artifact
    WHERE kind = 'ValueSet' AND resource = %s"""


async def expand(connection: Connection, relation: str, value: str) -> Codes:
    """Every code that `value` stands for: the members of a value set, or a ``system|code`` with
    what is above or below it, which it subsumes or is subsumed by itself too.

    What nobody here knows is refused: an empty answer would look like no such patient.
    """
    return await _ASKED[relation](connection, value)


async def _members(connection: Connection, value: str) -> Codes:
    try:
        url = await _canonical(connection, value)
        return await expansion_codes(connection, url, most=MOST_CODES)
    except NotFound as error:
        # The search is at fault; its address is there.
        raise Malformed(error.key, **error.details) from error


async def _canonical(connection: Connection, value: str) -> str:
    """A value set is named by its URL or as ValueSet/id."""
    kind, slash, id = value.partition("/")
    if kind != "ValueSet" or not slash:
        return value
    row = await (await connection.execute(_URL_OF, (id,))).fetchone()
    if row is None:
        raise NotFound("terminology.unknown-value-set", url=value[:200])
    return str(row[0])


async def _below(connection: Connection, value: str) -> Codes:
    system, code = await _named(connection, value)
    found = await descendants(connection, system, code, most=MOST_CODES - 1)
    return [(system, one) for one in (code, *found)]


async def _above(connection: Connection, value: str) -> Codes:
    system, code = await _named(connection, value)
    found = await ancestors(connection, system, code, most=MOST_CODES - 1)
    return [(system, one) for one in (code, *found)]


async def _named(connection: Connection, value: str) -> tuple[str, str]:
    system, _, code = value.rpartition("|")
    if not system or not code:
        raise Malformed("terminology.needs-system")
    known = await resolve(connection, systems=[system])
    if known.system(system) is None:
        raise Malformed("terminology.unknown-system", url=system[:200])
    return system, code


_ASKED: Final[dict[str, Callable[[Connection, str], Awaitable[Codes]]]] = {
    "in": _members,
    "above": _above,
    "below": _below,
}
