"""DICOM over TLS (PS3.15 §B.9, BCP 195 profile): our certificate, and whose we believe."""

from __future__ import annotations

import ssl

from serai.imaging.dimse.peers import Peer
from serai.kernel.errors import Unavailable
from serai.platform.settings import Settings


def server_context(settings: Settings) -> ssl.SSLContext:
    """For associations accepted; a certificate shown must be of an authority we believe."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _prepare(context, settings)
    if settings.dimse_tls_client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_arguments(settings: Settings, peer: Peer) -> tuple[ssl.SSLContext, str]:
    """For associations requested: pynetdicom wants the context and the name to check."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    _prepare(context, settings)
    return context, peer.host or ""


def _prepare(context: ssl.SSLContext, settings: Settings) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if settings.dimse_tls_certificate:
            context.load_cert_chain(settings.dimse_tls_certificate, settings.dimse_tls_key)
        if settings.dimse_tls_authorities:
            context.load_verify_locations(settings.dimse_tls_authorities)
    except OSError as error:
        raise Unavailable("dimse.tls-unusable", reason=error.strerror or "") from error
