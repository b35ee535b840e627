"""Models dropped into the model folder run as their cards say, or are refused with the reason."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.imaging.analysis.conftest import House
from tests.imaging.analysis.onnx_bytes import mean_of
from tests.imaging.analysis.phantoms import data_sets, files

from serai.fhir.validation import validate
from serai.imaging.analysis.cards import models
from serai.imaging.analysis.registry import registered

MODEL = mean_of(8, 8)
CARD: dict[str, Any] = {
    "title": "Mean brightness",
    "version": "0.1",
    "licence": "CC0-1.0",
    "intended-use": "To show that a model runs.",
    "limits": "Means nothing.",
    "sha256": hashlib.sha256(MODEL).hexdigest(),
    "input": {"modalities": ["CT"], "height": 8, "width": 8, "low": 0, "high": 100},
    "output": {"labels": {"bright": "Brightness"}, "combine": "max"},
}


def drop(home: Path, name: str, card: dict[str, Any] | str, model: bytes = MODEL) -> None:
    folder = home / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model)
    text = card if isinstance(card, str) else yaml.safe_dump(card)
    (folder / "card.yaml").write_text(text)


async def test_a_model_runs_as_its_card_says(house: House) -> None:
    drop(house.home, "brightness", CARD)
    house.analysers = [each for each in registered(house.home) if each.model]
    volume = np.stack([np.full((16, 16), units) for units in (10, 25, 40)])
    (analysis,) = await house.analyse(*files(data_sets(volume)))
    assert (analysis.state, analysis.why) == ("done", None)
    assert analysis.revision == f"0.1+{CARD['sha256'][:12]}"
    assert analysis.fingerprint == CARD["sha256"]
    (observation,) = await house.found("Observation")
    assert validate(observation) == []
    assert observation["status"] == "preliminary"
    # The brightest of three images, 40 of 0…100.
    assert float(observation["valueQuantity"]["value"]) == pytest.approx(0.4)


async def test_a_model_exchanged_after_its_card_was_read_is_not_run(house: House) -> None:
    drop(house.home, "brightness", CARD)
    analysers = [each for each in registered(house.home) if each.model]
    house.analysers = analysers
    (house.home / "models" / "brightness" / "model.onnx").write_bytes(mean_of(8, 8) + b"\0")
    (analysis,) = await house.analyse(*files(data_sets(np.zeros((2, 16, 16)))))
    assert (analysis.state, analysis.why) == ("abstained", "model.other-bytes")


async def test_what_is_no_model_breaks_its_box_only(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serai.imaging.analysis.running.TRIES", 1)
    broken = b"not a model"
    drop(house.home, "broken", CARD | {"sha256": hashlib.sha256(broken).hexdigest()}, broken)
    house.analysers = [each for each in registered(house.home) if each.model]
    (analysis,) = await house.analyse(*files(data_sets(np.zeros((2, 16, 16)))))
    assert (analysis.state, analysis.why) == ("failed", "analysis.broke")


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in CARD.items() if name != field}


@pytest.mark.parametrize(
    ("card", "key", "field"),
    [
        (CARD | {"sha256": "0" * 64}, "model.other-bytes", None),
        (CARD | {"sha256": "short"}, "model.card-field", "sha256"),
        (without("licence"), "model.card-field", "licence"),
        (without("limits"), "model.card-field", "limits"),
        (CARD | {"intended-use": "  "}, "model.card-field", "intended-use"),
        (CARD | {"version": 1}, "model.card-field", "version"),
        (CARD | {"surprise": "x"}, "model.card-field", "surprise"),
        (CARD | {"input": {**CARD["input"], "low": 100}}, "model.card-field", "high"),
        (CARD | {"input": {**CARD["input"], "height": 0}}, "model.card-field", "height"),
        (CARD | {"input": {**CARD["input"], "modalities": []}}, "model.card-field", "modalities"),
        (CARD | {"output": {"labels": {}, "combine": "max"}}, "model.card-field", "labels"),
        (CARD | {"output": {**CARD["output"], "combine": "min"}}, "model.card-field", "combine"),
        ("- a list", "model.card-unreadable", None),
        ("!!python/object/apply:os.getcwd []", "model.card-unreadable", None),
        ("a: [", "model.card-unreadable", None),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_model_with_a_wrong_card_is_refused(
    tmp_path: Path, card: dict[str, Any] | str, key: str, field: str | None
) -> None:
    drop(tmp_path, "brightness", card)
    (model,) = models(tmp_path)
    assert model.card is None
    assert model.refused is not None
    assert (model.refused.key, model.refused.details.get("field")) == (key, field)
    assert [each for each in registered(tmp_path) if each.model] == []


def test_a_model_that_is_a_link_or_missing_is_refused(tmp_path: Path) -> None:
    drop(tmp_path, "linked", CARD)
    elsewhere = tmp_path / "elsewhere.onnx"
    elsewhere.write_bytes(MODEL)
    path = tmp_path / "models" / "linked" / "model.onnx"
    path.unlink()
    refusals = partial(lambda: [each.refused and each.refused.key for each in models(tmp_path)])
    assert refusals() == ["model.file-missing"]
    path.symlink_to(elsewhere)
    assert refusals() == ["model.file-missing"]
    drop(tmp_path, "Shouting", CARD)
    assert refusals() == ["model.name", "model.file-missing"]
