"""The second factor: what an account has, what a sign-in still needs, whether a code is right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serai.platform.auth import passkeys, policy, recovery, totp
from serai.platform.db import Connection

HELD = """SELECT EXISTS (SELECT FROM account_totp
                         WHERE account = %(account)s AND confirmed_at IS NOT NULL),
                 (SELECT count(*) FROM account_passkey WHERE account = %(account)s),
                 (SELECT count(*) FROM account_recovery_code
                  WHERE account = %(account)s AND used_at IS NULL)"""


@dataclass(frozen=True, slots=True)
class Factors:
    """What an account proves itself with beside its password."""

    totp: bool
    passkeys: int
    recovery_codes: int

    @property
    def any(self) -> bool:
        return self.totp or self.passkeys > 0


def knocks_as(account_id: str) -> str:
    """The name under which tries of an account's codes are counted."""
    return f"factor of {account_id}"


async def held(c: Connection, account_id: str) -> Factors:
    row = await (await c.execute(HELD, {"account": account_id})).fetchone()
    assert row
    return Factors(*row)


async def awaited(c: Connection, account_id: str) -> str | None:
    """What somebody whose password was right must still do: `factor`, `enrolment`, nothing."""
    if (await held(c, account_id)).any:
        return "factor"
    return "enrolment" if await policy.needs_two_factors(c, account_id) else None


async def proved_by(
    tx: Connection, account_id: str, code: str, *, key: bytes, now: datetime
) -> str | None:
    """How the code proves the person: `totp`, `recovery`, or not at all."""
    if await totp.matches(tx, account_id, code, key=key, now=now):
        return "totp"
    return "recovery" if await recovery.use(tx, account_id, code, now) else None


async def remove_all(tx: Connection, account_id: str) -> None:
    """The person lost every device: the way back in is a new link."""
    await totp.remove(tx, account_id)
    await passkeys.remove_all(tx, account_id)
    await recovery.forget(tx, account_id)
