"""A model of the model folder (ONNX), run as its card says: image by image, on one processor.

Each image is scaled to the card's shape and from its range to 0…1; the outputs are combined over
the images and reported as they are. What they mean is for the card's author to have shown.
"""

from __future__ import annotations

import hashlib
from typing import Any

import cv2
import numpy as np
import onnxruntime
from pydicom import dcmread

from serai.imaging.analysis.outcome import Abstained, Code, Figure, Given, Measured

COMBINED: dict[str, Any] = {"max": np.max, "mean": np.mean}


def measure(given: Given) -> Measured:
    card = given.options
    session = _session(given)
    rows = []
    for path in given.files:
        image = dcmread(path)
        if "PixelData" not in image:
            raise Abstained("analysis.no-pixels")
        rows.append(_outputs(session, _input(image, card)))
    if not rows:
        raise Abstained("analysis.no-pixels")
    labels = card["labels"]
    if any(len(row) != len(labels) for row in rows):
        raise Abstained("analysis.model-output", expected=len(labels), found=len(rows[0]))
    combined = COMBINED[card["combine"]](np.array(rows), axis=0)
    if not np.isfinite(combined).all():
        raise Abstained("analysis.model-not-finite")
    figures = [
        Figure(Code(str(label["code"]), str(label["meaning"])), round(float(value), 6), "1")
        for label, value in zip(labels, combined, strict=True)
    ]
    return Measured(figures)


def _session(given: Given) -> onnxruntime.InferenceSession:
    assert given.model
    content = given.model.read_bytes()
    # The file may have been exchanged since the card was read.
    if hashlib.sha256(content).hexdigest() != given.options["sha256"]:
        raise Abstained("model.other-bytes")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _outputs(session: onnxruntime.InferenceSession, planes: Any) -> Any:
    (given,) = session.get_inputs()
    first = session.run(None, {given.name: planes})[0]
    return np.asarray(first, dtype=np.float64).reshape(-1)


def _input(image: Any, card: dict[str, Any]) -> Any:
    """NCHW with one image of one channel."""
    plane = image.pixel_array
    if plane.ndim != 2:
        raise Abstained("analysis.not-one-grey-image")
    slope, intercept = float(image.get("RescaleSlope", 1)), float(image.get("RescaleIntercept", 0))
    height, width = card["height"], card["width"]
    units = cv2.resize(
        (plane * slope + intercept).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_AREA,
    )
    low, high = card["low"], card["high"]
    scaled = np.clip((units - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return scaled[np.newaxis, np.newaxis]
