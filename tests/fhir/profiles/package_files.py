"""Unpacked npm packages as the archives they came in."""

from __future__ import annotations

import tarfile
from pathlib import Path

IPS = Path("node_modules/hl7.fhir.uv.ips")


def packed(folder: Path, target: Path, *patterns: str) -> Path:
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        for pattern in patterns or ("*.json", "example/*.json"):
            for path in sorted(folder.glob(pattern)):
                archive.add(path, f"package/{path.relative_to(folder)}")
    return target
