"""One command starts everything; one signal stops everything; a crash loses nothing."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest
from tests.serving.conftest import Place, Serve, database_processes, eventually, processes

from serai.platform.postgres import Cluster

pytestmark = pytest.mark.timeout(150)


def test_ctrl_c_stops_the_web_the_listener_and_the_database(
    used_place: Place, serve: Serve
) -> None:
    server = serve(used_place)
    parts = server.children("serai.serving.part")
    assert len(parts) == 3
    assert server.get("/healthz") == 200
    assert server.get("/readyz") == 200
    assert len(database_processes(used_place.home)) == 1
    assert server.stop(signal.SIGINT) == 0
    assert database_processes(used_place.home) == set()
    assert not parts & {pid for pid, _, _ in processes()}
    assert server.get("/healthz") == 0
    assert "Traceback" not in server.said


def test_many_workers_share_one_port(used_place: Place, serve: Serve) -> None:
    server = serve(used_place, "--workers", "3")
    assert len(server.children("serai.serving.part web")) == 3
    assert all(server.get("/readyz") == 200 for _ in range(10))
    assert server.stop() == 0


def test_after_kill_9_the_parts_go_and_the_next_start_adopts_the_database(
    used_place: Place, serve: Serve
) -> None:
    first = serve(used_place)
    token = used_place.serai("token", "--scope", "system/*.rs").stdout.strip()
    parts = first.children("serai.serving.part")
    first.process.kill()
    first.process.wait()
    eventually(lambda: not parts & {pid for pid, _, _ in processes()})
    orphan = database_processes(used_place.home)
    assert len(orphan) == 1
    second = serve(used_place)
    assert database_processes(used_place.home) == orphan
    assert second.get("/readyz") == 200
    with Cluster(used_place.home) as cluster, psycopg.connect(cluster.url) as connection:
        kept = connection.execute(
            "SELECT count(*) FROM access_token WHERE secret_sha256 = sha256(%s)", (token.encode(),)
        ).fetchone()
    assert kept == (1,)
    assert second.stop() == 0
    assert database_processes(used_place.home) == set()


def test_after_a_power_cut_the_database_recovers(used_place: Place, serve: Serve) -> None:
    first = serve(used_place)
    database = database_processes(used_place.home)
    for pid in [first.process.pid, *database]:
        os.kill(pid, signal.SIGKILL)
    first.process.wait()
    eventually(lambda: not database & {pid for pid, _, _ in processes()})
    second = serve(used_place)
    assert second.get("/readyz") == 200
    assert second.stop() == 0


def test_a_database_that_dies_is_started_again(used_place: Place, serve: Serve) -> None:
    server = serve(used_place)
    (database,) = database_processes(used_place.home)
    os.kill(database, signal.SIGKILL)
    eventually(lambda: database_processes(used_place.home) - {database} != set(), server)
    eventually(lambda: server.get("/readyz") == 200, server)
    assert server.stop() == 0


def test_a_part_that_dies_is_started_again(used_place: Place, serve: Serve) -> None:
    server = serve(used_place)
    for kind in ("web", "dicom"):
        (pid,) = server.children(f"serai.serving.part {kind}")
        os.kill(pid, signal.SIGKILL)
        eventually(lambda kind=kind, pid=pid: bool(server.children(f"part {kind}") - {pid}))  # type: ignore[misc]
    eventually(lambda: server.get("/readyz") == 200, server)
    assert server.stop() == 0


def test_a_database_of_your_own_works_the_same(
    tmp_path: Path, database_url: str, serve: Serve
) -> None:
    place = Place(tmp_path / "var", more={"SERAI_DATABASE_URL": database_url})
    server = serve(place)
    assert server.get("/readyz") == 200
    assert not (place.home / "postgres").exists()
    assert server.stop() == 0


def test_nothing_outside_the_state_folder_changes_its_permissions(tmp_path: Path) -> None:
    closed = tmp_path / "root"
    closed.mkdir(mode=0o700)
    above = [closed, *closed.parents]
    before = [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder in above]
    place = Place(closed / "hospital" / "var")
    checked = place.serai("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder in above] == before
    assert stat.S_IMODE((place.home / "postgres" / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((place.home / "blobs").stat().st_mode) == 0o700
