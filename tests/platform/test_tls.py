"""TLS as every part of the server speaks it: handshakes with those who would rather be weak."""

from __future__ import annotations

import ast
import ssl
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import serai
from serai.kernel.clock import utc_now
from serai.platform import tls

DAY = timedelta(days=1)
SOURCE = Path(serai.__file__).parent


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
        certificate = self._signed(self.name, self.key, utc_now() + DAY, authority=True)
        self.pem = folder / "authority.pem"
        self.pem.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(self, host: str, *, ends: datetime | None = None) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        certificate = self._signed(name, key, ends or utc_now() + DAY, host=host)
        path = self.folder / f"{host}.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        return path

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        ends: datetime,
        *,
        host: str = "",
        authority: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends - 30 * DAY)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
        )
        if host:
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, host: str = "hospital.test"
) -> ssl.SSLObject:
    """Both sides in memory; raises what either of them objects to."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert sides[0].cipher()
    return sides[0]


def weak(authorities: Path, suites: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authorities)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    return context


def test_two_of_us_speak_tls_13(authority: Authority) -> None:
    server = tls.serving(authority.issue("hospital.test"))
    met = handshake(server, tls.calling(authorities=authority.pem, public=False))
    assert met.version() == "TLSv1.3"


def test_tls_12_is_spoken_with_forward_secrecy(authority: Authority) -> None:
    client = weak(authority.pem, "ALL", ssl.TLSVersion.TLSv1_2)
    met = handshake(tls.serving(authority.issue("hospital.test")), client)
    cipher = met.cipher()
    assert cipher
    assert cipher[0].startswith("ECDHE-")
    assert "GCM" in cipher[0]


@pytest.mark.parametrize(
    ("suites", "version"),
    [
        ("ALL", ssl.TLSVersion.TLSv1),
        ("ALL", ssl.TLSVersion.TLSv1_1),
        ("AES128-SHA:AES256-GCM-SHA384", ssl.TLSVersion.TLSv1_2),
        ("ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384", ssl.TLSVersion.TLSv1_2),
        ("NULL:aNULL", ssl.TLSVersion.TLSv1_2),
    ],
)
def test_who_only_speaks_weakly_is_not_spoken_to(
    suites: str, version: ssl.TLSVersion, authority: Authority
) -> None:
    server = tls.serving(authority.issue("hospital.test"))
    with pytest.raises(ssl.SSLError):
        handshake(server, weak(authority.pem, suites, version))


def test_whoever_answers_in_another_name_or_time_or_of_nobody_is_not_believed(
    authority: Authority, tmp_path: Path
) -> None:
    client = tls.calling(authorities=authority.pem, public=False)
    fine = authority.issue("hospital.test")
    handshake(tls.serving(fine), client)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls.serving(fine), client, host="other.test")
    late = authority.issue("late.test", ends=utc_now() - DAY)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls.serving(late), client, host="late.test")
    (tmp_path / "strange").mkdir()
    stranger = Authority(tmp_path / "strange").issue("hospital.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls.serving(stranger), client)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls.serving(fine), tls.calling())


def test_contexts_are_made_in_one_place() -> None:
    makers = {"create_default_context", "create_ssl_context", "SSLContext"}
    unchecked = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or path == Path(tls.__file__):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given = {each.arg for each in node.keywords}
            client = name in ("AsyncClient", "Client") and "verify" not in given
            if name in makers or (client and "httpx" in ast.unparse(node.func)):
                unchecked.append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    assert unchecked == []
