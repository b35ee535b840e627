"""Archives, links and names that mean harm, or are merely broken."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from tests.exchange.importing.a_node import Node, patient, write

from serai.exchange.importing import limits


async def test_an_archive_that_unpacks_to_absurdly_much_is_refused(
    node: Node, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_ALWAYS", 1 << 20)
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b" " * (64 << 20))
    tally = await node.take(folder)
    assert [refused.key for refused in tally.refusals.values()] == ["import.unpacks-too-far"]


async def test_archives_within_archives_share_one_allowance(
    node: Node, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNPACKED_ALWAYS", 3 << 20)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b" " * (1 << 20))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(8):
            archive.writestr(f"{number}.zip", inner.getvalue())
    tally = await node.take(folder)
    keys = Counter(refused.key for refused in tally.refusals.values())
    assert keys["import.unpacks-too-far"] > 0


async def test_links_that_lead_to_folders_are_named_not_followed(
    node: Node, folder: Path, tmp_path: Path
) -> None:
    write(tmp_path / "elsewhere" / "a.json", patient())
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "round").symlink_to(folder)
    tally = await node.take(folder)
    assert {refused.file for refused in tally.refusals.values()} == {"link", "round"}
    assert await node.resources("Patient") == 0


async def test_a_file_name_that_is_not_utf_8_is_no_obstacle(node: Node, folder: Path) -> None:
    path = os.fsencode(folder) + b"/\xff\xfe.json"
    write(Path(os.fsdecode(path)), patient(gendre="x"))
    assert len((await node.take(folder)).refusals) == 1


async def test_a_damaged_archive_is_refused_and_the_rest_goes_in(node: Node, folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.json", json.dumps(patient("p1")))
        archive.writestr("b.json", json.dumps(patient("p2")))
    whole = (folder / "a.zip").read_bytes()
    (folder / "a.zip").write_bytes(whole.replace(b'"id": "p1"', b'"id": "px"'))
    (folder / "cut.zip").write_bytes(whole[: len(whole) // 2])
    tally = await node.take(folder)
    assert {refused.file for refused in tally.refusals.values()} == {"a.zip!a.json", "cut.zip"}
    assert await node.resources("Patient") == 1
