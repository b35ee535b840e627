"""Every TLS context of the server is made here: what is too old or too weak is nowhere else let in.

TLS 1.2 and 1.3 (RFC 9325, PS3.15 §B.9); with 1.2 only suites with forward secrecy and
authenticated encryption; no renegotiation, no compression.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi

# ECDHE with AES-GCM or ChaCha20 (RFC 9325 §4.2). Those of TLS 1.3 are all of this kind.
SUITES = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-GCM-SHA256")
    for key in ("ECDSA", "RSA")
)


def serving(
    certificate: Path | None, key: Path | None = None, *, authorities: Path | None = None
) -> ssl.SSLContext:
    """For connections accepted. A certificate that is shown must be of one of `authorities`.
    OSError when a file cannot be used."""
    context = _strict(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_ECDH_USE
    _load(context, certificate, key, authorities)
    return context


def calling(
    *,
    authorities: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    public: bool = True,
) -> ssl.SSLContext:
    """For connections made: the certificate and the name of whoever answers are checked, against
    the system's and Mozilla's authorities where `public`, and against these."""
    context = _strict(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    if public:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        context.load_verify_locations(certifi.where())
    _load(context, certificate, key, authorities)
    return context


def _strict(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context


def _load(
    context: ssl.SSLContext, certificate: Path | None, key: Path | None, authorities: Path | None
) -> None:
    if certificate:
        context.load_cert_chain(certificate, key)
    if authorities:
        context.load_verify_locations(authorities)
