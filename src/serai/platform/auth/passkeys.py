"""Passkeys (WebAuthn Level 3): a device that checks its owner signs a challenge of ours.

https://www.w3.org/TR/webauthn-3/ — user verification is demanded, so that a passkey alone is two
factors: something one has, and the finger, face or PIN that opens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import webauthn
from webauthn.helpers import parse_authentication_credential_json, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from serai.kernel.errors import Conflict, Invalid, NotFound, Unauthenticated
from serai.kernel.ids import new_id
from serai.platform.auth.accounts import COLUMNS, Account
from serai.platform.db import Connection

ANSWERED_WITHIN = timedelta(minutes=5)
MOST = 20

ASK = "INSERT INTO passkey_challenge (challenge, account, expires_at) VALUES (%s, %s, %s)"
FORGET = "DELETE FROM passkey_challenge WHERE expires_at <= %s"
ANSWERED = """DELETE FROM passkey_challenge WHERE challenge = %s AND expires_at > %s
              RETURNING account"""
OF = "SELECT id, name, added_at, used_at FROM account_passkey WHERE account = %s ORDER BY added_at"
CREDENTIALS = "SELECT credential FROM account_passkey WHERE account = %s"
KEEP = """INSERT INTO account_passkey
              (credential, id, account, public_key, sign_count, name, added_at)
          VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
FIND = f"""SELECT k.public_key, k.sign_count, {", ".join("a." + c for c in COLUMNS.split(", "))}
           FROM account_passkey k JOIN account a ON a.id = k.account
           WHERE k.credential = %s AND a.disabled_at IS NULL FOR UPDATE OF k"""  # noqa: S608
USED = "UPDATE account_passkey SET sign_count = %s, used_at = %s WHERE credential = %s"
REMOVE = "DELETE FROM account_passkey WHERE account = %s AND id = %s"
REMOVE_ALL = "DELETE FROM account_passkey WHERE account = %s"


@dataclass(frozen=True, slots=True)
class Site:
    """The relying party as the browser sees it: its host, and its origin."""

    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class Passkey:
    id: str
    name: str
    added_at: datetime
    used_at: datetime | None


async def passkeys_of(c: Connection, account_id: str) -> list[Passkey]:
    return [Passkey(*row) async for row in await c.execute(OF, (account_id,))]


async def registration(tx: Connection, account: Account, *, site: Site, now: datetime) -> str:
    """What the browser needs to make a passkey (§5.4), as JSON."""
    known = [bytes(row[0]) async for row in await tx.execute(CREDENTIALS, (account.id,))]
    if len(known) >= MOST:
        raise Conflict("passkey.too-many")
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name="Serai",
        user_id=account.id.encode(),
        user_name=account.login,
        user_display_name=account.name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
    )
    await _ask(tx, options.challenge, account.id, now)
    return webauthn.options_to_json(options)


async def add(
    tx: Connection,
    account: Account,
    credential: dict[str, Any],
    *,
    name: str,
    site: Site,
    now: datetime,
) -> str:
    """Keep a new passkey (§7.1) and return its id; Invalid when the answer is not right."""
    challenge = await _answered(tx, credential, account.id, now)
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError) as error:
        raise Invalid("passkey.refused") from error
    passkey_id = new_id()
    row = (passkey_id, account.id, made.credential_public_key, made.sign_count, name, now)
    kept = await tx.execute(KEEP, (made.credential_id, *row))
    if not kept.rowcount:
        raise Conflict("passkey.known")
    return passkey_id


async def question(tx: Connection, account_id: str | None, *, site: Site, now: datetime) -> str:
    """What the browser needs to answer with a passkey (§5.5); with no account, of anybody."""
    known: list[PublicKeyCredentialDescriptor] = []
    if account_id is not None:
        rows = await tx.execute(CREDENTIALS, (account_id,))
        known = [PublicKeyCredentialDescriptor(id=bytes(row[0])) async for row in rows]
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        allow_credentials=known,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    await _ask(tx, options.challenge, account_id, now)
    return webauthn.options_to_json(options)


async def answered(
    tx: Connection,
    credential: dict[str, Any],
    account_id: str | None,
    *,
    site: Site,
    now: datetime,
) -> Account:
    """Whose passkey answered (§7.2); one refusal for every reason."""
    try:
        challenge = await _answered(tx, credential, account_id, now)
        parsed = parse_authentication_credential_json(credential)
        row = await (await tx.execute(FIND, (parsed.raw_id,))).fetchone()
        if row is None:
            raise Unauthenticated("passkey.refused")
        public_key, sign_count, *columns = row
        account = Account(*columns)
        verified = webauthn.verify_authentication_response(
            credential=parsed,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=bytes(public_key),
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, Invalid) as error:
        raise Unauthenticated("passkey.refused") from error
    if account_id is not None and account.id != account_id:
        raise Unauthenticated("passkey.refused")
    await tx.execute(USED, (verified.new_sign_count, now, parsed.raw_id))
    return account


async def remove(tx: Connection, account_id: str, passkey_id: str) -> None:
    removed = await tx.execute(REMOVE, (account_id, passkey_id))
    if not removed.rowcount:
        raise NotFound("passkey.unknown")


async def remove_all(tx: Connection, account_id: str) -> None:
    await tx.execute(REMOVE_ALL, (account_id,))


async def _ask(tx: Connection, challenge: bytes, account_id: str | None, now: datetime) -> None:
    await tx.execute(FORGET, (now,))
    await tx.execute(ASK, (challenge, account_id, now + ANSWERED_WITHIN))


async def _answered(
    tx: Connection, credential: dict[str, Any], account_id: str | None, now: datetime
) -> bytes:
    """The challenge that is answered; it was asked of this account and can be answered once."""
    try:
        said = msgspec.convert(credential["response"]["clientDataJSON"], str)
        challenge = parse_client_data_json(webauthn.base64url_to_bytes(said)).challenge
    except (WebAuthnException, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise Invalid("passkey.refused") from error
    row = await (await tx.execute(ANSWERED, (challenge, now))).fetchone()
    if row is None or row[0] != account_id:
        raise Invalid("passkey.refused")
    return challenge
