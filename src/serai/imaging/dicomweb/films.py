"""Video objects: the whole as MP4, one frame as a still."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.dicomweb.answers import CACHE, not_modified
from serai.imaging.dicomweb.found import Frames
from serai.imaging.rendering import still
from serai.imaging.rendering.wish import Wish
from serai.imaging.video import Films, Source

FILM = "video/mp4"
FRAME_TIME, CINE_RATE, DISPLAY_RATE = "00181063", "00180040", "00082144"
USUAL_RATE = 25.0
FASTEST = 240.0


async def film_of(
    request: Request, blob: str, start: int, length: int, described: Attributes
) -> Response:
    """In ranges, which players ask for; the file is made when the first of them does."""
    etag = f'"{blob[:32]}-film"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    source = Source(blob, start, length, rate_of(described))
    path = await _films(request).film(source)
    return FileResponse(path, headers=headers, media_type=FILM)


async def still_of(request: Request, source: Frames, wish: Wish) -> bytes:
    """One frame of a film, sized and cropped as wished."""
    origin = Source(source.blob, source.start, source.length)
    picture = await _films(request).still(origin, wish.frame)
    return still.as_file(np.asarray(Image.open(BytesIO(picture))), wish)


def rate_of(attributes: Attributes) -> float:
    """Frames per second, as the object says in one of three ways."""
    for tag in (CINE_RATE, DISPLAY_RATE, FRAME_TIME):
        try:
            value = float(first_text(attributes, tag))
        except ValueError:
            continue
        rate = 1000 / value if tag == FRAME_TIME and value > 0 else value
        if 0 < rate <= FASTEST:
            return rate
    return USUAL_RATE


def _films(request: Request) -> Films:
    """One for the process: what one reader waits for is not made twice."""
    state = request.app.state
    films: Films | None = getattr(state, "films", None)
    if films is None:
        films = Films(state.blobs, state.blobs.derived)
        state.films = films
    return films
