"""`kill -9` during an import loses nothing and repeats nothing."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from serai.platform.postgres import Cluster

LINES = 900
FILES = 2
# Long enough that the files are prepared in processes beside the import.
LONG = 2400
IN_TRANSACTION = 150
IN_BATCH = 250
PICTURES = 60
# Acknowledged parts at which the process is killed: among the records, then among the pictures.
KILLED_AT = (LINES + 250, FILES * LINES + IN_TRANSACTION + IN_BATCH + 5)

DONE = "SELECT coalesce(sum(created + unchanged), 0) FROM import_file"
COUNTS = """SELECT (SELECT count(*) FROM fhir_resource WHERE type = 'Basic'),
                   (SELECT count(*) FROM fhir_resource WHERE type = 'Observation'),
                   (SELECT count(*) FROM fhir_resource WHERE type = 'Practitioner'),
                   (SELECT count(*) FROM imaging_instance),
                   (SELECT count(*) FROM fhir_version WHERE type <> 'ImagingStudy')"""


def a_folder(folder: Path) -> None:
    """Resources without ids: whatever is imported twice is there twice."""
    folder.mkdir()
    for file in range(FILES):
        with (folder / f"{file}.ndjson").open("w") as lines:
            for line in range(LINES):
                code = {"text": f"{file}/{line}".ljust(LONG)}
                lines.write(json.dumps({"resourceType": "Basic", "code": code}) + "\n")
    observed = {"resourceType": "Observation", "status": "final", "code": {"text": "pulse"}}
    post = {"method": "POST", "url": "Observation"}
    entries = [{"resource": observed, "request": post}] * IN_TRANSACTION
    whole = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    (folder / "transaction.json").write_text(json.dumps(whole))
    doctor = {"resourceType": "Practitioner"}
    entries = [{"resource": doctor, "request": post | {"url": "Practitioner"}}] * IN_BATCH
    single = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    (folder / "batch.json").write_text(json.dumps(single))
    picture = dcmread(str(get_testdata_file("CT_small.dcm")))
    for number in range(PICTURES):
        picture.SOPInstanceUID = picture.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        packed = io.BytesIO()
        picture.save_as(packed)
        (folder / f"IM{number:04}").write_bytes(packed.getvalue())


def an_import(home: Path, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SERAI_HOME": str(home)}
    environment.pop("SERAI_DATABASE_URL", None)
    return subprocess.Popen(
        [sys.executable, "-m", "serai.cli", "import", str(folder)],
        env=environment,
        stdout=subprocess.DEVNULL,
    )


def done(connection: psycopg.Connection[tuple[int, ...]]) -> int:
    there = connection.execute("SELECT to_regclass('import_file') IS NOT NULL").fetchone()
    row = connection.execute(DONE).fetchone() if there and there[0] else None
    return row[0] if row else 0


def killed_at(number: int, home: Path, folder: Path, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        running = an_import(home, folder)
        while done(connection) < number and running.poll() is None:
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL, "it finished before it could be killed"


def test_after_kill_9_the_next_run_completes_and_every_count_is_exact(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "folder"
    home.mkdir()
    a_folder(folder)
    with Cluster(home) as cluster:
        for number in KILLED_AT:
            killed_at(number, home, folder, cluster.url)
        assert an_import(home, folder).wait() == 0
        with psycopg.connect(cluster.url) as connection:
            counted = connection.execute(COUNTS).fetchone()
            acknowledged = done(connection)
    everything = FILES * LINES + IN_TRANSACTION + IN_BATCH + PICTURES
    assert counted == (FILES * LINES, IN_TRANSACTION, IN_BATCH, PICTURES, 0)
    assert acknowledged == everything
