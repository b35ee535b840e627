"""What is deleted can be brought back until the trash is emptied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from tests.imaging.dicomweb.test_stow import blobs, instance_path
from tests.imaging.objects import a_picture
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

STUDY, SERIES = "1.5", "1.5.1"


def pictures(count: int = 3) -> list[bytes]:
    return [
        a_picture(
            StudyInstanceUID=STUDY,
            SeriesInstanceUID=SERIES if number else "1.5.2",
            SOPInstanceUID=f"1.5.1.{number}",
            InstanceNumber=number,
            Modality="CT" if number else "SR",
        )
        for number in range(count)
    ]


def delete(client: Client, path: str) -> httpx.Response:
    return httpx.delete(f"{client.server.dicomweb}{path}", headers=client.headers)


def trash(client: Client) -> list[Any]:
    answer = client.get("/trash", accept="application/json")
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()
    return found


def restore(client: Client, id: str) -> httpx.Response:
    return httpx.post(f"{client.server.dicomweb}/trash/{id}/restore", headers=client.headers)


def acts(server: Server) -> list[str]:
    with psycopg.connect(server.database_url) as connection:
        rows = connection.execute(
            "SELECT act FROM audit_event WHERE act LIKE 'dicom.%' ORDER BY sequence"
        )
        return [act for (act,) in rows]


def resource(server: Server) -> tuple[bool, int | None]:
    """Whether the ImagingStudy is deleted, and its number of instances."""
    with psycopg.connect(server.database_url) as connection:
        row = connection.execute(
            "SELECT deleted, (convert_from(content, 'UTF8')::jsonb ->> 'numberOfInstances')::int "
            "FROM fhir_resource WHERE type = 'ImagingStudy'"
        ).fetchone()
        assert row
        return row[0], row[1]


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (f"/studies/{STUDY}", 0),
        (f"/studies/{STUDY}/series/{SERIES}", 1),
        (f"/studies/{STUDY}/series/{SERIES}/instances/1.5.1.1", 2),
    ],
)
def test_what_is_deleted_comes_back_as_it_was(server: Server, path: str, left: int) -> None:
    client, sent = Client.of(server, "county"), pictures()
    client.store(*sent)
    before = client.found(f"/studies/{STUDY}/metadata")
    assert delete(client, path).status_code == 204
    assert client.get(path, accept="application/dicom").status_code == 404
    assert len(client.found("/instances")) == left
    assert resource(server) == ((True, None) if left == 0 else (False, left))
    if left:
        assert len(client.found(f"/studies/{STUDY}/metadata")) == left
    (deleted,) = trash(client)
    assert deleted["instances"] == 3 - left
    assert restore(client, deleted["id"]).status_code == 200
    assert client.found(f"/studies/{STUDY}/metadata") == before
    for content in sent:
        assert client.get(instance_path(content), accept="application/dicom").content == content
    assert resource(server) == (False, 3)
    assert trash(client) == []
    assert acts(server) == ["dicom.store", "dicom.delete", "dicom.restore"]


def test_a_study_shows_the_modalities_it_still_has(server: Server) -> None:
    client = Client.of(server)
    client.store(*pictures())
    delete(client, f"/studies/{STUDY}/series/1.5.2")
    (study,) = client.found("/studies")
    assert study["00080061"]["Value"] == ["CT"]
    assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([1], [2])


def test_an_emptied_trash_is_final_and_leaves_no_bytes(server: Server) -> None:
    client, kept = Client.of(server), a_picture()
    client.store(*pictures(), kept)
    delete(client, f"/studies/{STUDY}")
    (deleted,) = trash(client)
    assert len(blobs(server)) == 4
    assert delete(client, f"/trash/{deleted['id']}").status_code == 204
    assert [path.name for path in blobs(server)] == [_digest(kept)]
    assert restore(client, deleted["id"]).status_code == 404
    assert acts(server)[-1] == "dicom.empty-trash"


def _digest(content: bytes) -> str:
    import hashlib

    return Path(hashlib.sha256(content).hexdigest()).name


def test_what_was_sent_again_is_not_overwritten(server: Server) -> None:
    client, sent = Client.of(server), pictures()
    client.store(*sent)
    delete(client, f"/studies/{STUDY}")
    assert client.store(*sent).status_code == 200
    (deleted,) = trash(client)
    refused = restore(client, deleted["id"])
    assert (refused.status_code, refused.json()["error"]) == (409, "imaging.sent-again")
    delete(client, f"/trash/{deleted['id']}")
    # The bytes are the same, and in use.
    assert client.get(instance_path(sent[0]), accept="application/dicom").content == sent[0]


def test_deletions_are_undone_in_their_own_order(server: Server) -> None:
    client = Client.of(server)
    client.store(*pictures())
    delete(client, f"/studies/{STUDY}/series/{SERIES}")
    delete(client, f"/studies/{STUDY}")
    study, series = trash(client)
    assert restore(client, series["id"]).json()["error"] == "imaging.study-deleted"
    assert restore(client, study["id"]).status_code == 200
    assert restore(client, series["id"]).status_code == 200
    assert len(client.found("/instances")) == 3


def test_nobody_deletes_or_restores_anothers_pictures(server: Server) -> None:
    county, township = Client.of(server, "county"), Client.of(server, "township")
    county.store(*pictures())
    assert delete(township, f"/studies/{STUDY}").status_code == 404
    delete(county, f"/studies/{STUDY}")
    (deleted,) = trash(county)
    assert trash(township) == []
    assert restore(township, deleted["id"]).status_code == 404
    assert delete(township, f"/trash/{deleted['id']}").status_code == 404
    reader = server.token(organisation="county", scope="user/*.rs")
    only_reads = Client(server, {"Authorization": f"Bearer {reader}"})
    assert only_reads.get("/trash", accept="application/json").status_code == 403


def test_a_sender_goes_on_after_its_series_was_deleted(server: Server) -> None:
    client, sent = Client.of(server), pictures()
    client.store(*sent[:2])
    delete(client, f"/studies/{STUDY}")
    assert client.store(sent[2]).status_code == 200
    assert len(client.found("/instances")) == 1
