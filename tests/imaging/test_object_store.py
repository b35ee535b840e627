"""The whole path of a picture with an object store behind it, and with the store gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import obstore
import psycopg
import pytest
from obstore.store import from_url
from tests.imaging.dimse.calling import associated, send
from tests.imaging.keeping.working import begun
from tests.imaging.object_store import ObjectStore, object_store
from tests.imaging.objects import a_picture, uid
from tests.imaging.serving import Server, serving
from tests.imaging.uploading import Client

from serai.fhir.store import FhirStore
from serai.imaging import reasons
from serai.imaging.archive import Archive, receive
from serai.imaging.dimse import Listener
from serai.imaging.keeping import findings, tiers
from serai.imaging.keeping.scrubbing import scrub
from serai.kernel.actor import serai_itself
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.encryption import renewing
from serai.platform.encryption.objects import EncryptedBlobs
from serai.platform.settings import Settings

# More than an object store takes in one request of ours, and more than is kept in memory.
LARGE = bytes(range(256)) * 4096 * 6
LONG_AGO = datetime(2020, 3, 1, tzinfo=UTC)
AS_STORED = "application/dicom; transfer-syntax=*"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with (
        pytest.MonkeyPatch.context() as environment,
        object_store(tmp_path_factory.mktemp("s3")) as started,
    ):
        for name, value in started.environment().items():
            environment.setenv(name, value)
        yield started


def address(client: Client, content: bytes) -> str:
    study, series = uid(content, "StudyInstanceUID"), uid(content, "SeriesInstanceUID")
    return f"{client.server.dicomweb}/studies/{study}/series/{series}/instances/{uid(content)}"


def got(client: Client, content: bytes, **headers: str) -> httpx.Response:
    wanted = {**client.headers, "Accept": AS_STORED, **headers}
    return httpx.get(address(client, content), headers=wanted)


def files_in(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_pictures_in_an_object_store_come_back_bit_identical_after_a_restart(
    store: ObjectStore, database_url: str, tmp_path: Path
) -> None:
    bucket, small, large = store.bucket(), a_picture(), a_picture(PixelData=LARGE)
    with serving(database_url, tmp_path / "first", bucket) as server:
        assert Client.of(server).store(small, large).status_code == 200
        assert files_in(tmp_path / "first") == []
    with serving(database_url, tmp_path / "second", bucket) as server:
        client = Client.of(server)
        for content in (small, large):
            assert got(client, content).content == content
            part = got(client, content, Range="bytes=100-199")
            assert (part.status_code, part.content) == (206, content[100:200])
        end = got(client, large, Range="bytes=-1000000")
        assert (end.status_code, end.content) == (206, large[-1_000_000:])
        again = client.store(small, large)
        assert again.status_code == 200
        frame = client.get(f"{address(client, small)}/frames/1".split("/dicomweb")[1],
                           accept='multipart/related; type="application/octet-stream"')  # fmt: skip
        assert bytes(range(64)) in frame.content


@pytest.fixture
def both(
    store: ObjectStore, database_url: str, tmp_path: Path
) -> Iterator[tuple[Listener, Server]]:
    bucket = store.bucket()
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO dimse_peer (ae_title, organisation, services)"
            " VALUES ('MODALITY', 'county', '{store}')"
        )
    settings = Settings(home=tmp_path / "listener", blobs=bucket, dimse_port=0)
    with (
        Listener(settings, database_url) as listener,
        serving(database_url, tmp_path / "web", bucket) as server,
    ):
        yield listener, server


def test_what_a_modality_sends_is_in_the_object_store_when_it_is_acknowledged(
    both: tuple[Listener, Server], tmp_path: Path
) -> None:
    listener, server = both
    contents = [a_picture(), a_picture(PixelData=LARGE)]
    assert send(listener, *contents) == [0x0000, 0x0000]
    assert files_in(tmp_path) == []
    for content in contents:
        sent = got(Client.of(server), content).content
        # The data set as sent, behind file meta information of ours.
        assert receive(sent).data_set() == receive(content).data_set()


def test_a_store_that_is_gone_is_said_to_be_gone_and_nothing_acknowledged_is_lost(
    both: tuple[Listener, Server], store: ObjectStore
) -> None:
    listener, server = both
    client, kept, large = Client.of(server), a_picture(), a_picture(PixelData=LARGE)
    assert client.store(kept, large).status_code == 200
    refused = a_picture(), a_picture(PixelData=LARGE)
    with associated(listener, "MODALITY", "1.2.840.10008.1.1"):
        store.kill()
        answer = client.store(refused[0])
        assert answer.status_code == 409
        failed = answer.json()["00081198"]["Value"][0]
        assert failed["00081197"]["Value"] == [reasons.OUT_OF_RESOURCES]
        assert send(listener, *refused) == [reasons.OUT_OF_RESOURCES] * 2
        assert [got(client, each).status_code for each in (kept, large)] == [503, 503]
        whole = client.get(f"/studies/{uid(kept, 'StudyInstanceUID')}", accept="multipart/related")
        assert whole.status_code == 503
    # What was refused is nowhere, what was kept is found while its bytes are out of reach.
    found = client.get("/studies").json()
    assert {each["0020000D"]["Value"][0] for each in found} == {
        uid(each, "StudyInstanceUID") for each in (kept, large)
    }
    store.start()
    assert [got(client, each).content for each in (kept, large)] == [kept, large]
    assert client.store(*refused).status_code == 200
    assert [got(client, each).content for each in refused] == list(refused)


@pytest.mark.parametrize("encryption", ["off", "aes-256-gcm"])
async def test_a_study_goes_to_an_object_store_and_comes_back_bit_identical(
    encryption: str, store: ObjectStore, db: Database, database_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        home=tmp_path,
        blobs_cold=store.bucket(),
        blob_encryption=encryption,
        database_url=database_url,
    )
    hot, cold = Blobs.at(settings), Blobs.cold_at(settings)
    assert cold
    same = {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1"}
    contents = [a_picture(**same), a_picture(**same, PixelData=LARGE)]
    intake = Archive(FhirStore(), hot, cold).intake(db, serai_itself)
    outcomes = await intake.keep([receive(each) for each in contents], now=LONG_AGO)
    await intake.finish(now=LONG_AGO)
    blobs = [outcome.received.digest() for outcome in outcomes]
    async with db.transaction() as tx:
        await tiers.set_rule(tx, 30, owner="", actor=serai_itself, now=LONG_AGO)
    await tiers.tier(await begun(db, "tier"), hot=hot, cold=cold)
    assert [await hot.has(blob) for blob in blobs] == [False, False]
    assert [await cold.get(blob) for blob in blobs] == contents
    await tiers.recall(await begun(db, "recall", {"study": "1.1"}), hot=hot, cold=cold)
    assert [await hot.get(blob) for blob in blobs] == contents
    assert [await cold.has(blob) for blob in blobs] == [False, False]


async def test_a_scrub_finds_what_an_object_store_has_lost_or_changed(
    store: ObjectStore, db: Database, tmp_path: Path
) -> None:
    bucket = store.bucket()
    blobs = Blobs(tmp_path, bucket)
    lost, changed, whole = (a_picture(StudyInstanceUID=f"1.{number}") for number in range(3))
    intake = Archive(FhirStore(), blobs).intake(db, serai_itself)
    await intake.keep([receive(each) for each in (lost, changed, whole)], now=LONG_AGO)
    await blobs.delete(receive(lost).digest())
    place = receive(changed).digest()
    at_store = from_url(f"{bucket}/{place[:2]}/{place[2:4]}", **store.options())
    await obstore.put_async(at_store, place, changed[:-1] + b"\xff")
    await scrub(await begun(db, "scrub"), hot=blobs, cold=None)
    async with db.connection() as connection:
        seen = await findings.seen(connection, actor=serai_itself)
    assert {(each.kind, each.instance) for each in seen} == {
        ("missing", uid(lost)),
        ("damaged", uid(changed)),
    }


async def test_encrypted_pictures_go_to_an_object_store_sealed_and_damage_there_is_found(
    store: ObjectStore, db: Database, database_url: str, tmp_path: Path
) -> None:
    bucket = store.bucket()
    settings = Settings(
        home=tmp_path, blobs=bucket, blob_encryption="aes-256-gcm", database_url=database_url
    )
    blobs = Blobs.at(settings)
    contents = [a_picture(StudyInstanceUID=f"1.{n}", PixelData=LARGE[n:]) for n in range(3)]
    intake = Archive(FhirStore(), blobs).intake(db, serai_itself)
    await intake.keep([receive(each) for each in contents], now=LONG_AGO)
    digests = [receive(each).digest() for each in contents]
    kept = from_url(bucket, **store.options())
    names = [one["path"] for some in obstore.list(kept) for one in some]
    assert len(names) == 3
    assert all(name.startswith("sealed/") for name in names)
    assert not any(digest in name for digest in digests for name in names)
    for digest, content in zip(digests, contents, strict=True):
        assert await blobs.get(digest) == content
        assert await blobs.get_range(digest, 3_000_000, 100) == content[3_000_000:3_000_100]
    sealed = [(await obstore.get_async(kept, name)).bytes() for name in names]
    assert not any(LARGE[1000:1400] in bytes(each) for each in sealed)

    await obstore.put_async(kept, names[0], bytes(sealed[0])[:-1] + b"\xff")
    await obstore.put_async(kept, names[1], bytes(sealed[2]))
    await scrub(await begun(db, "scrub"), hot=blobs, cold=None)
    async with db.connection() as connection:
        seen = await findings.seen(connection, actor=serai_itself)
    assert [each.kind for each in seen] == ["damaged", "damaged"]
    # Under new keys, what is damaged stays as it is.
    assert isinstance(blobs, EncryptedBlobs)
    await asyncio.to_thread(blobs.keys.rotate)
    job = await begun(db, renewing.KIND)
    await renewing.renew(job, keys=blobs.keys, stores=[blobs], settled_s=0)
    after = {one["path"] for some in obstore.list(kept) for one in some}
    assert set(names[:2]) < after
    assert names[2] not in after
    (whole,) = [digest for digest in digests if digest not in {each.blob for each in seen}]
    assert await blobs.get(whole) in contents
