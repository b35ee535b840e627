"""What a client may ask of a picture."""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
DEFAULT_QUALITY = 90
LINEAR, LINEAR_EXACT, SIGMOID = "LINEAR", "LINEAR_EXACT", "SIGMOID"
FUNCTIONS = (LINEAR, LINEAR_EXACT, SIGMOID)


@dataclass(frozen=True, slots=True)
class Window:
    """The grey values that are told apart, and how."""

    centre: float
    width: float
    function: str = LINEAR

    @classmethod
    def around(cls, low: float, high: float) -> Window:
        """From black at `low` to white at `high`."""
        return cls((low + high) / 2, max(high - low, 1e-6), LINEAR_EXACT)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the client asked for (PS3.18 §8.3.5); None leaves it to the object."""

    media_type: str = "image/jpeg"
    frame: int = 0
    window: Window | None = None
    size: tuple[int, int] | None = None
    region: tuple[int, int, int, int] | None = None
    quality: int = DEFAULT_QUALITY
