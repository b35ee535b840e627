"""The typeface of annotations: one that has the scripts the record is written in."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import ImageFont

# As Debian installs them; Pillow brings a Latin one for everywhere else.
FACES: Final = (
    Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    Path("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"),
    Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
)
Face = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=8)
def lettering(size: int) -> Face:
    for face in FACES:
        if face.is_file():
            return ImageFont.truetype(str(face), size)
    return ImageFont.load_default(size)
