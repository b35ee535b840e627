"""Make the data of serai.deidentify.profile from the standard's tables in machine-readable form.

usage: deidentification_table.py FOLDER, the `standard` folder of
https://github.com/innolitics/dicom-standard, which reads them
from DICOM PS3.15; what PS3.3 requires comes with highdicom.
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydicom.datadict import keyword_for_tag

PROFILE = Path(__file__).parents[1] / "src" / "serai" / "deidentify" / "profile"
COLUMNS = (
    "rtnSafePrivOpt", "rtnUIDsOpt", "rtnDevIdOpt", "rtnInstIdOpt", "rtnPatCharsOpt",
    "rtnLongFullDatesOpt", "rtnLongModifDatesOpt", "cleanDescOpt", "cleanStructContOpt",
    "cleanGraphOpt",
)  # fmt: skip
STRICTEST = {"1": 0, "1C": 0, "2": 1, "2C": 1, "3": 2}


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def tag_of(row: dict[str, str]) -> str:
    """`00100010`, `60xx3000`, or `private`."""
    return "private" if row["id"].startswith("gggg") else row["id"].upper().replace("X", "x")


def profile(rows: list[dict[str, str]]) -> str:
    lines = ["\t".join(("tag", "name", "basic", *COLUMNS))]
    for row in sorted(rows, key=tag_of):
        cells = (
            tag_of(row),
            " ".join(row["name"].split()),
            row["basicProfile"],
            *(row.get(c, "") for c in COLUMNS),
        )
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def required(tags: set[str]) -> dict[str, Any]:
    """How strictly each IOD wants the attributes whose action depends on it (PS3.3)."""
    keywords = {keyword_for_tag(int(tag, 16)): tag for tag in tags if "x" not in tag}
    of_modules: dict[str, dict[str, int]] = {}
    for module, attributes in standard("module_attribute_map").items():
        for row in attributes:
            tag = keywords.get(row["keyword"])
            if tag and not row["path"] and row["type"] in STRICTEST:
                known = of_modules.setdefault(module, {})
                known[tag] = min(STRICTEST[row["type"]], known.get(tag, 2))
    types: dict[str, dict[str, str]] = {}
    for iod, modules in standard("iod_module_map").items():
        wanted: dict[str, int] = {}
        for module in modules:
            for tag, strict in of_modules.get(module["key"], {}).items():
                wanted[tag] = min(strict, wanted.get(tag, 2))
        types[iod] = {tag: "DZ"[strict] for tag, strict in sorted(wanted.items()) if strict < 2}
    return {"classes": standard("sop_class_iod_map"), "iods": types}


def standard(name: str) -> Any:
    """PS3.3 as highdicom carries it."""
    return json.loads((files("highdicom") / "_standard" / f"{name}.json").read_text())


def main(folder: Path) -> None:
    rows = read(folder, "confidentiality_profile_attributes")
    (PROFILE / "e1-1.tsv").write_text(profile(rows))
    tags = {tag_of(row) for row in rows if "/" in row["basicProfile"]}
    (PROFILE / "required.json").write_text(json.dumps(required(tags)) + "\n")


main(Path(sys.argv[1]))
