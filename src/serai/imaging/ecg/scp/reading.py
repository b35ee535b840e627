"""A whole SCP-ECG record as an electrocardiogram."""

from __future__ import annotations

from serai.imaging.ecg.model import Ecg, Said
from serai.imaging.ecg.scp import told
from serai.imaging.ecg.scp.rhythm import rhythm
from serai.imaging.ecg.scp.sections import MARK, MARK_AT, sections


def is_scp(head: bytes) -> bool:
    """Whether a file that begins like this says that it is one."""
    return head[MARK_AT : MARK_AT + len(MARK)] == MARK


def read(content: bytes) -> Ecg:
    """Malformed or Unsupported, and why, for everything that is not wholly understood."""
    found = sections(content)
    tags = told.tags(found.get(1))
    signal = rhythm(found)
    return Ecg(
        leads=signal.leads,
        rate=signal.rate,
        at=told.at(tags),
        said=Said(
            intervals=told.intervals(found.get(7)),
            statements=tuple(told.statements(found.get(8), told.alphabet(tags))),
        ),
        subject=told.subject(tags),
        device=told.device(tags),
        resolution=signal.resolution,
    )
