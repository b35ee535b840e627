"""What a client may ask of a picture."""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
DEFAULT_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Wish:
    """What the client asked for (PS3.18 §8.3.5); None leaves it to the object."""

    media_type: str = "image/jpeg"
    frame: int = 0
    window: tuple[float, float] | None = None
    size: tuple[int, int] | None = None
    quality: int = DEFAULT_QUALITY
