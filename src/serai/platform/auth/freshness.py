"""Whether somebody proved who they are lately enough for what must not be done in their name."""

from __future__ import annotations

from datetime import datetime, timedelta

from serai.kernel.actor import Actor
from serai.kernel.errors import Unauthenticated

FRESH = timedelta(minutes=15)


def require_fresh(actor: Actor, now: datetime, *, within: timedelta = FRESH) -> None:
    """Unauthenticated when the person behind a session proved who they are too long ago.

    Machines and the server itself have no session and prove themselves with every request.
    """
    if actor.proved_at is not None and now - actor.proved_at > within:
        raise Unauthenticated("auth.prove-again")
