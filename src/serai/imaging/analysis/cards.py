"""The model folder: SERAI_HOME/models/NAME with `model.onnx` and `card.yaml`, both as delivered.

The card names the model's SHA-256 and says what it is for; a model whose card is incomplete or
whose bytes are others is refused, shown with the reason, and never run. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from serai.kernel.errors import Invalid, SeraiError

FOLDER = "models"
MODEL, CARD = "model.onnx", "card.yaml"
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
SHA256 = re.compile(r"[0-9a-f]{64}")
CODE = re.compile(r"[A-Za-z0-9.-]{1,16}")
LARGEST_CARD = 64 * 1024
LARGEST_MODEL = 1 << 30
MOST_LABELS = 64
WORDS = ("title", "version", "licence", "intended-use", "limits")


@dataclass(frozen=True, slots=True)
class Input:
    """What the model takes: images of these modalities, scaled from `low`…`high` to 0…1."""

    modalities: tuple[str, ...]
    height: int
    width: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Card:
    """A model's card, complete and of the right types."""

    title: str
    version: str
    licence: str
    intended_use: str
    limits: str
    sha256: str
    input: Input
    labels: tuple[tuple[str, str], ...]
    combine: str


@dataclass(frozen=True, slots=True)
class Model:
    """A folder of the model folder: its card, or why it is refused."""

    name: str
    folder: Path
    card: Card | None
    refused: SeraiError | None = None

    @property
    def file(self) -> Path:
        return self.folder / MODEL


def models(home: Path) -> list[Model]:
    """Every folder, in order of names; the bytes are summed when the file has changed."""
    root = home / FOLDER
    if not root.is_dir():
        return []
    return [_model(each) for each in sorted(root.iterdir()) if each.is_dir()]


def _model(folder: Path) -> Model:
    try:
        if not NAME.fullmatch(folder.name):
            raise Invalid("model.name")
        card = read_card(_bounded(folder / CARD, LARGEST_CARD))
        _bounded(folder / MODEL, LARGEST_MODEL)
        if summed(folder / MODEL) != card.sha256:
            raise Invalid("model.other-bytes")
    except (OSError, SeraiError) as error:
        refused = error if isinstance(error, SeraiError) else Invalid("model.unreadable")
        return Model(folder.name[:40], folder, None, refused)
    return Model(folder.name, folder, card)


def summed(path: Path) -> str:
    seen = path.stat()
    return _summed(path, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size)


@lru_cache(maxsize=256)
def _summed(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_card(path: Path) -> Card:
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise Invalid("model.card-unreadable") from error
    known = {*WORDS, "sha256", "input", "output"}
    card = _fields(given, known)
    taken = _fields(card["input"], {"modalities", "height", "width", "low", "high"})
    made = _fields(card["output"], {"labels", "combine"})
    words = {name: _word(card, name) for name in WORDS}
    low, high = _number(taken, "low"), _number(taken, "high")
    if not low < high:
        raise Invalid("model.card-field", field="high")
    return Card(
        **{name.replace("-", "_"): text for name, text in words.items()},
        sha256=_matching(card, "sha256", lambda text: SHA256.fullmatch(text) is not None),
        input=Input(_modalities(taken), _side(taken, "height"), _side(taken, "width"), low, high),
        labels=_labels(made),
        combine=_matching(made, "combine", lambda text: text in ("max", "mean")),
    )


def _bounded(path: Path, most: int) -> Path:
    if path.is_symlink() or not path.is_file():
        raise Invalid("model.file-missing", file=path.name)
    if path.stat().st_size > most:
        raise Invalid("model.too-large", file=path.name)
    return path


def _fields(given: Any, known: set[str]) -> dict[str, Any]:
    """All of them and no others: a card is read to the letter."""
    if not isinstance(given, dict):
        raise Invalid("model.card-unreadable")
    for field in sorted(known ^ {str(name) for name in given}):
        raise Invalid("model.card-field", field=field[:40])
    return given


def _word(card: dict[str, Any], field: str) -> str:
    return _matching(card, field, lambda text: 0 < len(text) <= 4000).strip()


def _matching(given: dict[str, Any], field: str, fits: Callable[[str], bool]) -> str:
    value = given[field]
    if not isinstance(value, str) or not value.strip() or not fits(value):
        raise Invalid("model.card-field", field=field)
    return value


def _number(given: dict[str, Any], field: str) -> float:
    value = given[field]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid("model.card-field", field=field)
    return float(value)


def _side(given: dict[str, Any], field: str) -> int:
    value = given[field]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4096:
        raise Invalid("model.card-field", field=field)
    return value


def _modalities(given: dict[str, Any]) -> tuple[str, ...]:
    value = given["modalities"]
    if not isinstance(value, list) or not value or not all(str(each).isalpha() for each in value):
        raise Invalid("model.card-field", field="modalities")
    return tuple(str(each) for each in value)


def _labels(given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    value = given["labels"]
    if not isinstance(value, dict) or not 0 < len(value) <= MOST_LABELS:
        raise Invalid("model.card-field", field="labels")
    labels = tuple((str(code), str(meaning).strip()) for code, meaning in value.items())
    if not all(CODE.fullmatch(code) and 0 < len(meaning) <= 64 for code, meaning in labels):
        raise Invalid("model.card-field", field="labels")
    return labels
