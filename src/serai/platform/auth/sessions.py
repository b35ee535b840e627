"""Sessions of signed-in people: an opaque secret in a cookie, its SHA-256 in the table.

A session may still await something between the password and the work (`awaits`): a second factor,
or the enrolment of one. It ends when idle or over as its role's policy says, when closed, and
with its account; each holds from the next request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound
from serai.platform.auth import policy
from serai.platform.auth.accounts import COLUMNS, END_GRANTS, END_SESSIONS, Account, read_account
from serai.platform.auth.kinds import guarded_by
from serai.platform.auth.secrets import derived, fingerprint, new_secret
from serai.platform.db import Connection, Database

LIFETIME, IDLE = policy.LIFETIME, policy.IDLE
# Being seen is written down this rarely, so that a page costs a read and not a write.
SEEN_EVERY = timedelta(minutes=1)
LONGEST_AGENT = 300

# The place acted for stands in for the account's first one.
_PLACED = {
    "role": "coalesce(s.role, a.role)",
    "organisation": "coalesce(s.organisation, a.organisation)",
    "practitioner": "coalesce(at.practitioner, a.practitioner)",
}
_ACCOUNT = ", ".join(_PLACED.get(column, f"a.{column}") for column in COLUMNS.split(", "))
_LIFETIME = "coalesce(p.lifetime, interval '12 hours')"
_IDLE = "coalesce(p.idle, interval '30 minutes')"
_JOINS = """account_session s JOIN account a ON a.id = s.account
    LEFT JOIN account_place at ON at.account = s.account
        AND at.organisation = s.organisation AND at.role = s.role
    LEFT JOIN role_policy p ON p.role = coalesce(s.role, a.role)"""
_LIVE = f"""s.closed_at IS NULL AND a.disabled_at IS NULL
    AND (s.role IS NULL OR at.account IS NOT NULL)
    AND s.opened_at > %(now)s - {_LIFETIME} AND s.seen_at > %(now)s - {_IDLE}"""

OPEN = """INSERT INTO account_session
              (secret_sha256, account, opened_at, seen_at, awaits, proved_at, proved_by, address,
               agent)
          VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""
FIND = f"""SELECT s.id, s.opened_at, s.seen_at, coalesce(s.proved_at, s.opened_at),
                  s.awaits, {_LIFETIME}, {_ACCOUNT}
           FROM {_JOINS} WHERE s.secret_sha256 = %(secret)s AND {_LIVE}"""  # noqa: S608
OF = f"""SELECT s.id, s.opened_at, s.seen_at, s.address, s.agent, s.proved_by
         FROM {_JOINS} WHERE s.account = %(account)s AND {_LIVE}
         ORDER BY s.seen_at DESC"""  # noqa: S608
SEEN = "UPDATE account_session SET seen_at = %s WHERE secret_sha256 = %s AND seen_at < %s"
CLOSE = "UPDATE account_session SET closed_at = %s WHERE secret_sha256 = %s AND closed_at IS NULL"
CLOSE_ONE = """UPDATE account_session SET closed_at = %s
               WHERE account = %s AND id = %s AND closed_at IS NULL"""
CLOSE_OTHERS = """UPDATE account_session SET closed_at = %s
                  WHERE account = %s AND id <> %s AND closed_at IS NULL"""
# A fresh proof is no enrolment: who needs a second factor and has none still needs one.
PROVE = """UPDATE account_session SET secret_sha256 = %s, proved_at = %s, proved_by = %s,
               awaits = nullif(awaits, 'factor') WHERE id = %s AND closed_at IS NULL"""
PROVED_BY = "SELECT proved_by FROM account_session WHERE id = %s"
ENROLLED = "UPDATE account_session SET awaits = NULL WHERE id = %s AND awaits = 'enrolment'"
PLACE = """UPDATE account_session SET organisation = %s, role = %s,
               awaits = CASE WHEN proved_by = 'password' THEN %s ELSE awaits END WHERE id = %s"""
FORGET_OLD = f"""DELETE FROM account_session s USING account a
                 LEFT JOIN role_policy p ON p.role = a.role
                 WHERE a.id = s.account AND s.account = %(account)s
                   AND s.opened_at <= %(now)s - {_LIFETIME}"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Came:
    """How somebody got in and from where; `awaits` is what they must still do, `proved_at` when
    they proved who they are, where that was elsewhere and before."""

    proved_by: str = "password"
    awaits: str | None = None
    address: str = ""
    agent: str = ""
    proved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """`csrf` is what forms and scripts must send back with every unsafe request."""

    account: Account
    csrf: str
    ends_at: datetime
    id: str
    proved_at: datetime | None
    awaits: str | None
    guarded: tuple[str, ...] = ()

    @property
    def actor(self) -> Actor:
        actor = self.account.actor
        patients = actor.patients or self.guarded
        return replace(actor, proved_at=self.proved_at, patients=patients)

    @property
    def language(self) -> str | None:
        return self.account.language


@dataclass(frozen=True, slots=True)
class Seen:
    """One line of the list of sessions."""

    id: str
    opened_at: datetime
    seen_at: datetime
    address: str
    agent: str
    proved_by: str | None


async def open_session(
    tx: Connection, account_id: str, now: datetime, came: Came | None = None
) -> tuple[str, Session]:
    """A new secret at every sign-in, so that nobody can plant one beforehand."""
    await read_account(tx, account_id)
    came, secret = came or Came(), new_secret()
    proved_at = came.proved_at or now
    proof = (came.awaits, proved_at, came.proved_by, came.address, came.agent[:LONGEST_AGENT])
    await tx.execute(OPEN, (fingerprint(secret), account_id, now, now, *proof))
    await tx.execute(FORGET_OLD, {"account": account_id, "now": now})
    found, _ = await _find(tx, secret, now) or (None, now)
    if found is None:
        raise NotFound("account.unknown", id=account_id)
    return secret, found


async def session_actor(db: Database, secret: str, now: datetime) -> Session | None:
    """The live session of this secret; None when it is unknown, closed, idle or over."""
    async with db.connection() as c:
        found = await _find(c, secret, now)
        if found is None:
            return None
        session, seen_at = found
        if now - seen_at >= SEEN_EVERY:
            await c.execute(SEEN, (now, fingerprint(secret), now))
    return session


async def sessions_of(c: Connection, account_id: str, now: datetime) -> list[Seen]:
    """Where the account is signed in, the latest seen first."""
    rows = await c.execute(OF, {"account": account_id, "now": now})
    return [Seen(*row) async for row in rows]


async def prove(tx: Connection, session: Session, proved_by: str, now: datetime) -> str:
    """The person has proved who they are; the session goes on under a new secret."""
    secret = new_secret()
    row = (fingerprint(secret), now, proved_by, session.id)
    proved = await tx.execute(PROVE, row)
    if not proved.rowcount:
        raise NotFound("session.unknown")
    return secret


async def proved_by(c: Connection, session_id: str) -> str:
    """How the person behind a session last proved who they are."""
    row = await (await c.execute(PROVED_BY, (session_id,))).fetchone()
    return str(row[0] or "password") if row else "password"


async def enrolled(tx: Connection, session: Session) -> None:
    """The second factor that the role needs is there now."""
    await tx.execute(ENROLLED, (session.id,))


async def act_for(
    tx: Connection, session: Session, place: tuple[str, str] | None, *, awaits: str | None
) -> None:
    """The session acts for another organisation, in the role held there, from now on. `awaits` is
    what the account's roles need when no more than a password was given."""
    organisation, role = place or (None, None)
    await tx.execute(PLACE, (organisation, role, awaits, session.id))


async def close_session(tx: Connection, secret: str, now: datetime) -> None:
    await tx.execute(CLOSE, (now, fingerprint(secret)))


async def close_one(tx: Connection, account_id: str, session_id: str, now: datetime) -> None:
    """One session of the account; NotFound when it has no such session open."""
    closed = await tx.execute(CLOSE_ONE, (now, account_id, session_id))
    if not closed.rowcount:
        raise NotFound("session.unknown")


async def close_others(tx: Connection, session: Session, now: datetime) -> None:
    """Everywhere but here."""
    await tx.execute(CLOSE_OTHERS, (now, session.account.id, session.id))


async def close_all_sessions(tx: Connection, account_id: str, now: datetime) -> None:
    """Apps that were allowed to act go too: whoever let them may have been somebody else."""
    await tx.execute(END_SESSIONS, (now, account_id))
    await tx.execute(END_GRANTS, (now, account_id))


async def _find(c: Connection, secret: str, now: datetime) -> tuple[Session, datetime] | None:
    found = await c.execute(FIND, {"secret": fingerprint(secret), "now": now})
    row = await found.fetchone()
    if row is None:
        return None
    session_id, opened_at, seen_at, proved_at, awaits, lifetime, *columns = row
    csrf, ends_at = derived(secret, "csrf"), opened_at + lifetime
    account = Account(*columns)
    guarded = await guarded_by(c, account.id, now) if account.kind == "guardian" else ()
    return Session(account, csrf, ends_at, session_id, proved_at, awaits, guarded), seen_at
