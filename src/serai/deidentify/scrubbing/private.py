"""Private elements known to hold only technique (PS3.15 §E.3.10): everything else private goes."""

from __future__ import annotations

import csv
from functools import cache
from typing import Any

from serai.deidentify.profile.table import FOLDER


@cache
def _safe() -> frozenset[tuple[str, int, int]]:
    with (FOLDER / "safe-private.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return frozenset(
            (row["creator"], int(row["group"], 16), int(row["element"], 16)) for row in rows
        )


def safe_elements(data_set: Any) -> frozenset[int]:
    """The tags of a data set that may stay, with the creators that reserve their blocks."""
    kept: set[int] = set()
    for tag in list(data_set.keys()):
        if not tag.is_private or tag.element < 0x1000:
            continue
        creator_tag = (tag.group << 16) | (tag.element >> 8)
        creator = str(data_set[creator_tag].value) if creator_tag in data_set else ""
        if (creator.strip(), tag.group, tag.element & 0xFF) in _safe():
            kept |= {int(tag), creator_tag}
    return frozenset(kept)
