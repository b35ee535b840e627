"""Where somebody works: the first place, which the account names, and any further ones.

A role belongs to a place: an expert of the lead hospital may be a doctor at the county's. A
session acts for one of them at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from serai.platform.auth.accounts import Account
from serai.platform.auth.roles import known_role
from serai.platform.db import Connection

OF = """SELECT organisation, role, true FROM account WHERE id = %(account)s
        UNION ALL SELECT * FROM (
            SELECT organisation, role, false FROM account_place
            WHERE account = %(account)s ORDER BY organisation, role) further"""
ADD = """INSERT INTO account_place (account, organisation, role, practitioner)
         VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"""
LEAVE = "DELETE FROM account_place WHERE account = %s AND organisation = %s AND role = %s"


@dataclass(frozen=True, slots=True)
class Place:
    organisation: str
    role: str
    first: bool

    @property
    def key(self) -> str:
        return f"{self.organisation}|{self.role}"


async def places_of(c: Connection, account_id: str) -> list[Place]:
    rows = await c.execute(OF, {"account": account_id})
    return [Place(*row) async for row in rows]


async def add_place(
    tx: Connection, account: Account, organisation: str, role: str, practitioner: str | None = None
) -> None:
    await tx.execute(ADD, (account.id, organisation, known_role(role), practitioner))


async def leave_place(tx: Connection, account_id: str, organisation: str, role: str) -> None:
    """Sessions that act for it end with the next request."""
    await tx.execute(LEAVE, (account_id, organisation, role))
