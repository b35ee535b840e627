"""How far our validator agrees with HL7's own cases: whether a resource has an error or none.

    python -m tools.hl7_validator_cases FOLDER

FOLDER is `validator` of https://github.com/FHIR/fhir-test-cases (Apache License 2.0). Taken are
the R4 cases in JSON that need no terminology server, no package and no logical model. Their
profiles are used as they come, over HL7's R4 definitions in node_modules; of value sets only
those that list their codes are known.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from serai.fhir.body import parse_json
from serai.fhir.definitions import value_set
from serai.fhir.profiles import contents
from serai.fhir.profiles.compiling import compiled
from serai.fhir.profiles.members import enumerated
from serai.fhir.profiles.model import Profile, core_type
from serai.fhir.profiles.report import GRAVE, Report
from serai.fhir.profiles.running import MOST_STEPS, MOST_WALKS
from serai.fhir.profiles.scene import Known, Question, Scope, targets_of
from serai.fhir.profiles.snapshot import of_core, with_snapshot
from serai.fhir.validation import validate
from serai.fhir.validation.findings import top
from serai.kernel.errors import SeraiError, Unsupported

R4 = Path("node_modules/hl7.fhir.r4.examples")
LEFT_OUT = frozenset({
    "api", "cda", "cdshooks", "json5", "logical", "matchetype", "security", "shc", "tx",
    "tx-advanced",
})  # fmt: skip
Data = dict[str, Any]


@cache
def core() -> dict[str, Data]:
    found = (json.loads(path.read_bytes()) for path in R4.glob("StructureDefinition-*.json"))
    return {one["url"]: one for one in found}


class Shelf:
    """What one case brings along."""

    def __init__(self, brought: list[Data]) -> None:
        self.definitions = {one["url"]: one for one in brought if "url" in one}

    def profile(self, url: str) -> Profile | None:
        try:
            return compiled(self._whole(url.partition("|")[0]))
        except (Unsupported, KeyError):
            return None

    def _whole(self, url: str) -> Data:
        found = self.definitions.get(url) or core().get(url)
        if found is None and (kind := core_type(url)) is not None:
            return of_core(kind)
        if found is None:
            raise KeyError(url)
        whole = "snapshot" in found
        return found if whole else with_snapshot(found, self._whole(found["baseDefinition"]))

    def is_member(self, question: Question) -> bool | None:
        url, system, code = question
        stored = self.definitions.get(url.partition("|")[0])
        systems = value_set(url) or (enumerated(stored) if stored else None)
        if systems is None:
            return None
        return any(code in codes for name, codes in systems.items() if system in (None, name))


def has_error(data: Data, brought: list[Data], urls: list[str]) -> bool:
    issues = validate(data)
    if issues:
        return any(one.severity in GRAVE for one in issues)
    shelf, place = Shelf(brought), top(str(data["resourceType"]))
    profiles: dict[str, Profile | None] = {}
    answers: dict[Question, bool | None] = {}
    report = Report()
    for _ in range(MOST_WALKS):
        known, report = Known(profiles, answers, targets_of(data), MOST_STEPS), Report()
        for url in urls:
            contents.against(url, Scope(data, place, data), known, report)
        contents.check(data, place, Scope(data, place, data), known, report)
        if not known.missing and not known.questions - answers.keys():
            break
        profiles |= {url: shelf.profile(url) for url in known.missing}
        answers |= {one: shelf.is_member(one) for one in known.questions}
    return report.fails


def cases(folder: Path) -> Iterator[tuple[str, str, Any, Data]]:
    """Name, module, HL7's outcome and what is to be validated with what."""
    for case in json.loads((folder / "manifest.json").read_bytes())["test-cases"]:
        module, file = case.get("module", "none"), case["file"]
        if module in LEFT_OUT or case.get("logical") or case.get("packages"):
            continue
        if not str(case.get("version")).startswith("4.0") or not file.endswith(".json"):
            continue
        brought = [*case.get("supporting", ()), *case.get("profiles", ())]
        yield case["name"], module, case.get("java"), {"file": file, "brought": brought}
        profile = case.get("profile")
        if isinstance(profile, dict) and "java" in profile:
            more = [profile.get("source", ""), *profile.get("supporting", ()), *brought]
            yield case["name"], module, profile["java"], {"file": file, "brought": more, "by": 0}


def expects_error(folder: Path, outcome: Any) -> bool:
    told = json.loads((folder / "outcomes" / outcome).read_bytes())
    listed = told if isinstance(told, list) else told.get("output", [])
    issues = [] if isinstance(told, list) else told.get("issue", [])
    return any("[ERROR]" in one or "[FATAL]" in one for one in listed) or any(
        one["severity"] in GRAVE for one in issues
    )


def ours(folder: Path, case: Data) -> bool:
    def read(name: str) -> Any:
        return parse_json((folder / name).read_bytes())[1]

    brought = [read(name) for name in case["brought"]]
    try:
        data = read(case["file"])
    except SeraiError:
        return True
    return has_error(data, brought, [brought[0]["url"]] if "by" in case else [])


def main(folder: Path) -> None:
    agreed, of, unread = Counter[str](), Counter[str](), 0
    for name, module, outcome, case in cases(folder):
        try:
            wanted, found = expects_error(folder, outcome), ours(folder, case)
        except (OSError, TypeError, SeraiError, KeyError):
            # A file that is XML, or an outcome stated otherwise.
            unread += 1
            continue
        of[module] += 1
        agreed[module] += wanted == found
        if wanted != found:
            print(f"{module}: {name}: {'an error is missed' if wanted else 'too strict'}")
    for module in sorted(of):
        print(f"{module}: {agreed[module]} of {of[module]}")
    print(f"all: {agreed.total()} of {of.total()}; {unread} could not be read")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
