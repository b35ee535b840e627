"""Calling a peer in our own name: moved studies and commitment reports (PS3.8 §7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from pynetdicom import AE

from serai.imaging.dimse import tls
from serai.imaging.dimse.exchange import House
from serai.imaging.dimse.peers import Peer

log = structlog.get_logger(__name__)

CONNECT_S: Final = 10


@contextmanager
def called(house: House, peer: Peer, contexts: list[Any], **options: Any) -> Iterator[Any]:
    """An association with the peer, or None when it does not answer or refuses."""
    entity = AE(house.ae_title)
    entity.acse_timeout = entity.connection_timeout = CONNECT_S
    security = tls.client_arguments(house.settings, peer) if peer.tls else None
    association = entity.associate(
        peer.host,
        peer.port,
        contexts=contexts,
        ae_title=peer.ae_title,
        tls_args=security,
        **options,
    )
    if not association.is_established:
        log.warning("dimse.peer-not-reached", ae_title=peer.ae_title)
        yield None
        return
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
