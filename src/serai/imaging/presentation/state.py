"""What a presentation state says of one image, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset

from serai.imaging.documents.classes import STORAGE
from serai.imaging.rendering.grey import Scale
from serai.imaging.rendering.wish import FUNCTIONS, LINEAR, Window
from serai.kernel.errors import Malformed, Unsupported

# Greyscale and colour; pseudo-colour and blending put several images together.
APPLIED = (f"{STORAGE}11.1", f"{STORAGE}11.2")
QUARTER_TURNS = (0, 90, 180, 270)
BROKEN = (ValueError, TypeError, AttributeError, IndexError, OverflowError)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Target:
    """An image the state is for; no frames means all of them, which count from 1."""

    series: str
    instance: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """What is displayed: corners in image pixels from 1, and how large."""

    left: int
    top: int
    right: int
    bottom: int
    magnification: float = 1.0
    # Height of a pixel by its width.
    aspect: float = 1.0


@dataclass(frozen=True, slots=True)
class Graphic:
    """A drawing; `relative` points are parts of the displayed area instead of image pixels."""

    kind: str
    points: tuple[Point, ...]
    relative: bool
    filled: bool
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Text:
    """Words at the corner of their box, or beside the point they are about."""

    words: str
    place: Point
    relative: bool
    anchor: Point | None
    anchor_relative: bool
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Shutter:
    """What stays visible, in image pixels from 1; `grey` fills the rest."""

    rectangle: tuple[int, int, int, int] | None
    circle: tuple[int, int, int] | None
    polygon: tuple[Point, ...]
    grey: int


@dataclass(frozen=True, slots=True)
class Look:
    """The state as it applies to one frame of one image."""

    scale: Scale
    window: Window | None
    tables: Dataset
    voi_table: Dataset | None
    inverted: bool
    rotation: int
    flipped: bool
    area: Area | None
    shutter: Shutter | None
    graphics: tuple[Graphic, ...]
    texts: tuple[Text, ...]


class State:
    """One presentation state object."""

    def __init__(self, data_set: Dataset) -> None:
        if str(data_set.get("SOPClassUID", "")) not in APPLIED:
            raise Unsupported("rendering.presentation-kind")
        self._data_set = data_set

    @property
    def targets(self) -> list[Target]:
        """The images it is for, in its own order."""
        return [
            Target(
                str(series.SeriesInstanceUID), str(image.ReferencedSOPInstanceUID), _frames(image)
            )
            for series in self._data_set.get("ReferencedSeriesSequence", [])
            for image in series.get("ReferencedImageSequence", [])
        ]

    def look(self, instance: str, frame: int) -> Look:
        """`frame` counts from 1."""
        try:
            return self._look(_covering(instance, frame))
        except BROKEN as error:
            raise Malformed("rendering.presentation-broken") from error

    def _look(self, covers: Callable[[Dataset], bool]) -> Look:
        state = self._data_set
        voi = next(_of(state, "SoftcopyVOILUTSequence", covers), None)
        area = next(_of(state, "DisplayedAreaSelectionSequence", covers), None)
        annotations = list(_of(state, "GraphicAnnotationSequence", covers))
        colours = _layer_colours(state)
        rotation = int(state.get("ImageRotation", 0) or 0) % 360
        if rotation not in QUARTER_TURNS:
            raise Unsupported("rendering.presentation-kind")
        return Look(
            scale=Scale(
                float(state.get("RescaleSlope", 1) or 1),
                float(state.get("RescaleIntercept", 0) or 0),
            ),
            window=_window(voi) if voi else None,
            tables=state,
            voi_table=voi if voi and voi.get("VOILUTSequence") else None,
            inverted=state.get("PresentationLUTShape", "") == "INVERSE",
            rotation=rotation,
            flipped=state.get("ImageHorizontalFlip", "N") == "Y",
            area=_area(area) if area else None,
            shutter=_shutter(state),
            graphics=tuple(_graphics(annotations, colours)),
            texts=tuple(_texts(annotations, colours)),
        )


def read_state(content: bytes) -> State:
    try:
        return State(dcmread(BytesIO(content)))
    except BROKEN as error:
        raise Malformed("rendering.presentation-broken") from error


def _frames(image: Dataset) -> tuple[int, ...]:
    value = image.get("ReferencedFrameNumber")
    if value in (None, ""):
        return ()
    each = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return tuple(int(number) for number in each)


def _covering(instance: str, frame: int) -> Callable[[Dataset], bool]:
    """Whether an item is for the image: one that names none is for all of them."""

    def covers(item: Dataset) -> bool:
        images = item.get("ReferencedImageSequence") or []
        if not images:
            return True
        return any(
            str(image.ReferencedSOPInstanceUID) == instance
            and (not _frames(image) or frame in _frames(image))
            for image in images
        )

    return covers


def _of(state: Dataset, sequence: str, covers: Callable[[Dataset], bool]) -> Iterator[Dataset]:
    return (item for item in state.get(sequence) or [] if covers(item))


def _window(voi: Dataset) -> Window | None:
    if voi.get("WindowCenter") is None or voi.get("WindowWidth") is None:
        return None
    centre, width = _first(voi.WindowCenter), _first(voi.WindowWidth)
    function = str(voi.get("VOILUTFunction", LINEAR) or LINEAR)
    if width < 1:
        raise ValueError
    return Window(centre, width, function if function in FUNCTIONS else LINEAR)


def _first(value: Any) -> float:
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return float(value[0] if several else value)


def _area(item: Dataset) -> Area:
    left, top = (int(each) for each in item.DisplayedAreaTopLeftHandCorner)
    right, bottom = (int(each) for each in item.DisplayedAreaBottomRightHandCorner)
    magnified = item.get("PresentationSizeMode", "") == "MAGNIFY"
    ratio = float(item.get("PresentationPixelMagnificationRatio", 1) or 1) if magnified else 1.0
    spacing = item.get("PresentationPixelSpacing") or item.get("PresentationPixelAspectRatio")
    aspect = float(spacing[0]) / float(spacing[1]) if spacing else 1.0
    if not 0.01 <= ratio <= 100 or not 0.01 <= aspect <= 100:
        raise ValueError
    # After turning, the corner shown top left may be any of the image's corners.
    return Area(
        min(left, right), min(top, bottom), max(left, right), max(top, bottom), ratio, aspect
    )


def _shutter(state: Dataset) -> Shutter | None:
    shapes = state.get("ShutterShape")
    if not shapes:
        return None
    names = [shapes] if isinstance(shapes, str) else list(shapes)
    rectangle = circle = None
    polygon: tuple[Point, ...] = ()
    if "RECTANGULAR" in names:
        edges = ("LeftVertical", "UpperHorizontal", "RightVertical", "LowerHorizontal")
        left, top, right, bottom = (int(state[f"Shutter{each}Edge"].value) for each in edges)
        rectangle = left, top, right, bottom
    if "CIRCULAR" in names:
        row, column = (int(each) for each in state.CenterOfCircularShutter)
        circle = column, row, int(state.RadiusOfCircularShutter)
    if "POLYGONAL" in names:
        places = [float(each) for each in state.VerticesOfThePolygonalShutter]
        polygon = tuple(zip(places[1::2], places[::2], strict=True))
    grey = int(state.get("ShutterPresentationValue", 0) or 0) >> 8
    return Shutter(rectangle, circle, polygon, min(max(grey, 0), 255))


YELLOW = (255, 221, 51)


def _layer_colours(state: Dataset) -> dict[str, tuple[int, int, int]]:
    """The grey a layer recommends; colours of ours where it leaves it open."""
    found = {}
    for layer in state.get("GraphicLayerSequence") or []:
        value = layer.get("GraphicLayerRecommendedDisplayGrayscaleValue")
        if value not in (None, ""):
            grey = min(max(int(value) >> 8, 0), 255)
            found[str(layer.get("GraphicLayer", ""))] = (grey, grey, grey)
    return found


def _graphics(
    annotations: Sequence[Dataset], colours: dict[str, tuple[int, int, int]]
) -> Iterator[Graphic]:
    for annotation in annotations:
        colour = colours.get(str(annotation.get("GraphicLayer", "")), YELLOW)
        for each in annotation.get("GraphicObjectSequence") or []:
            data = [float(value) for value in each.GraphicData]
            yield Graphic(
                kind=str(each.GraphicType),
                points=tuple(zip(data[::2], data[1::2], strict=True)),
                relative=str(each.get("GraphicAnnotationUnits", "PIXEL")) == "DISPLAY",
                filled=str(each.get("GraphicFilled", "N")) == "Y",
                colour=colour,
            )


def _texts(
    annotations: Sequence[Dataset], colours: dict[str, tuple[int, int, int]]
) -> Iterator[Text]:
    for annotation in annotations:
        colour = colours.get(str(annotation.get("GraphicLayer", "")), YELLOW)
        for each in annotation.get("TextObjectSequence") or []:
            box, anchor = each.get("BoundingBoxTopLeftHandCorner"), each.get("AnchorPoint")
            box_relative = str(each.get("BoundingBoxAnnotationUnits", "PIXEL")) == "DISPLAY"
            anchor_relative = str(each.get("AnchorPointAnnotationUnits", "PIXEL")) == "DISPLAY"
            place = box if box is not None else anchor
            if place is None:
                continue
            marked = anchor is not None and str(each.get("AnchorPointVisibility", "N")) == "Y"
            yield Text(
                words=str(each.UnformattedTextValue),
                place=(float(place[0]), float(place[1])),
                relative=box_relative if box is not None else anchor_relative,
                anchor=(float(anchor[0]), float(anchor[1])) if marked and anchor else None,
                anchor_relative=anchor_relative,
                colour=colour,
            )
