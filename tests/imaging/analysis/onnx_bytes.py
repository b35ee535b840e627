"""A model of one step, the mean of an image, written byte by byte (onnx.proto3, IR version 8)."""

from __future__ import annotations

FLOAT, INT, INTS = 1, 2, 7


def mean_of(height: int, width: int) -> bytes:
    """input float[1, 1, height, width] → ReduceMean over the last two axes → output float[1, 1]."""
    axes = _text(1, "axes") + _number(8, 2) + _number(8, 3) + _number(20, INTS)
    keep = _text(1, "keepdims") + _number(3, 0) + _number(20, INT)
    node = (
        _text(1, "image") + _text(2, "mean") + _text(4, "ReduceMean")
        + _field(5, axes) + _field(5, keep)
    )  # fmt: skip
    graph = (
        _field(1, node)
        + _text(2, "mean of an image")
        + _field(11, _value("image", (1, 1, height, width)))
        + _field(12, _value("mean", (1, 1)))
    )
    return _number(1, 8) + _field(7, graph) + _field(8, _text(1, "") + _number(2, 13))


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sides = b"".join(_field(1, _number(1, side)) for side in shape)
    tensor = _number(1, FLOAT) + _field(2, sides)
    return _text(1, name) + _field(2, _field(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, text: str) -> bytes:
    return _field(field, text.encode())


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
