"""ECGs that are not DICOM, imported like pictures."""

from __future__ import annotations

from pathlib import Path

from tests.exchange.importing.a_node import Node
from tests.imaging.ecg.samples import kept


async def test_ecgs_of_every_form_are_imported_once_and_a_damaged_one_is_named(
    node: Node, folder: Path
) -> None:
    record = kept("example.scp")
    (folder / "a.scp").write_bytes(record)
    (folder / "b.xml").write_bytes(kept("example.xml.gz"))
    (folder / "c").write_bytes(kept("sample.xml.gz"))
    (folder / "damaged.scp").write_bytes(record[:-1] + b"\xff")
    tally = await node.take(folder)
    assert tally.pictures.created == 3
    refused = [(place, one.key) for (place, _), one in tally.refusals.items()]
    assert refused == [("damaged.scp", "ecg.checksum")]
    assert await node.pictures() == 3
    assert await node.resources("ImagingStudy") == 3
    again = await node.take(folder)
    assert again.pictures.created == 0
    assert await node.pictures() == 3
