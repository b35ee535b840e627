"""First versions made in another process, for imports: reading, checking and indexing is most of
what a resource costs, and needs no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from serai.fhir import body
from serai.fhir.body import Body
from serai.fhir.store.rows import Encoded, Row, check, make, managing_organisation
from serai.fhir.store.tables import encoded
from serai.fhir.stored import Stored
from serai.kernel.ids import new_id


class Made(msgspec.Struct, array_like=True):
    """A checked resource as the rows of its first version; `fresh` when it came without an id.
    `custodian` is the one that a Patient names."""

    type: str
    id: str
    fresh: bool
    at: datetime
    custodian: str | None
    names_custodian: bool
    content: bytes
    patients: tuple[str, ...]
    keys: tuple[int, ...]
    values: Encoded


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was made, and the bytes it was made from for when there is a version already."""

    made: Made
    raw: bytes

    def row(self, *, owner: str | None, method: str) -> Row:
        made = self.made
        stored = Stored(
            made.type, made.id, 1, made.at, deleted=False, owner=owner, content=made.content,
            method=method,
        )  # fmt: skip
        return Row(stored, made.patients, made.keys, encoded=made.values)

    def body(self) -> Body:
        return body.parse(self.raw)


def made(read: Body, *, at: datetime, base: str) -> Made:
    """The rows of a resource that nothing is known of; refused as `check` refuses it."""
    check(read, resource_type=read.type)
    id = read.id or new_id()
    row = make(read, id=id, version=1, at=at, method="PUT", owner=None, base=base)
    return Made(
        type=read.type,
        id=id,
        fresh=read.id is None,
        at=at,
        custodian=managing_organisation(read),
        names_custodian="managingOrganization" in read.data,
        content=row.stored.raw,
        patients=row.patients,
        keys=row.keys,
        values=encoded(row),
    )
