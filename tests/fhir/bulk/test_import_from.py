"""$import of files that the server fetches itself: only from where it may, and whole."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.fhir.bulk.conftest import ASYNC, Node, until_over
from tests.fhir.bulk.shelves import HOST, File, Shelf, opened
from tests.fhir.bulk.test_export import CITY, observation, patient
from tests.fhir.bulk.test_import import lines
from tests.fhir.certificates import authority_in, identity

from serai.fhir.bulk.inputs import Hosts
from serai.kernel.errors import SeraiError
from serai.platform import addresses
from serai.platform.settings import Settings

NAME = "records.example"
TWO = lines(patient("zhang"), patient("wang"))


@pytest_asyncio.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with opened() as shelf:
        yield shelf


def allow(node: Node, **settings: Any) -> None:
    allowed: dict[str, Any] = {"import_private_hosts": HOST} | settings
    node.settings = Settings(home=node.settings.home, database_url=node.url, **allowed)
    node.app.state.settings = node.settings


def manifest(*inputs: tuple[str, str]) -> dict[str, Any]:
    return {
        "inputFormat": "application/fhir+ndjson",
        "inputSource": "https://elsewhere.example/fhir",
        "storageDetail": {"type": "https"},
        "input": [{"type": type, "url": url} for type, url in inputs],
    }


def as_parameters(*inputs: tuple[str, str]) -> dict[str, Any]:
    parts = [
        {
            "name": "input",
            "part": [{"name": "type", "valueCode": type}, {"name": "url", "valueUrl": url}],
        }
        for type, url in inputs
    ]
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
            {"name": "inputSource", "valueUri": "https://elsewhere.example/fhir"},
            {"name": "storageDetail", "part": [{"name": "type", "valueCode": "https"}]},
            *parts,
        ],
    }


async def imported(node: Node, wanted: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The manifest, and code and diagnostics of each refusal."""
    async with node.client() as client:
        kicked = await client.post("$import", json=wanted, headers=ASYNC)
        answer = await node.finished(client, kicked)
        assert answer.status_code == 200, answer.text
        said = []
        for file in answer.json()["error"]:
            for line in (await client.get(file["url"])).text.splitlines():
                (issue,) = json.loads(line)["issue"]
                said.append(f"{issue['details']['coding'][0]['code']}: {issue['diagnostics']}")
        return answer.json(), said


async def there(node: Node, *references: str) -> list[int]:
    async with node.client() as client:
        return [(await client.get(one)).status_code for one in references]


async def test_nothing_is_fetched_unless_a_setting_names_the_host(node: Node, shelf: Shelf) -> None:
    async with node.client() as client:
        for url in (shelf.url("p"), "https://elsewhere.example/p"):
            wanted = manifest(("Patient", url))
            answer = await client.post("$import", json=wanted, headers=ASYNC)
            assert answer.status_code == 403
            assert "fetches nothing from" in answer.text
    assert shelf.heard == []


@pytest.mark.parametrize("body", [manifest, as_parameters])
async def test_files_from_a_listed_host_are_imported_and_told_one_by_one(
    node: Node, shelf: Shelf, body: Callable[..., dict[str, Any]]
) -> None:
    allow(node)
    wrong = {"resourceType": "Observation", "id": "wrong", "status": "no such status"}
    shelf.files = {
        "p": File(TWO),
        "o": File(lines(observation("pulse", "zhang"), wrong)),
    }
    urls = shelf.url("p"), shelf.url("o")
    # Observations first: they refer to what comes later.
    told, said = await imported(node, body(("Observation", urls[1]), ("Patient", urls[0])))
    assert told["extension"] == {
        "imported": 3,
        "input": [
            {"url": urls[1], "imported": 1, "refused": 1},
            {"url": urls[0], "imported": 2, "refused": 0},
        ],
    }
    assert [(one["count"], one["inputUrl"]) for one in told["error"]] == [(1, urls[1])]
    assert "input[0], line 2" in said[0]
    assert await there(node, "Patient/zhang", "Patient/wang", "Observation/pulse") == [200] * 3


async def test_packed_files_and_packed_transfers_are_unpacked(node: Node, shelf: Shelf) -> None:
    allow(node)
    shelf.files = {
        "p.gz": File(gzip.compress(lines(patient("zhang")))),
        "p": File(gzip.compress(lines(patient("wang"))), headers={"content-encoding": "gzip"}),
        "br": File(b"?", headers={"content-encoding": "br"}),
        "cut": File(gzip.compress(TWO)[:-9]),
    }
    told, said = await imported(
        node, manifest(*[("Patient", shelf.url(one)) for one in shelf.files])
    )
    assert told["extension"]["imported"] == 2
    assert [one.partition(":")[0] for one in said] == ["import.encoding", "import.broken-archive"]


async def test_a_line_of_another_type_is_refused_with_its_number(node: Node, shelf: Shelf) -> None:
    allow(node)
    shelf.files = {"p": File(lines(patient("zhang"), {"resourceType": "Basic"}, patient("wang")))}
    told, said = await imported(node, manifest(("Patient", shelf.url("p"))))
    assert told["extension"]["imported"] == 2
    (refused,) = said
    assert refused.startswith("import.other-type: input[0], line 2: This is a Basic")


async def test_in_a_large_file_too_a_line_of_another_type_is_refused(
    node: Node, shelf: Shelf
) -> None:
    allow(node)
    some = [{"resourceType": "Basic", "code": {"text": "x" * 3000}} for _ in range(1000)]
    shelf.files = {"b": File(lines(*some[:700], patient("zhang"), *some[700:]))}
    told, said = await imported(node, manifest(("Basic", shelf.url("b"))))
    assert told["extension"]["imported"] == 1000
    assert [one.partition(", ")[2].partition(":")[0] for one in said] == ["line 701"]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (File(status=302, headers={"location": "/other"}), "import.redirected"),
        (File(status=404), "import.answered"),
        (File(b"x" * (1 << 20) + b"x"), "import.fetched-too-large"),
        (File(b"x" * (3 << 20), chunked=True), "import.fetched-too-large"),
        (File(gzip.compress(b" " * (2 << 20))), "import.fetched-too-large"),
    ],
)
async def test_what_cannot_be_had_is_refused_and_the_rest_imported(
    node: Node, shelf: Shelf, file: File, code: str
) -> None:
    allow(node, import_most_mb=1)
    shelf.files = {"bad": file, "other": File(TWO), "good": File(TWO)}
    urls = shelf.url("bad"), shelf.url("good")
    told, said = await imported(node, manifest(*[("Patient", url) for url in urls]))
    assert [one.partition(":")[0] for one in said] == [code]
    assert told["extension"] == {
        "imported": 2,
        "input": [
            {"url": urls[0], "imported": 0, "refused": 1},
            {"url": urls[1], "imported": 2, "refused": 0},
        ],
    }
    assert [name for name, _ in shelf.heard] == ["bad", "good"]


@pytest.mark.parametrize(
    ("etag", "second"), [('"one"', "bytes=40-"), (None, None), ('W/"one"', None)]
)
async def test_a_transfer_that_breaks_off_is_taken_up_again(
    node: Node, shelf: Shelf, etag: str | None, second: str | None
) -> None:
    """With a strong ETag where it was, else from the beginning."""
    allow(node)
    shelf.files = {"p": File(TWO, breaks=[40], etag=etag)}
    told, said = await imported(node, manifest(("Patient", shelf.url("p"))))
    assert (told["extension"]["imported"], said) == (2, [])
    assert shelf.heard == [("p", None), ("p", second)]


async def test_a_file_that_was_there_to_its_last_byte_is_not_fetched_again(
    node: Node, shelf: Shelf
) -> None:
    allow(node)
    shelf.files = {"p": File(TWO, chunked=True, breaks=[len(TWO)])}
    told, said = await imported(node, manifest(("Patient", shelf.url("p"))))
    assert (told["extension"]["imported"], said) == (2, [])
    assert shelf.heard == [("p", None), ("p", f"bytes={len(TWO)}-")]


async def test_a_file_that_has_changed_meanwhile_is_fetched_anew(node: Node, shelf: Shelf) -> None:
    allow(node)
    file = File(lines(patient("old"), patient("older")), breaks=[40])
    shelf.files = {"p": file}
    async with node.client() as client:
        kicked = await client.post(
            "$import", json=manifest(("Patient", shelf.url("p"))), headers=ASYNC
        )
        async with node.working():
            while not shelf.heard or file.breaks:
                await _moment()
            file.content, file.etag = TWO, '"two"'
            answer = await until_over(client, kicked.headers["content-location"])
    assert answer.json()["extension"]["imported"] == 2
    assert await there(node, "Patient/zhang", "Patient/wang", "Patient/old") == [200, 200, 404]


async def test_a_server_that_is_busy_is_asked_again(node: Node, shelf: Shelf) -> None:
    allow(node)
    shelf.files = {"p": File(TWO, passing=[503])}
    told, said = await imported(node, manifest(("Patient", shelf.url("p"))))
    assert (told["extension"]["imported"], said) == (2, [])


async def test_a_public_name_that_leads_into_our_network_is_refused(
    node: Node, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(node, import_private_hosts="", import_hosts=NAME)
    for address in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1"):
        answers(monkeypatch, address)
        url = f"https://{NAME}:{shelf.port}/{address}"
        told, said = await imported(node, manifest(("Patient", url)))
        assert told["extension"]["imported"] == 0
        assert [one.partition(":")[0] for one in said] == ["bulk.private-address"]
    assert shelf.heard == []


async def test_over_https_the_name_is_proven_though_the_address_is_connected_to(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = authority_in(tmp_path)
    allow(node, import_private_hosts=NAME, import_ca=authority)
    answers(monkeypatch, HOST)
    async with opened(identity(authority, f"DNS:{NAME}")) as shelf:
        shelf.files = {"p": File(TWO)}
        told, said = await imported(node, manifest(("Patient", shelf.url("p", NAME))))
        assert (told["extension"]["imported"], said) == (2, [])
        assert shelf.hosts == [f"{NAME}:{shelf.port}"]


@pytest.mark.parametrize(
    ("url", "addresses_", "key"),
    [
        ("https://far.example/x", ["93.184.216.34"], None),
        ("https://far.example/x", ["93.184.216.34", "192.168.0.1"], "bulk.private-address"),
        ("http://far.example/x", [], "bulk.https-only"),
        ("https://near.example/x", ["192.168.0.1"], None),
        ("http://near.example/x", ["192.168.0.1"], "bulk.https-only"),
        ("http://near.example/x", ["127.0.0.1"], None),
        ("https://other.example/x", [], "bulk.host-not-listed"),
        ("https://near.example:444/x", ["192.168.0.1"], None),
        ("https://port.example/x", [], "bulk.host-not-listed"),
        ("https://port.example:8443/x", ["93.184.216.34"], None),
        ("https://10.0.0.1/x", [], "bulk.private-address"),
        ("https://user@far.example/x", [], "bulk.address"),
        ("ftp://far.example/x", [], "bulk.address"),
    ],
)
async def test_where_an_address_may_lead(
    monkeypatch: pytest.MonkeyPatch, url: str, addresses_: list[str], key: str | None
) -> None:
    hosts = Hosts(
        addresses.hosts("far.example, PORT.example:8443,10.0.0.1"), addresses.hosts("near.example")
    )
    answers(monkeypatch, *addresses_, name=None)
    try:
        assert await hosts.resolve(hosts.read(url)) == addresses_[0]
        found = None
    except SeraiError as error:
        found = error.key
    assert found == key


BAD: list[tuple[dict[str, Any], str]] = [
    ({"inputFormat": "application/parquet"}, "inputFormat"),
    ({"mode": "merge"}, "mode"),
    ({"inputSource": None}, "inputSource"),
    ({"storageDetail": {"type": "aws-s3"}}, "storageDetail"),
    ({"input": []}, "input"),
    ({"input": [{"type": "Patient"}]}, "input.url"),
    ({"input": [{"type": "Patient", "url": "https://x", "etag": "y"}]}, "input.etag"),
    ({"input": [{"type": "Horse", "url": "https://x"}]}, "Horse"),
    ({"input": {"type": "Patient"}}, "input"),
]


@pytest.mark.parametrize(("change", "named"), BAD)
async def test_a_kick_off_that_cannot_be_honoured_is_refused(
    node: Node, change: dict[str, Any], named: str
) -> None:
    allow(node)
    wanted = manifest(("Patient", f"http://{HOST}:1/p")) | change
    async with node.client() as client:
        answer = await client.post("$import", json=wanted, headers=ASYNC)
        assert answer.status_code == 400
        assert named in answer.text


async def test_it_takes_long_so_the_client_must_say_that_it_waits(node: Node) -> None:
    allow(node)
    async with node.client() as client:
        answer = await client.post("$import", json=manifest(("Patient", f"http://{HOST}:1/p")))
        assert answer.status_code == 400
        assert "respond-async" in answer.text


async def test_the_capability_statement_says_what_may_be_posted(node: Node) -> None:
    async with node.client() as client:
        said = (await client.get("metadata")).json()["rest"][0]["operation"]
    (found,) = (one for one in said if one["name"] == "import")
    assert "files to fetch" in found["documentation"]


async def test_only_types_that_the_asker_may_write_are_fetched(node: Node, shelf: Shelf) -> None:
    allow(node)
    asker = replace(CITY, scopes=frozenset({"system/Observation.cu"}))
    async with node.client(asker) as client:
        wanted = manifest(("Patient", shelf.url("p")))
        assert (await client.post("$import", json=wanted, headers=ASYNC)).status_code == 403


def answers(monkeypatch: pytest.MonkeyPatch, *found: str, name: str | None = NAME) -> None:
    """What the network says for a name (for all names when None is given)."""
    real = socket.getaddrinfo

    def resolved(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if name is not None and host != name:
            return real(host, port, *rest, **more)
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


async def _moment() -> None:
    await asyncio.sleep(0.01)
