"""Whatever keeps the server from starting is told in one line."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import psycopg
import pytest
from tests.serving.conftest import Place, Serve, free_port

from serai.platform.postgres import Cluster

pytestmark = pytest.mark.timeout(150)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")


def refusal(place: Place, *arguments: str, before: tuple[str, ...] = ()) -> str:
    """The one line that `serai serve` says before it gives up."""
    ended = place.serai("serve", *arguments, before=before)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    return line


def test_the_web_port_is_taken(tmp_path: Path) -> None:
    place = Place(tmp_path / "var")
    with socket.create_server(("127.0.0.1", place.port)):
        began = time.monotonic()
        line = refusal(place)
    assert f"port {place.port} on 127.0.0.1 is taken" in line
    assert not (place.home / "postgres").exists()
    assert time.monotonic() - began < 10


def test_the_dicom_port_is_taken(tmp_path: Path) -> None:
    place = Place(tmp_path / "var")
    with socket.create_server(("127.0.0.1", place.dimse_port)):
        assert f"port {place.dimse_port} on 127.0.0.1 is taken" in refusal(place)


def test_the_address_belongs_to_another_machine(tmp_path: Path) -> None:
    assert "no address 192.0.2.1" in refusal(Place(tmp_path / "var"), "--host", "192.0.2.1")


def test_two_servers_on_one_state_folder(used_place: Place, serve: Serve) -> None:
    first = serve(used_place)
    second = Place(used_place.home)
    line = refusal(second)
    assert "in use by another server" in line
    assert str(first.process.pid) in line
    assert first.get("/readyz") == 200
    assert first.stop() == 0


def test_a_database_newer_than_the_code_is_left_alone(used_place: Place) -> None:
    with (
        Cluster(used_place.home) as cluster,
        psycopg.connect(cluster.url, autocommit=True) as connection,
    ):
        connection.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc)"
            " VALUES ('f00', '9999.from-the-future', now())"
        )
        try:
            line = refusal(used_place)
        finally:
            connection.execute("DELETE FROM _yoyo_migration WHERE migration_hash = 'f00'")
    assert "newer version of Serai" in line
    assert "9999.from-the-future" in line


def test_the_database_does_not_answer(tmp_path: Path) -> None:
    address = f"postgresql://serai@127.0.0.1:{free_port()}/serai"
    place = Place(tmp_path / "var", more={"SERAI_DATABASE_URL": address})
    assert "the database does not answer" in refusal(place)


def test_the_state_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("not a folder")
    assert "cannot use the state folder" in refusal(Place(tmp_path / "var"))


@as_root
def test_the_state_folder_is_read_only(tmp_path: Path) -> None:
    home = tmp_path / "var"
    home.mkdir()
    mount = f'mount -t tmpfs -o ro tmpfs {home} && exec "$@"'
    line = refusal(Place(home), before=("unshare", "--mount", "sh", "-c", mount, "sh"))
    assert "cannot use the state folder" in line
    assert "Read-only" in line


@as_root
@pytest.mark.parametrize("size", ["4k", "8m", "40m"])
def test_the_disk_is_full(tmp_path: Path, size: str) -> None:
    """Full at once, full while the database is made, full while it starts."""
    home = tmp_path / "var"
    home.mkdir()
    mount = f'mount -t tmpfs -o size={size} tmpfs {home} && exec "$@"'
    line = refusal(Place(home), before=("unshare", "--mount", "sh", "-c", mount, "sh"))
    assert "the disk is full" in line


def test_a_setting_makes_no_sense(tmp_path: Path) -> None:
    place = Place(tmp_path / "var", more={"SERAI_WORKERS": "many"})
    assert "SERAI_WORKERS" in refusal(place)
