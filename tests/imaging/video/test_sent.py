"""A film sent by an endoscope over DIMSE stays as it was sent."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from pydicom import dcmread
from pynetdicom import AE
from tests.imaging.video.films import CODECS, ENDOSCOPY, a_film

from serai.imaging.dimse import Listener
from serai.imaging.video.films import SYNTAXES
from serai.platform.blobs import Blobs
from serai.platform.settings import Settings

PIXELS = "SELECT blob, pixels_start, pixels_length FROM imaging_instance WHERE transfer_syntax = %s"


@pytest.mark.filterwarnings("ignore")
async def test_every_video_syntax_is_taken_and_kept_to_the_byte(
    database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO dimse_peer VALUES ('ENDOSCOPE', 'county', NULL)")
        settings = Settings(home=tmp_path / "home", dimse_port=0)
        with Listener(settings, database_url) as listener:
            assert _offered(listener.port) == sorted(SYNTAXES)
            for form, (_, syntax) in CODECS.items():
                if form in ("mpeg2video", "h264", "hevc"):
                    film = dcmread(BytesIO(a_film(form, 6)))
                    assert _sent(listener.port, film, syntax) == 0
                    (row,) = connection.execute(PIXELS, (syntax,)).fetchall()
                    stored = await Blobs(settings.home).get(row[0])
                    assert film.PixelData in stored


def _offered(port: int) -> list[str]:
    """The video syntaxes that the server accepts for endoscopy."""
    entity = AE("ENDOSCOPE")
    for syntax in sorted(SYNTAXES):
        entity.add_requested_context(ENDOSCOPY, syntax)
    association = entity.associate("127.0.0.1", port, ae_title="SERAI")
    taken = [str(each.transfer_syntax[0]) for each in association.accepted_contexts]
    association.release()
    return sorted(taken)


def _sent(port: int, film: object, syntax: str) -> int:
    entity = AE("ENDOSCOPE")
    entity.add_requested_context(ENDOSCOPY, syntax)
    association = entity.associate("127.0.0.1", port, ae_title="SERAI")
    status = int(association.send_c_store(film).Status)
    association.release()
    return status
