"""Which analysers there are: those that come along, those of other packages, and the models.

A package adds its own under the entry point group `serai.analysers`; each names an `Analyser`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from serai.imaging.analysis.cards import Model, models
from serai.web.languages import N_

GROUP = "serai.analysers"
MANUFACTURER = "Serai"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
PET = "1.2.840.10008.5.1.4.1.1.128"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
DOSE_REPORT = "1.2.840.10008.5.1.4.1.1.88.67"
ECG = frozenset(f"1.2.840.10008.5.1.4.1.1.9.1.{kind}" for kind in (1, 2, 3))


@dataclass(frozen=True, slots=True)
class Analyser:
    """`function` is module:name, called inside the box with what is `Given`. It looks at series
    of these SOP classes, or modalities where no class is named. A new `version` looks again at
    what an older one has looked at."""

    name: str
    title: str
    version: str
    function: str
    intended_use: str
    limits: str
    classes: frozenset[str] = frozenset()
    modalities: frozenset[str] = frozenset()
    refers: bool = False
    manufacturer: str = MANUFACTURER
    licence: str = "Apache-2.0"
    model: Path | None = None
    sha256: str = ""
    options: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def revision(self) -> str:
        return f"{self.version}+{self.sha256[:12]}" if self.sha256 else self.version

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model, or of the code where there is none."""
        return self.sha256 or _of_code(self.function.partition(":")[0])

    def wants(self, classes: Iterable[str], modality: str) -> bool:
        given = set(classes)
        return bool(given & self.classes) or modality in self.modalities


MEASURES = "serai.imaging.analysis.measures"
OWN: tuple[Analyser, ...] = (
    Analyser(
        "series-quality",
        N_("Series quality"),
        "1",
        f"{MEASURES}.quality:measure",
        N_("Shows whether the slices of a CT, MR or PET series make a volume to measure in."),
        N_("Looks at the geometry in the headers, at no pixel. Single-frame images only."),
        classes=frozenset({CT, MR, PET}),
    ),
    Analyser(
        "dose",
        N_("Radiation dose"),
        "1",
        f"{MEASURES}.dose:measure",
        N_("Takes the total dose from a dose report (RDSR)."),
        N_("Abstains when the parts do not add up to the total, or a value is not one number."),
        classes=frozenset({DOSE_REPORT}),
    ),
    Analyser(
        "laa-950",
        N_("Low attenuation area of the lungs (LAA-950)"),
        "1",
        f"{MEASURES}.lungs:measure",
        N_("Share of the lungs below -950 HU, for research and follow-up on the same scanner."),
        N_(
            "Validated on phantoms only. Soft kernels, slices of at most 1.5 mm, without contrast. "
            "The lungs are found by threshold, plane by plane."
        ),
        classes=frozenset({CT}),
    ),
    Analyser(
        "agatston",
        N_("Agatston score"),
        "1",
        f"{MEASURES}.calcium:measure",
        N_("Calcium score of coronary arteries that a reader has marked in a segmentation."),
        N_(
            "Validated on phantoms only. 120 kV, gated by ECG, slices side by side. Segments are "
            "LM, LAD, LCX and RCA, by code or label."
        ),
        classes=frozenset({SEGMENTATION}),
        refers=True,
    ),
    Analyser(
        "ecg-intervals",
        N_("ECG intervals"),
        "1",
        f"{MEASURES}.electrocardiogram:measure",
        N_("Rate and intervals of an electrocardiogram, to be confirmed by a reader."),
        N_(
            "An interval on which two ways of measuring disagree is left out. Paced rhythms and "
            "children are not validated."
        ),
        classes=ECG,
    ),
)


def registered(home: Path) -> Sequence[Analyser]:
    """All that may run now; the names of the first two kinds win over a model's."""
    named = {each.name: each for each in (*of_models(models(home)), *_of_packages(), *OWN)}
    return list(named.values())


def of_models(found: Iterable[Model]) -> list[Analyser]:
    return [_of_model(each) for each in found if each.card is not None]


def _of_model(model: Model) -> Analyser:
    card = model.card
    assert card is not None
    labels = [{"code": code, "meaning": meaning} for code, meaning in card.labels]
    taken = card.input
    return Analyser(
        f"model-{model.name}",
        card.title,
        card.version,
        f"{MEASURES}.model:measure",
        card.intended_use,
        card.limits,
        modalities=frozenset(taken.modalities),
        manufacturer=model.name,
        licence=card.licence,
        model=model.file,
        sha256=card.sha256,
        options={
            "height": taken.height,
            "width": taken.width,
            "low": taken.low,
            "high": taken.high,
            "labels": labels,
            "combine": card.combine,
        },
    )


@cache
def _of_packages() -> tuple[Analyser, ...]:
    """Looked up once: a package installed meanwhile is taken up at the next start."""
    return tuple(found.load() for found in entry_points(group=GROUP))


@cache
def _of_code(module: str) -> str:
    """Of the module's file and those beside it, which it may call."""
    found = find_spec(module)
    if found is None or found.origin is None:
        return ""
    summed = hashlib.sha256()
    origin = Path(found.origin)
    beside = origin.parent.glob("*.py") if module.startswith(f"{MEASURES}.") else [origin]
    for path in sorted(beside):
        summed.update(path.name.encode() + b"\0" + path.read_bytes())
    return summed.hexdigest()
