"""Certificates for servers of the tests, under an authority that nobody else knows."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def authority_in(folder: Path) -> Path:
    """The certificate of a new authority."""
    openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", "/CN=County authority", "-keyout", "ca.key", "-out", "ca.pem",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    return folder / "ca.pem"


def identity(authority: Path, name: str) -> ssl.SSLContext:
    """What a server shows that the authority calls `name`."""
    folder = authority.parent
    (folder / "names").write_text(f"subjectAltName={name}\n")
    openssl(
        folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=receiver",
        "-keyout", "own.key", "-out", "own.csr",
    )  # fmt: skip
    openssl(
        folder, "x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "own.pem",
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    return context
