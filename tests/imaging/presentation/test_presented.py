from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.imaging.objects import a_picture, uid
from tests.imaging.presentation.states import a_state, of
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

SIDE = 64
# Columns of rising grey from black on the left, and one bright row at the top.
GREYS = np.tile(np.arange(SIDE, dtype=np.uint8) * 3, (SIDE, 1))
GREYS[0] = 255


def shown(server: Server, **state: Any) -> NDArray[np.uint8]:
    """The picture under a state with these attributes."""
    client = Client.of(server)
    image = a_picture(Rows=SIDE, Columns=SIDE, PixelData=GREYS.tobytes())
    study, series = uid(image, "StudyInstanceUID"), uid(image, "SeriesInstanceUID")
    presentation = a_state(study, series, [uid(image)], **state)
    assert client.store(image, presentation).status_code == 200
    path = f"/studies/{study}/series/{uid(presentation, 'SeriesInstanceUID')}"
    answer = client.get(f"{path}/instances/{uid(presentation)}/rendered", accept="image/png")
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(BytesIO(answer.content)).convert("RGB"))


def row(picture: NDArray[np.uint8], number: int = 20) -> list[int]:
    return [int(value) for value in picture[number, :, 0]]


def test_the_window_of_the_state_counts(shared_server: Server) -> None:
    window = of(WindowCenter="90", WindowWidth="60", VOILUTFunction="LINEAR_EXACT")
    greys = row(shown(shared_server, SoftcopyVOILUTSequence=window))
    # 60 is black and 120 white.
    assert greys[20] == 0
    assert greys[40] == 255
    assert 120 <= greys[30] <= 135


def test_a_table_of_the_state_counts(shared_server: Server) -> None:
    table = of(LUTDescriptor=[256, 0, 8], LUTData=bytes(range(255, -1, -1)))
    table[0]["LUTData"].VR = "OW"
    greys = row(shown(shared_server, SoftcopyVOILUTSequence=of(VOILUTSequence=table)))
    assert (greys[0], greys[40]) == (255, 255 - 120)


def test_an_inverse_state_turns_white_to_black(shared_server: Server) -> None:
    window = of(WindowCenter="127.5", WindowWidth="255", VOILUTFunction="LINEAR_EXACT")
    greys = row(shown(shared_server, SoftcopyVOILUTSequence=window, PresentationLUTShape="INVERSE"))
    assert greys[0] == 255
    assert greys[63] < 70


@pytest.mark.parametrize(
    ("rotation", "flip", "bright_edge"),
    [
        (0, "N", "top"),
        (90, "N", "right"),
        (180, "N", "bottom"),
        (270, "N", "left"),
        (90, "Y", "left"),
        (180, "Y", "bottom"),
    ],
)
def test_the_picture_is_turned_and_flipped(
    shared_server: Server, rotation: int, flip: str, bright_edge: str
) -> None:
    picture = shown(shared_server, ImageRotation=rotation, ImageHorizontalFlip=flip)[..., 0]
    edges = {
        "top": picture[0],
        "bottom": picture[-1],
        "left": picture[:, 0],
        "right": picture[:, -1],
    }
    assert [name for name, edge in edges.items() if edge.min() == 255] == [bright_edge]


def test_only_the_displayed_area_is_shown_magnified(shared_server: Server) -> None:
    area = of(
        DisplayedAreaTopLeftHandCorner=[11, 21],
        DisplayedAreaBottomRightHandCorner=[20, 40],
        PresentationSizeMode="MAGNIFY",
        PresentationPixelMagnificationRatio=4,
        PresentationPixelAspectRatio=[1, 1],
    )
    picture = shown(shared_server, DisplayedAreaSelectionSequence=area)
    assert picture.shape[:2] == (80, 40)


def test_drawings_and_words_lie_where_they_were_drawn_also_when_turned(
    shared_server: Server,
) -> None:
    line = of(
        GraphicAnnotationUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=2,
        GraphicData=[10.5, 30.5, 50.5, 30.5],
        GraphicType="POLYLINE",
        GraphicFilled="N",
    )
    words = of(
        UnformattedTextValue="结节 12 mm",
        BoundingBoxAnnotationUnits="DISPLAY",
        BoundingBoxTopLeftHandCorner=[0.1, 0.7],
        BoundingBoxBottomRightHandCorner=[0.9, 0.9],
        BoundingBoxTextHorizontalJustification="LEFT",
    )
    drawn = of(GraphicLayer="L", GraphicObjectSequence=line, TextObjectSequence=words)
    straight = shown(shared_server, GraphicAnnotationSequence=drawn)
    turned = shown(shared_server, GraphicAnnotationSequence=drawn, ImageRotation=90)

    def coloured(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        return picture[..., 0].astype(int) - picture[..., 2] > 60

    assert coloured(straight)[30, 15:45].all()
    assert not coloured(straight)[25, 15:45].any()
    assert coloured(straight)[44:60].sum() > 20
    # The row that was 30 from the top is now the column 30 from the right.
    assert coloured(turned)[15:45, SIDE - 1 - 30].all()


def test_a_shutter_covers_what_lies_outside(shared_server: Server) -> None:
    picture = shown(
        shared_server,
        ShutterShape="CIRCULAR",
        CenterOfCircularShutter=[32, 32],
        RadiusOfCircularShutter=10,
        ShutterPresentationValue=0,
    )
    assert picture[0].max() == 0
    assert picture[31, 31].max() > 50


def test_what_a_state_must_not_be_is_refused(shared_server: Server) -> None:
    client = Client.of(shared_server)
    image = a_picture()
    study, series = uid(image, "StudyInstanceUID"), uid(image, "SeriesInstanceUID")
    area = of(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[2_000_000, 2_000_000],
    )
    huge = a_state(study, series, [uid(image)], DisplayedAreaSelectionSequence=area)
    blending = a_state(study, series, [uid(image)], SOPClassUID="1.2.840.10008.5.1.4.1.1.11.4")
    absent = a_state(study, series, ["1.2.3"])
    assert client.store(image, huge, blending, absent).status_code == 200

    def asked_for(state: bytes) -> httpx.Response:
        place = f"{uid(state, 'SeriesInstanceUID')}/instances/{uid(state)}"
        return client.get(f"/studies/{study}/series/{place}/rendered", accept="image/png")

    answers = [asked_for(each) for each in (huge, blending, absent)]
    assert [(each.status_code, each.json()["error"]) for each in answers] == [
        (400, "rendering.presentation-broken"),
        (406, "rendering.presentation-kind"),
        (404, "wado.nothing-there"),
    ]


def test_an_image_is_shown_under_a_state_by_wado_uri(shared_server: Server) -> None:
    client = Client.of(shared_server)
    image = a_picture(Rows=SIDE, Columns=SIDE, PixelData=GREYS.tobytes())
    study, series = uid(image, "StudyInstanceUID"), uid(image, "SeriesInstanceUID")
    state = a_state(study, series, [uid(image)], ImageRotation=180, ImageHorizontalFlip="N")
    client.store(image, state)
    answer = client.get(
        "/wado",
        accept="*/*",
        requestType="WADO",
        studyUID=study,
        seriesUID=series,
        objectUID=uid(image),
        contentType="image/png",
        presentationSeriesUID=uid(state, "SeriesInstanceUID"),
        presentationUID=uid(state),
    )
    picture = np.asarray(Image.open(BytesIO(answer.content)).convert("L"))
    assert picture[-1].min() == 255
