"""Person names made comparable, one component group at a time."""

from __future__ import annotations

from serai.fhir.search.folding import fold


def fold_group(group: str) -> str:
    """A component group of a PN value, without the trailing carets that carry nothing."""
    return fold(group).rstrip("^ ")
