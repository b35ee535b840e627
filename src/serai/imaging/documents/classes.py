"""Which objects are read rather than looked at, by SOP Class (PS3.4 Annex B.5)."""

from __future__ import annotations

from typing import Final

STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
# Basic text to extensible 3D; trial classes have the same tree.
REPORTS: Final = frozenset(
    f"{STORAGE}88.{each}"
    for each in (1, 2, 3, 4, 11, 22, 33, 34, 35, 40, 50, 65, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76)
)
DOSE: Final = frozenset(f"{STORAGE}88.{each}" for each in (67, 73, 74, 76))
KEY_OBJECTS: Final = f"{STORAGE}88.59"
ENCLOSED_PDF: Final = f"{STORAGE}104.1"
ENCLOSED_CDA: Final = f"{STORAGE}104.2"
# Softcopy presentation states: greyscale, colour, pseudo-colour, blending, and their successors.
PRESENTATION_STATES: Final = frozenset(f"{STORAGE}11.{each}" for each in range(1, 13))
SEGMENTATIONS: Final = frozenset({f"{STORAGE}66.4", f"{STORAGE}66.7"})
DOCUMENTS: Final = REPORTS | {KEY_OBJECTS, ENCLOSED_PDF, ENCLOSED_CDA}
