"""One-time codes from an app (TOTP, RFC 6238): six digits, half a minute, each taken once."""

from __future__ import annotations

from datetime import datetime
from hmac import compare_digest

import pyotp

from serai.kernel.errors import Conflict, Invalid
from serai.platform.db import Connection
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.sealing import Place, opened, sealed

ISSUER = "Serai"
# Clocks of telephones go wrong by less than a step either way.
STEPS_AROUND = 1

BEGIN = """INSERT INTO account_totp (account, sealed, begun_at) VALUES (%s, %s, %s)
           ON CONFLICT (account) DO UPDATE
           SET sealed = excluded.sealed, begun_at = excluded.begun_at
           WHERE account_totp.confirmed_at IS NULL"""
WANTED = "SELECT sealed, last_step FROM account_totp WHERE account = %s AND confirmed_at IS NULL"
CONFIRMED = """SELECT sealed, last_step FROM account_totp
               WHERE account = %s AND confirmed_at IS NOT NULL FOR UPDATE"""
CONFIRM = "UPDATE account_totp SET confirmed_at = %s, last_step = %s WHERE account = %s"
USED = "UPDATE account_totp SET last_step = %s WHERE account = %s"
REMOVE = "DELETE FROM account_totp WHERE account = %s"


async def begin(tx: Connection, account_id: str, *, keys: Keyring, now: datetime) -> None:
    """A new secret that waits for its first code; Conflict when an app is enrolled already."""
    box = await sealed(keys, pyotp.random_base32().encode(), place_of(account_id))
    begun = await tx.execute(BEGIN, (account_id, box, now))
    if not begun.rowcount:
        raise Conflict("totp.already")


async def waiting(c: Connection, account_id: str, *, keys: Keyring) -> str | None:
    """The secret whose enrolment is under way."""
    row = await (await c.execute(WANTED, (account_id,))).fetchone()
    return await _opened(keys, row[0], account_id) if row else None


def address(secret: str, login: str) -> str:
    """What the QR code says (https://github.com/google/google-authenticator/wiki/Key-Uri-Format)."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


async def confirm(
    tx: Connection, account_id: str, code: str, *, keys: Keyring, now: datetime
) -> None:
    """The first code from the app; Invalid when it is not right."""
    secret = await waiting(tx, account_id, keys=keys)
    step = _step(secret, code, now, after=0) if secret else None
    if step is None:
        raise Invalid("factor.code-wrong")
    await tx.execute(CONFIRM, (now, step, account_id))


async def matches(
    tx: Connection, account_id: str, code: str, *, keys: Keyring, now: datetime
) -> bool:
    """Whether the code is right and was not used before (RFC 6238 §5.2); it is then used."""
    row = await (await tx.execute(CONFIRMED, (account_id,))).fetchone()
    if row is None:
        return False
    step = _step(await _opened(keys, row[0], account_id), code, now, after=row[1])
    if step is not None:
        await tx.execute(USED, (step, account_id))
    return step is not None


async def remove(tx: Connection, account_id: str) -> None:
    await tx.execute(REMOVE, (account_id,))


def place_of(account_id: str) -> Place:
    return Place("accounts", "account_totp", "sealed", account_id)


async def _opened(keys: Keyring, box: bytes, account_id: str) -> str:
    return (await opened(keys, box, place_of(account_id))).decode()


def _step(secret: str, code: str, now: datetime, *, after: int) -> int | None:
    """The time step that the code belongs to, when it is later than the last one used."""
    app = pyotp.TOTP(secret)
    current = app.timecode(now)
    typed = "".join(code.split())
    for step in range(current - STEPS_AROUND, current + STEPS_AROUND + 1):
        if step > after and compare_digest(app.generate_otp(step).encode(), typed.encode()):
            return step
    return None
