"""Accounts of people who are not staff: patients, guardians, people of partner companies.

What each may do, as one table; whose record a patient or guardian sees is the second question,
answered by the store: their own, and that of those whose guardian they are today.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType

from serai.kernel.actor import Kind
from serai.kernel.errors import Invalid
from serai.platform.auth.roles import GROUPS
from serai.platform.db import Connection

OF_AGE = 18
BASES = ("minor", "court")

# All of them only read: a patient's wishes come in by request, a partner's results by protocol.
TABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "patient": ("people", "record", "orders", "diary", "consent", "files", "places"),
        "guardian": ("people", "record", "orders", "diary", "consent", "files", "places"),
        "partner": ("record", "requests", "places", "definitions"),
    }
)
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "staff": Kind.STAFF,
        "partner": Kind.PARTNER,
        "patient": Kind.PATIENT,
        "guardian": Kind.PATIENT,
    }
)

# The day begins first at UTC+14: what ends with a day ends nowhere later than it should.
FIRST_DAWN = timedelta(hours=14)

GUARDED = """SELECT patient FROM guardianship
             WHERE account = %s AND revoked_at IS NULL AND starts_on <= %s
               AND (ends_on IS NULL OR ends_on > %s)
             ORDER BY patient"""
GUARD = """INSERT INTO guardianship (account, patient, basis, starts_on, ends_on)
           VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (account, patient, starts_on) DO UPDATE
           SET basis = excluded.basis, ends_on = excluded.ends_on, revoked_at = NULL"""
REVOKE = """UPDATE guardianship SET revoked_at = %s
            WHERE account = %s AND patient = %s AND revoked_at IS NULL"""


def scopes_of_kind(kind: str) -> frozenset[str]:
    level = "user" if kind == "partner" else "patient"
    types = (name for group in TABLE[kind] for name in GROUPS[group])
    return frozenset(f"{level}/{name}.rs" for name in types)


def comes_of_age(birth_date: str) -> date:
    """The 18th birthday; of a partial date (R4 §2.24.0.1 date) the earliest it can be."""
    year, month, day = (*(int(part) for part in birth_date.split("-")), 1, 1)[:3]
    try:
        return date(year + OF_AGE, month, day)
    except ValueError:  # born on 29 February
        return date(year + OF_AGE, 3, 1)


async def make_guardian(
    tx: Connection,
    account_id: str,
    patient: str,
    *,
    basis: str,
    starts_on: date,
    ends_on: date | None,
    birth_date: str | None,
) -> date | None:
    """From when until when somebody acts for a patient; returns the end. For a minor it ends with
    the 18th birthday at the latest, whatever was asked."""
    if basis not in BASES:
        raise Invalid("guardian.unknown-basis", basis=basis[:40], known=BASES)
    if basis == "minor":
        if not birth_date:
            raise Invalid("guardian.no-birth-date")
        of_age = comes_of_age(birth_date)
        ends_on = min(ends_on or of_age, of_age)
    if ends_on is not None and ends_on <= starts_on:
        raise Invalid("guardian.over", ends=ends_on.isoformat())
    await tx.execute(GUARD, (account_id, patient, basis, starts_on, ends_on))
    return ends_on


async def end_guardianship(tx: Connection, account_id: str, patient: str, now: datetime) -> None:
    await tx.execute(REVOKE, (now, account_id, patient))


async def guarded_by(c: Connection, account_id: str, now: datetime) -> tuple[str, ...]:
    """Whose guardian the account is now."""
    days = (now.date(), (now + FIRST_DAWN).date())
    rows = await c.execute(GUARDED, (account_id, *days))
    return tuple([patient async for (patient,) in rows])
