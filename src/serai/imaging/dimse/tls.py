"""DICOM over TLS (PS3.15 §B.9, BCP 195 profile): our certificate, and whose we believe."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from serai.imaging.dimse.peers import Peer
from serai.kernel.errors import Unavailable
from serai.platform import tls
from serai.platform.settings import Settings


def server_context(settings: Settings) -> ssl.SSLContext:
    """For associations accepted; a certificate shown must be of an authority we believe."""
    with _usable_files():
        context = tls.serving(
            settings.dimse_tls_certificate,
            settings.dimse_tls_key,
            authorities=settings.dimse_tls_authorities,
        )
    if settings.dimse_tls_client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_arguments(settings: Settings, peer: Peer) -> tuple[ssl.SSLContext, str]:
    """For associations requested: pynetdicom wants the context and the name to check."""
    with _usable_files():
        context = tls.calling(
            authorities=settings.dimse_tls_authorities,
            certificate=settings.dimse_tls_certificate,
            key=settings.dimse_tls_key,
        )
    return context, peer.host or ""


@contextmanager
def _usable_files() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("dimse.tls-unusable", reason=error.strerror or "") from error
