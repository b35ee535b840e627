"""A frame as its presentation state wants it seen: grey values, shutter, turn, area, drawings.

In the order of PS3.4 §N.2; what the state leaves out is the identity, whatever the image says.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut

from serai.imaging.presentation.lettering import lettering
from serai.imaging.presentation.state import Area, Graphic, Look, Point, Shutter, Text
from serai.imaging.rendering import grey, still
from serai.imaging.rendering.lookup import eight_bits
from serai.imaging.rendering.native import UNDECODABLE
from serai.imaging.rendering.wish import Window, Wish
from serai.kernel.errors import Malformed

MAX_SIDE = 8192
# A point or the corner of a curve in between is drawn by so many steps.
STEPS = 16
ELLIPSE_STEPS = 72

Pixels = NDArray[Any]
Place = Callable[[Point], Point]


def drawn(pixels: Pixels, look: Look, wish: Wish, *, inverted: bool) -> bytes:
    """The picture as a file; its size is that of the displayed area."""
    try:
        composed = compose(pixels, look, wish.size, inverted=inverted)
    except (*UNDECODABLE, struct.error) as error:
        raise Malformed("rendering.presentation-broken") from error
    return still.as_file(composed, replace(wish, size=None))


def compose(pixels: Pixels, look: Look, size: tuple[int, int] | None, *, inverted: bool) -> Pixels:
    """Eight-bit RGB. `pixels` are stored values, or colours; `inverted` says MONOCHROME1."""
    shown = pixels if pixels.ndim == 3 else _greys(pixels, look, inverted=inverted)
    picture = Image.fromarray(eight_bits(shown)).convert("RGB")
    if look.shutter:
        _close(picture, look.shutter)
    area = look.area or Area(1, 1, picture.width, picture.height)
    left, top = area.left - 1, area.top - 1
    width, height = area.right - left, area.bottom - top
    if not 0 < width <= MAX_SIDE or not 0 < height <= MAX_SIDE:
        raise Malformed("rendering.presentation-broken")
    # What lies outside of the image is shown black.
    picture = _turned(picture.crop((left, top, left + width, top + height)), look)
    picture = picture.resize(_extent(picture.size, area, size, turned=look.rotation % 180 != 0))
    _draw(picture, look, _place_of(look, (left, top, width, height), picture.size))
    return np.asarray(picture)


def _greys(pixels: Pixels, look: Look, *, inverted: bool) -> NDArray[np.uint8]:
    if look.tables.get("ModalityLUTSequence"):
        values = apply_modality_lut(pixels, look.tables).astype(np.float64)
    else:
        values = pixels * look.scale.slope + look.scale.intercept
    window = look.window
    if look.voi_table is not None:
        table = look.voi_table.VOILUTSequence[0]
        values = _looked_up(values, table)
        window = Window.around(0, (1 << int(table.LUTDescriptor[2])) - 1)
    if window is None:
        window = Window.around(float(values.min()), float(values.max()))
    # The presentation LUT's shape takes the place of what the photometric interpretation implies.
    shape = look.tables.get("PresentationLUTShape")
    return grey.spread(values, window, inverted=look.inverted if shape else inverted)


def _looked_up(values: Pixels, table: Dataset) -> Pixels:
    """Through a VOI LUT, whose entries may be packed in bytes (PS3.3 §C.11.2.1.1)."""
    entries, first, _ = (int(each) for each in table.LUTDescriptor)
    entries = entries or 1 << 16
    if first >= 1 << 15 and values.min() < 0:
        # Read as unsigned, though the values it maps are signed.
        first -= 1 << 16
    data = table.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, "<u2" if len(data) >= 2 * entries else "u1")
    outputs = np.asarray(data, np.float64)[:entries]
    places = np.clip(np.rint(values).astype(np.int64) - first, 0, len(outputs) - 1)
    return np.asarray(outputs[places])


def _close(picture: Image.Image, shutter: Shutter) -> None:
    open_part = Image.new("L", picture.size, 255)
    for draw_shape in (_rectangle, _circle, _polygon):
        shape = Image.new("L", picture.size, 0)
        if draw_shape(ImageDraw.Draw(shape), shutter):
            open_part = Image.fromarray(np.minimum(np.asarray(open_part), np.asarray(shape)))
    covered = Image.fromarray(255 - np.asarray(open_part))
    picture.paste((shutter.grey,) * 3, mask=covered)


def _rectangle(draw: ImageDraw.ImageDraw, shutter: Shutter) -> bool:
    if shutter.rectangle:
        left, top, right, bottom = shutter.rectangle
        # The edges themselves are covered (PS3.3 §C.7.6.11).
        if right - left > 1 and bottom - top > 1:
            draw.rectangle((left, top, right - 2, bottom - 2), fill=255)
    return shutter.rectangle is not None


def _circle(draw: ImageDraw.ImageDraw, shutter: Shutter) -> bool:
    if shutter.circle:
        x, y, radius = shutter.circle
        draw.ellipse((x - 1 - radius, y - 1 - radius, x - 1 + radius, y - 1 + radius), fill=255)
    return shutter.circle is not None


def _polygon(draw: ImageDraw.ImageDraw, shutter: Shutter) -> bool:
    if len(shutter.polygon) > 2:
        draw.polygon([(x - 1, y - 1) for x, y in shutter.polygon], fill=255)
    return len(shutter.polygon) > 2


def _turned(picture: Image.Image, look: Look) -> Image.Image:
    """Clockwise first, then left for right (PS3.3 §C.10.6)."""
    turns = {
        90: Image.Transpose.ROTATE_270,
        180: Image.Transpose.ROTATE_180,
        270: Image.Transpose.ROTATE_90,
    }
    if look.rotation:
        picture = picture.transpose(turns[look.rotation])
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if look.flipped else picture


def _extent(
    natural: tuple[int, int], area: Area, size: tuple[int, int] | None, *, turned: bool
) -> tuple[int, int]:
    """As large as fits into `size`; else as the state magnifies it."""
    stretch = 1 / area.aspect if turned else area.aspect
    width, height = float(natural[0]), natural[1] * stretch
    factor = min(size[0] / width, size[1] / height) if size else area.magnification
    factor = min(factor, MAX_SIDE / width, MAX_SIDE / height)
    return max(round(width * factor), 1), max(round(height * factor), 1)


def _place_of(look: Look, area: tuple[int, int, int, int], size: tuple[int, int]) -> Place:
    """From image coordinates, whose first pixel spans 0 to 1, to the finished picture's."""
    left, top, width, height = area

    def place(point: Point) -> Point:
        x, y = (point[0] - left) / width, (point[1] - top) / height
        for _ in range(look.rotation // 90):
            x, y = 1 - y, x
        if look.flipped:
            x = 1 - x
        return x * size[0], y * size[1]

    return place


def _draw(picture: Image.Image, look: Look, place: Place) -> None:
    draw = ImageDraw.Draw(picture)
    width = max(picture.width // 400, 1)

    def relative(point: Point) -> Point:
        return point[0] * picture.width, point[1] * picture.height

    for graphic in look.graphics:
        _draw_graphic(draw, graphic, relative if graphic.relative else place, width)
    for text in look.texts:
        _draw_text(draw, text, relative, place, picture.width)


def _draw_graphic(draw: ImageDraw.ImageDraw, graphic: Graphic, place: Place, width: int) -> None:
    outline = [place(point) for point in outline_of(graphic)]
    if len(outline) == 1:
        (x, y), reach = outline[0], 3 * width
        draw.line([(x - reach, y), (x + reach, y)], graphic.colour, width)
        draw.line([(x, y - reach), (x, y + reach)], graphic.colour, width)
    elif graphic.filled and len(outline) > 2:
        draw.polygon(outline, fill=graphic.colour)
    elif outline:
        draw.line(outline, graphic.colour, width, joint="curve")


def outline_of(graphic: Graphic) -> list[Point]:
    """The drawing as points to join, in its own coordinates (PS3.3 §C.10.5.1.2)."""
    points = list(graphic.points)
    if graphic.kind == "CIRCLE" and len(points) >= 2:
        centre, on = points[0], points[1]
        across = on[0] - centre[0], on[1] - centre[1]
        return _ellipse(centre, across, (-across[1], across[0]))
    if graphic.kind == "ELLIPSE" and len(points) >= 4:
        a, b, _, d = points[:4]
        centre = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
        return _ellipse(
            centre, (b[0] - centre[0], b[1] - centre[1]), (d[0] - centre[0], d[1] - centre[1])
        )
    if graphic.kind == "INTERPOLATED" and len(points) > 2:
        return _smooth(points)
    return points


def _ellipse(centre: Point, first: Point, second: Point) -> list[Point]:
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_STEPS + 1)
    return [
        (
            centre[0] + first[0] * float(np.cos(angle)) + second[0] * float(np.sin(angle)),
            centre[1] + first[1] * float(np.cos(angle)) + second[1] * float(np.sin(angle)),
        )
        for angle in angles
    ]


def _smooth(points: list[Point]) -> list[Point]:
    """A curve through every point (Catmull and Rom's); closed when it ends where it begins."""
    closed = points[0] == points[-1]
    before = points[-2] if closed else points[0]
    after = points[1] if closed else points[-1]
    through = np.array([before, *points, after])
    steps = np.linspace(0, 1, STEPS, endpoint=False)[:, None]
    curve: list[Point] = []
    for index in range(len(points) - 1):
        p0, p1, p2, p3 = through[index : index + 4]
        linear, square = p2 - p0, 2 * p0 - 5 * p1 + 4 * p2 - p3
        cubic = 3 * p1 - p0 - 3 * p2 + p3
        part = (2 * p1 + linear * steps + square * steps**2 + cubic * steps**3) / 2
        curve += [(float(x), float(y)) for x, y in part]
    return [*curve, points[-1]]


def _draw_text(
    draw: ImageDraw.ImageDraw, text: Text, relative: Place, place: Place, width: int
) -> None:
    corner = (relative if text.relative else place)(text.place)
    if text.anchor:
        target = (relative if text.anchor_relative else place)(text.anchor)
        draw.line([corner, target], text.colour, max(width // 400, 1))
    edge = (0, 0, 0) if sum(text.colour) > 380 else (255, 255, 255)
    draw.multiline_text(
        corner,
        text.words.replace("\r", ""),
        fill=text.colour,
        font=lettering(max(width // 36, 11)),
        stroke_width=1,
        stroke_fill=edge,
    )
