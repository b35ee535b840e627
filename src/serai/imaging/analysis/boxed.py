"""What runs inside the box: limits first, then the analyser, then its result on disk.

`python -m serai.imaging.analysis.boxed PARENT CPU_SECONDS MEMORY WRITTEN`, beside an order.json.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from serai.imaging.analysis import confining

OUT_OF_MEMORY = 77


def main() -> None:
    order = json.loads(Path("order.json").read_bytes())
    model = [Path(order["model"])] if order["model"] else []
    confining.limit(*(int(each) for each in sys.argv[1:]))
    isolation = [*confining.separate(), *confining.keep_to(Path.cwd(), model)]
    try:
        said = _carried_out(order)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception as error:  # noqa: BLE001 - whatever an analyser does wrong is its result
        # The name of its class only: a message may quote the patient.
        said = {"state": "failed", "why": "analysis.broke", "details": {"error": _named(error)}}
    Path("result.json").write_text(json.dumps(said | {"isolation": isolation}))


def _carried_out(order: dict[str, Any]) -> dict[str, Any]:
    # Only now is anything loaded that the limits shall hold for.
    outcome = import_module("serai.imaging.analysis.outcome")
    module, _, name = order["function"].partition(":")
    given = outcome.Given(
        [Path(each) for each in order["files"]],
        [Path(each) for each in order["related"]],
        Path(order["model"]) if order["model"] else None,
        order["options"],
    )
    try:
        measured = getattr(import_module(module), name)(given)
    except outcome.Abstained as abstained:
        return {"state": "abstained", "why": abstained.key, "details": abstained.details}
    writing = None if measured.silent else import_module("serai.imaging.analysis.writing")
    return {
        "state": "done",
        "figures": [asdict(each) for each in measured.figures],
        "findings": [asdict(each) for each in measured.findings],
        "objects": writing.written(measured, given, order) if writing else [],
    }


def _named(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"[:100]


if __name__ == "__main__":
    main()
