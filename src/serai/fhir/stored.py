"""One version of a resource, as the tables hold it."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from serai.fhir.body import Data, decode
from serai.kernel.errors import Gone


class Stored(msgspec.Struct, frozen=True, dict=True):
    """`content` is the JSON exactly as served; None once deleted."""

    type: str
    id: str
    version: int
    last_updated: datetime
    deleted: bool
    owner: str | None
    content: bytes | None
    method: str = "PUT"

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"

    @property
    def raw(self) -> bytes:
        if self.content is None:
            raise Gone("fhir.gone", resource=self.reference)
        return self.content

    @cached_property
    def data(self) -> Data:
        return decode(self.raw)


# The columns of `Stored`, in its order, of the row called r.
COLUMNS = "r.type, r.id, r.version, r.last_updated, r.deleted, r.owner, r.content, r.method"


def stored(row: tuple[Any, ...]) -> Stored:
    """A row selected with COLUMNS."""
    return Stored(*row[:8])
