from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.imaging.dimse.calling import associated, run
from tests.imaging.objects import a_picture

from serai.imaging.dimse import Listener
from serai.platform.settings import Settings


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, our certificate and a device's by it, and one of nobody's."""
    folder = tmp_path_factory.mktemp("certificates")
    new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    for name in ("authority", "stranger"):
        made = run(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem",
                   cwd=folder)  # fmt: skip
        assert made.returncode == 0, made.stderr
    for name in ("server", "device"):
        made = run(
            *new, "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-CA", "authority.pem", "-CAkey", "authority.key",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", cwd=folder,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(params=[False, True], ids=["any-client", "client-certificates"])
def guarded(
    request: pytest.FixtureRequest, certificates: Path, database_url: str, tmp_path: Path
) -> Iterator[Listener]:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO dimse_peer (ae_title, organisation) VALUES ('CT', 'county')"
        )
    settings = Settings(
        home=tmp_path / "home",
        dimse_port=0,
        dimse_tls_port=0,
        dimse_tls_certificate=certificates / "server.pem",
        dimse_tls_key=certificates / "server.key",
        dimse_tls_authorities=certificates / "authority.pem",
        dimse_tls_client_certificates=request.param,
    )
    with Listener(settings, database_url) as started:
        yield started


def store(listener: Listener, certificates: Path, tmp_path: Path, *identity: str) -> int:
    picture = tmp_path / "picture.dcm"
    picture.write_bytes(a_picture(StudyInstanceUID="1.2.3"))
    result = run(
        "storescu", "-aet", "CT", "-aec", "SERAI", *identity, "+cf", "authority.pem",
        "127.0.0.1", str(listener.tls_port), picture, cwd=certificates,
    )  # fmt: skip
    return result.returncode


def test_a_device_sends_under_tls(guarded: Listener, certificates: Path, tmp_path: Path) -> None:
    assert store(guarded, certificates, tmp_path, "+tls", "device.key", "device.pem") == 0


def test_who_shows_no_certificate_is_let_in_only_where_none_is_asked_for(
    guarded: Listener,
    certificates: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    refused = store(guarded, certificates, tmp_path, "+tla") != 0
    assert refused is ("client-certificates" in request.node.name)


def test_a_certificate_of_nobody_we_believe_is_refused(
    guarded: Listener, certificates: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shown = store(guarded, certificates, tmp_path, "+tls", "stranger.key", "stranger.pem")
    assert shown != 0 or "any-client" in request.node.name


def test_a_handshake_that_never_ends_keeps_nobody_out(
    guarded: Listener, certificates: Path, tmp_path: Path, hung_up: list[socket.socket]
) -> None:
    address = ("127.0.0.1", guarded.tls_port)
    hung_up.extend(socket.create_connection(address) for _ in range(5))
    assert store(guarded, certificates, tmp_path, "+tls", "device.key", "device.pem") == 0


def test_plain_callers_get_nothing_from_the_tls_port(guarded: Listener) -> None:
    with associated(guarded, "CT", "1.2.840.10008.1.1") as association:
        assert association.send_c_echo().Status == 0
    answer = run("echoscu", "-aet", "CT", "-aec", "SERAI", "127.0.0.1", str(guarded.tls_port))
    assert answer.returncode != 0
