"""What a client asks for and gets, free of HTTP, so that Bundle entries speak it too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serai.fhir.store import FhirStore
from serai.fhir.stored import Stored
from serai.kernel.actor import Actor
from serai.kernel.errors import Malformed
from serai.platform.db import Connection

Pairs = tuple[tuple[str, str], ...]

_ETAG = re.compile(r'(?:W/)?"([1-9][0-9]{0,8})"')


@dataclass(frozen=True, slots=True)
class Conditions:
    """The preconditions of a request; an ETag is the version as W/"3" (R4 §3.1.0.1.3)."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: datetime | None = None
    if_none_exist: Pairs | None = None

    @property
    def version(self) -> int | None:
        """The version that If-Match demands."""
        if self.if_match is None:
            return None
        match = _ETAG.fullmatch(self.if_match.strip())
        if match is None:
            raise Malformed("fhir.header", header="If-Match")
        return int(match[1])

    def unchanged(self, found: Stored) -> bool:
        """Whether the client has this version already; an ETag outweighs a date."""
        if self.if_none_match is not None:
            tags = [tag.strip() for tag in self.if_none_match.split(",")]
            wanted = str(found.version)
            return "*" in tags or any((m := _ETAG.fullmatch(t)) and m[1] == wanted for t in tags)
        since = self.if_modified_since
        return since is not None and found.last_updated.replace(microsecond=0) <= since


@dataclass(frozen=True, slots=True)
class Prefer:
    """`Prefer` (RFC 7240): what to return after a write, how strict search is, and whether the
    answer may come later."""

    returns: str = "representation"
    handling: str = "strict"
    respond_async: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One interaction; `base` is this server's FHIR address as the client knows it."""

    method: str
    path: tuple[str, ...]
    params: Pairs = ()
    raw: bytes = b""
    conditions: Conditions = Conditions()
    prefer: Prefer = Prefer()
    base: str = ""
    content_type: str = ""
    in_bundle: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """`stored` gives ETag and Last-Modified, `location` the address of a new version; `headers`
    are further ones."""

    status: int
    content: bytes | None = None
    stored: Stored | None = None
    location: str | None = None
    headers: Pairs = ()

    @property
    def etag(self) -> str | None:
        return f'W/"{self.stored.version}"' if self.stored else None


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an interaction happens: who acts, when, on which connection of which store."""

    store: FhirStore
    connection: Connection
    actor: Actor
    now: datetime

    @property
    def who(self) -> dict[str, Any]:
        return {"actor": self.actor, "now": self.now}
