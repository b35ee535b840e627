"""What each role must prove and how long it stays signed in; set by an administrator.

https://pages.nist.gov/800-63-4/sp800-63b.html §2.2.3 (AAL2: at most a day, idle an hour).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from serai.kernel.errors import Invalid
from serai.platform.auth.roles import ROLES, known_role
from serai.platform.db import Connection

# A coffee break; and a shift.
IDLE = timedelta(minutes=30)
LIFETIME = timedelta(hours=12)
SHORTEST_IDLE, LONGEST_IDLE = timedelta(minutes=1), timedelta(hours=24)
SHORTEST_LIFETIME, LONGEST_LIFETIME = timedelta(minutes=5), timedelta(days=7)

ALL = "SELECT role, two_factors, idle, lifetime FROM role_policy"
SET = """INSERT INTO role_policy (role, two_factors, idle, lifetime) VALUES (%s, %s, %s, %s)
         ON CONFLICT (role) DO UPDATE SET two_factors = excluded.two_factors,
             idle = excluded.idle, lifetime = excluded.lifetime"""

# Whether any role of the account, at whichever place, needs a second factor.
NEEDS_TWO = """SELECT EXISTS (
    SELECT FROM role_policy p WHERE p.two_factors AND p.role IN (
        SELECT role FROM account WHERE id = %(account)s
        UNION ALL SELECT role FROM account_place WHERE account = %(account)s))"""


@dataclass(frozen=True, slots=True)
class RolePolicy:
    role: str
    two_factors: bool = False
    idle: timedelta = IDLE
    lifetime: timedelta = LIFETIME


async def policies(c: Connection) -> dict[str, RolePolicy]:
    """Of every role, in the order of the roles."""
    kept = {row[0]: RolePolicy(*row) async for row in await c.execute(ALL)}
    return {role: kept.get(role, RolePolicy(role)) for role in ROLES}


async def set_policy(tx: Connection, wanted: RolePolicy) -> None:
    """Times hold from the next request, the second factor from the next sign-in."""
    known_role(wanted.role)
    idle_fits = SHORTEST_IDLE <= wanted.idle <= LONGEST_IDLE
    if not (idle_fits and SHORTEST_LIFETIME <= wanted.lifetime <= LONGEST_LIFETIME):
        raise Invalid("policy.time-out-of-range")
    await tx.execute(SET, (wanted.role, wanted.two_factors, wanted.idle, wanted.lifetime))


async def needs_two_factors(c: Connection, account_id: str) -> bool:
    row = await (await c.execute(NEEDS_TWO, {"account": account_id})).fetchone()
    return bool(row and row[0])
