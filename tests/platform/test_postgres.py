"""The embedded cluster: shared by processes, revived when it dies, honest when it cannot start."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import time
from pathlib import Path

import psycopg
import pytest

from serai.kernel.errors import Unavailable
from serai.platform import postgres
from serai.platform.postgres import Cluster, binaries


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster") / 'a folder\'s name; rm -rf "$HOME"'


def answer(cluster: Cluster) -> object:
    with psycopg.connect(cluster.url) as connection:
        row = connection.execute("SELECT 42").fetchone()
        return row and row[0]


def test_the_last_to_leave_stops_it(home: Path) -> None:
    with Cluster(home) as first:
        with Cluster(home) as second:
            assert answer(second) == 42
        assert answer(first) == 42
    assert not first.running()


def test_a_cluster_that_dies_is_revived(home: Path) -> None:
    with Cluster(home) as cluster:
        cluster.revive()
        os.kill(int((cluster.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while cluster.running() and time.monotonic() < deadline:
            time.sleep(0.05)
        cluster.revive()
        assert answer(cluster) == 42


def test_a_first_start_that_was_cut_off_begins_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "half").write_text("of an initdb")
    with Cluster(tmp_path) as cluster:
        assert answer(cluster) == 42
    assert not unfinished.exists()


def test_a_cluster_is_never_set_aside(home: Path) -> None:
    """Even if the note that its database exists is lost, the data is what counts."""
    with Cluster(home) as cluster, psycopg.connect(cluster.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    (home / "postgres" / "created").unlink()
    with Cluster(home) as cluster, psycopg.connect(cluster.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_what_postgres_says_is_told(home: Path) -> None:
    with Cluster(home):
        pass
    settings = home / "postgres" / "data" / "postgresql.conf"
    before = settings.read_text()
    settings.write_text(before + "\nmax_connections = lots\n")
    with pytest.raises(Unavailable) as refused, Cluster(home):
        pass
    settings.write_text(before)
    assert refused.value.key == "database.does-not-start"
    assert "postgresql.conf" in refused.value.details["said"]


@pytest.mark.skipif(os.geteuid() != 0, reason="changes to another account")
def test_root_starts_it_although_folder_and_programs_are_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = binaries().parent.parent
    for part in (package.name + "/pginstall18", package.name + ".libs"):
        shutil.copytree(package.parent / part, closed / part)
    monkeypatch.setattr(postgres, "binaries", lambda: closed / package.name / "pginstall18" / "bin")
    with Cluster(closed / "var") as cluster:
        assert answer(cluster) == 42
        owner = pwd.getpwuid((closed / "var" / "postgres" / "data").stat().st_uid)
    assert owner.pw_uid != 0
    assert closed.stat().st_mode & 0o777 == 0o700
    assert closed.stat().st_uid == 0
