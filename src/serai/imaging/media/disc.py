"""A file-set as a disc image: ISO 9660 Level 1 with Joliet (PS3.12 Annex F, PS3.10 §8)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pycdlib import PyCdlib

VOLUME = "SERAI"
JOLIET_LEVEL = 3


def mastered(files: Mapping[str, Path], image: Path) -> None:
    """Write the image of files by their path on the disc; they stay on disk, not in memory."""
    disc = PyCdlib()
    disc.new(interchange_level=1, joliet=JOLIET_LEVEL, sys_ident="", vol_ident=VOLUME)
    try:
        made: set[str] = set()
        for name, path in files.items():
            for folder in reversed(PurePosixPath(f"/{name}").parents[:-1]):
                if str(folder) not in made:
                    disc.add_directory(str(folder), joliet_path=str(folder))
                    made.add(str(folder))
            disc.add_file(str(path), _iso_name(name), joliet_path=f"/{name}")
        disc.write(str(image))
    finally:
        disc.close()


def _iso_name(name: str) -> str:
    """With extension and version, both of which may be empty but not left out."""
    last = name.rpartition("/")[2]
    return f"/{name};1" if "." in last else f"/{name}.;1"
