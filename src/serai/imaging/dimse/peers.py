"""Application entities that may call us, and for which organisation they speak."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from serai.kernel.actor import Actor, Kind
from serai.kernel.errors import Invalid
from serai.platform.db import Connection

ADD = """INSERT INTO dimse_peer (ae_title, organisation, address) VALUES (%s, %s, %s)
         ON CONFLICT (ae_title) DO UPDATE
         SET organisation = EXCLUDED.organisation, address = EXCLUDED.address"""
CALLING = """SELECT ae_title, organisation, address FROM dimse_peer
             WHERE ae_title = %s AND (address IS NULL OR address = %s)"""
SCOPES = frozenset({"system/ImagingStudy.crus", "system/Patient.rs"})
MAX_TITLE = 16


@dataclass(frozen=True, slots=True)
class Peer:
    """One calling AE title; without organisation its studies belong to nobody but the system."""

    ae_title: str
    organisation: str | None = None
    address: str | None = None

    @property
    def actor(self) -> Actor:
        return Actor(
            id=f"dimse:{self.ae_title}",
            kind=Kind.MACHINE,
            name=self.ae_title,
            role="modality",
            organisation=self.organisation,
            scopes=SCOPES,
        )


async def set_peers(tx: Connection, peers: Iterable[Peer]) -> None:
    """Let these application entities in; one already known takes its new settings."""
    for peer in peers:
        title = peer.ae_title.strip()
        # A backslash separates values and control characters are not allowed (PS3.5 §6.2, AE).
        if not 0 < len(title) <= MAX_TITLE or not title.isprintable() or "\\" in title:
            raise Invalid("dimse.ae-title", ae_title=peer.ae_title)
        await tx.execute(ADD, (title, peer.organisation, peer.address))


async def calling_peer(connection: Connection, ae_title: str, address: str) -> Peer | None:
    """The peer that calls by this title from this address; None for strangers."""
    row = await (await connection.execute(CALLING, (ae_title.strip(), address))).fetchone()
    return Peer(*row) if row else None
