"""Boil HL7's FHIR R4 (4.0.1) code systems, value sets and concept maps down to one file.

Reads the npm package hl7.fhir.r4.examples (HL7's own, CC0) and writes
src/serai/fhir/terminology/r4.ndjson.gz: one resource a line, without narrative, contacts and
publishing details. The same input always gives the same content.

    .venv/bin/python tools/make_terminology.py [--source FOLDER] [--target FILE]
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "node_modules" / "hl7.fhir.r4.examples"
TARGET = ROOT / "src" / "serai" / "fhir" / "terminology" / "r4.ndjson.gz"
KINDS = ("CodeSystem", "ValueSet", "ConceptMap")
LEFT_OUT = {
    "text", "meta", "contact", "extension", "contained", "identifier", "publisher", "useContext",
    "jurisdiction", "purpose", "copyright", "language", "_description", "description",
}  # fmt: skip
# HL7's teaching examples are no part of the standard's vocabulary.
TEACHING = ("example", "acme")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--source", type=Path, default=SOURCE)
    arguments.add_argument("--target", type=Path, default=TARGET)
    chosen = arguments.parse_args()
    lines = [as_line(one) for kind in KINDS for one in load(chosen.source, kind)]
    content = b"".join(lines)
    chosen.target.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
    print(f"{chosen.target}: {chosen.target.stat().st_size:,} bytes, {len(lines)} resources")


def load(source: Path, kind: str) -> Iterator[Json]:
    for path in sorted(source.glob(f"{kind}-*.json")):
        resource: Json = json.loads(path.read_text(encoding="utf-8"))
        if resource["resourceType"] == kind and "url" in resource and not is_teaching(resource):
            yield {name: bare(value) for name, value in resource.items() if name not in LEFT_OUT}


def is_teaching(resource: Json) -> bool:
    return any(resource["id"].startswith(word) for word in TEACHING)


def bare(value: Any) -> Any:
    """Without extensions, which say nothing about a code's meaning."""
    if isinstance(value, dict):
        return {
            name: bare(one)
            for name, one in value.items()
            if name != "extension" and not name.startswith("_")
        }
    return [bare(one) for one in value] if isinstance(value, list) else value


def as_line(resource: Json) -> bytes:
    return (
        json.dumps(resource, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        + b"\n"
    )


if __name__ == "__main__":
    main()
