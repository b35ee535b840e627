"""Table E.1-1 of PS3.15: what happens to each attribute, under each option.

`e1-1.tsv` is the table itself. Where it leaves a choice (`X/Z/D`), the IOD decides: what it
requires gets a dummy value, what it wants present stays empty, anything else goes (§E.1.1).
`required.json` says what each IOD requires (PS3.3).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from serai.deidentify.profile.options import Option

FOLDER: Final = Path(__file__).parent
PRIVATE: Final = "private"
COLUMNS: Final = {
    "rtnSafePrivOpt": Option.RETAIN_SAFE_PRIVATE,
    "rtnUIDsOpt": Option.RETAIN_UIDS,
    "rtnDevIdOpt": Option.RETAIN_DEVICE_IDENTITY,
    "rtnInstIdOpt": Option.RETAIN_INSTITUTION_IDENTITY,
    "rtnPatCharsOpt": Option.RETAIN_PATIENT_CHARACTERISTICS,
    "rtnLongFullDatesOpt": Option.RETAIN_FULL_DATES,
    "rtnLongModifDatesOpt": Option.RETAIN_MODIFIED_DATES,
    "cleanDescOpt": Option.CLEAN_DESCRIPTORS,
    "cleanStructContOpt": Option.CLEAN_STRUCTURED_CONTENT,
    "cleanGraphOpt": Option.CLEAN_GRAPHICS,
}
# From the least that stays of a value to the most.
STRICTEST_FIRST: Final = "XZD"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: the action of the basic profile, and K(eep) or C(lean) by option."""

    tag: str
    name: str
    basic: str
    by_option: dict[Option, str]

    def action(self, options: Collection[Option]) -> str:
        """One of D Z X K C U, or a choice such as X/Z; cleaning wins over keeping."""
        said = {self.by_option[option] for option in options if option in self.by_option}
        return min(said, default=self.basic)


@cache
def table() -> dict[str, Rule]:
    """Every row by its tag: eight hexadecimal digits, `x` where any digit may stand."""
    with (FOLDER / "e1-1.tsv").open(encoding="utf-8", newline="") as file:
        return {row["tag"]: _rule(row) for row in csv.DictReader(file, delimiter="\t")}


def _rule(row: dict[str, str]) -> Rule:
    by_option = {option: row[column] for column, option in COLUMNS.items() if row[column]}
    return Rule(row["tag"], row["name"], row["basic"], by_option)


def rule_for(tag: int) -> Rule | None:
    """The row of an attribute; None when the table does not name it."""
    if tag >> 16 & 1:
        return table()[PRIVATE]
    name = f"{tag:08X}"
    if name[:2] == "50":
        return table()["50xxxxxx"]
    if name[:2] == "60":
        return table().get(f"60xx{name[4:]}")
    return table().get(name)


@cache
def _required() -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = json.loads((FOLDER / "required.json").read_text())
    return found


def settled(action: str, tag: int, sop_class: str, *, nested: bool) -> str:
    """One action out of a choice; a nested attribute counts as required."""
    choices = action.split("/")
    if len(choices) == 1:
        return action
    if "U*" in choices:
        return "U"
    offered = [one for one in STRICTEST_FIRST if one in choices]
    iod = _required()["classes"].get(sop_class)
    if nested or iod is None:
        return offered[-1]
    needed = _required()["iods"][str(iod)].get(f"{tag:08X}", "X")
    return next(
        (one for one in offered if STRICTEST_FIRST.index(one) >= STRICTEST_FIRST.index(needed)),
        offered[-1],
    )
