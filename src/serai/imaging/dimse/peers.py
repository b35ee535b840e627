"""Application entities that may call us or be called, and for which organisation they speak."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

from serai.kernel.actor import Actor, Kind
from serai.kernel.errors import Invalid
from serai.network.plan import Modality
from serai.platform.db import Connection

ADD = """INSERT INTO dimse_peer (ae_title, organisation, address, services, host, port, tls)
         VALUES (%s, %s, %s, %s, %s, %s, %s)
         ON CONFLICT (ae_title) DO UPDATE
         SET organisation = EXCLUDED.organisation, address = EXCLUDED.address,
             services = EXCLUDED.services, host = EXCLUDED.host, port = EXCLUDED.port,
             tls = EXCLUDED.tls"""
KNOWN = """SELECT ae_title, organisation, address, services, host, port, tls
           FROM dimse_peer WHERE ae_title = %s"""
SCOPES = frozenset(
    {
        "system/ImagingStudy.crus",
        "system/Patient.rs",
        "system/ServiceRequest.rus",
        "system/Appointment.rs",
        "system/Procedure.crus",
    }
)
MAX_TITLE = 16


class Service(StrEnum):
    """What a peer can be allowed to ask of us."""

    STORE = "store"
    FIND = "find"
    RETRIEVE = "retrieve"
    WORKLIST = "worklist"
    MPPS = "mpps"
    COMMITMENT = "commitment"


# A modality brings pictures and asks for its work; reading what is there takes an explicit word.
OF_A_MODALITY: Final = frozenset(
    {Service.STORE, Service.WORKLIST, Service.MPPS, Service.COMMITMENT}
)


@dataclass(frozen=True, slots=True)
class Peer:
    """One AE title; without organisation it acts for the whole network, and its studies belong
    to nobody but the system."""

    ae_title: str
    organisation: str | None = None
    address: str | None = None
    services: frozenset[Service] = OF_A_MODALITY
    host: str | None = None
    port: int | None = None
    tls: bool = False

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


def peers_of(modalities: Iterable[Modality]) -> list[Peer]:
    """Those a network file names: they call from where they listen."""
    return [
        Peer(
            one.ae_title,
            one.organisation,
            one.host,
            services=frozenset(map(Service, one.services)) or OF_A_MODALITY,
            host=one.host,
            port=one.port,
            tls=one.tls,
        )
        for one in modalities
    ]


async def set_peers(tx: Connection, peers: Iterable[Peer]) -> None:
    """Let these application entities in; one already known takes its new settings."""
    for peer in peers:
        title = peer.ae_title.strip()
        # A backslash separates values and control characters are not allowed (PS3.5 §6.2, AE).
        if not 0 < len(title) <= MAX_TITLE or not title.isprintable() or "\\" in title:
            raise Invalid("dimse.ae-title", ae_title=peer.ae_title)
        services = sorted(peer.services)
        await tx.execute(
            ADD,
            (title, peer.organisation, peer.address, services, peer.host, peer.port, peer.tls),
        )


async def calling_peer(connection: Connection, ae_title: str, address: str) -> Peer | None:
    """The peer that calls by this title from this address; None for strangers."""
    peer = await _known(connection, ae_title)
    if peer is None or not await _comes_from(peer, address):
        return None
    return peer


async def destination(connection: Connection, ae_title: str) -> Peer | None:
    """The peer of this title, if it is known where it listens."""
    peer = await _known(connection, ae_title)
    return peer if peer and peer.host and peer.port else None


async def _known(connection: Connection, ae_title: str) -> Peer | None:
    row: tuple[Any, ...] | None = await (
        await connection.execute(KNOWN, (ae_title.strip(),))
    ).fetchone()
    if row is None:
        return None
    title, organisation, address, services, host, port, tls = row
    allowed = frozenset(Service(service) for service in services)
    return Peer(title, organisation, address, allowed, host, port, tls)


async def _comes_from(peer: Peer, address: str) -> bool:
    if peer.address is None:
        return True
    caller = ip_address(address)
    for place in peer.address.split(","):
        if await _covers(place.strip(), caller):
            return True
    return False


async def _covers(place: str, caller: IPv4Address | IPv6Address) -> bool:
    try:
        return caller in ip_network(place, strict=False)
    except ValueError:
        return str(caller) in await _addresses(place)


async def _addresses(name: str) -> set[str]:
    """What a host name stands for today; nothing when nobody knows."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None)
    except socket.gaierror:
        return set()
    return {str(address[0]) for *_, address in found}
