"""What an analyser is given and what it says: values only, the same on both sides of the box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OURS = "99SERAI"


@dataclass(frozen=True, slots=True)
class Code:
    """A concept; with a scheme of our own (99SERAI) where the standards have none."""

    value: str
    meaning: str
    scheme: str = OURS


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its unit (UCUM), about one place when `site` says so."""

    code: Code
    value: float
    unit: str
    site: Code | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing noticed; `code.value` is also the key of its sentence."""

    code: Code
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Region:
    """One segment of a SEG: a mask of booleans, one plane per image of the analysed series."""

    code: Code
    mask: Any


@dataclass(frozen=True, slots=True)
class Measured:
    """The whole outcome of an analyser that had enough to go by."""

    figures: Sequence[Figure] = ()
    findings: Sequence[Finding] = ()
    regions: Sequence[Region] = ()
    # The images measured, in the order of the masks' planes, where they are not the series itself.
    images: Sequence[Any] = ()
    # Nothing that anybody needs to read in the record: shown among the analyses only.
    silent: bool = False


class Abstained(Exception):
    """The series does not allow a measurement that could be relied on; `key` says why."""

    def __init__(self, key: str, **details: Any) -> None:
        super().__init__(key)
        self.key = key
        self.details = details


@dataclass(frozen=True, slots=True)
class Given:
    """What lies in the box: files of the series, of series it refers to, and a model's own."""

    files: Sequence[Path]
    related: Sequence[Path] = ()
    model: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)
