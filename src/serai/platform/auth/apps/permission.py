"""What somebody allowed an app, as a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

COLUMNS = """g.id, g.app, g.account, g.organisation, g.role, g.scopes, g.patient, g.session,
    g.nonce, g.proved_at, g.proved_by, g.given_at, g.ends_at"""


@dataclass(frozen=True, slots=True)
class Grant:
    """What `account` allowed `app` while acting at `organisation` in `role`; `proved_by` is how
    the person had proved who they are at `proved_at`."""

    id: str
    app: str
    account: str
    organisation: str
    role: str
    scopes: frozenset[str]
    patient: str | None
    session: str | None
    nonce: str | None
    proved_at: datetime
    proved_by: str
    given_at: datetime
    ends_at: datetime

    @property
    def refreshes(self) -> bool:
        return bool(self.scopes & {"offline_access", "online_access"})


def grant_from(columns: Sequence[Any]) -> Grant:
    id, app, account, organisation, role, scopes, *rest = columns
    return Grant(id, app, account, organisation, role, frozenset(scopes), *rest)
