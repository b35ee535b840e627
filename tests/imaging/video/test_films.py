from __future__ import annotations

import itertools
from io import BytesIO

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from tests.imaging.objects import uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client
from tests.imaging.video.films import CODECS, RATE, a_film, a_stream

FRAMES = 20


def path_of(content: bytes) -> str:
    study, series = uid(content, "StudyInstanceUID"), uid(content, "SeriesInstanceUID")
    return f"/studies/{study}/series/{series}/instances/{uid(content)}"


def rendered(client: Client, content: bytes, accept: str = "video/mp4") -> httpx.Response:
    """With patience: a film is made by a process that others go before."""
    address = f"{client.server.dicomweb}{path_of(content)}/rendered"
    for _ in range(4):
        answer = httpx.get(address, headers=client.headers | {"Accept": accept}, timeout=60)
        if answer.status_code != 503:
            break
    return answer


def shown(film: bytes) -> tuple[str, list[float], list[int]]:
    """The codec, when each frame is due, and how bright it is."""
    with av.open(BytesIO(film), "r") as source:
        frames = [(frame.time, frame.to_ndarray(format="gray")) for frame in source.decode(video=0)]
        codec = source.streams.video[0].codec_context.name
    times = [round(float(time or 0), 3) for time, _ in frames]
    return codec, times, [int(np.median(grey)) for _, grey in frames]


@pytest.mark.parametrize("form", sorted(CODECS))
def test_every_kind_of_film_plays_as_mp4_and_stays_as_it_was_sent(
    shared_server: Server, form: str
) -> None:
    client, content = Client.of(shared_server), a_film(form, FRAMES)
    assert client.store(content).status_code == 200
    answer = rendered(client, content, "*/*")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    codec, times, greys = shown(answer.content)
    assert codec == "h264"
    assert len(times) == FRAMES
    steps = {round(later - earlier, 2) for earlier, later in itertools.pairwise(times)}
    assert steps == {1 / RATE}
    assert greys == sorted(greys)
    assert greys[-1] - greys[0] > 100
    as_sent = client.get(path_of(content), accept='application/dicom; transfer-syntax="*"')
    assert as_sent.content == content


def test_h264_is_put_into_the_mp4_without_encoding_it_anew(shared_server: Server) -> None:
    client, content = Client.of(shared_server), a_film("h264", FRAMES)
    client.store(content)
    film = rendered(client, content).content
    sent, kept = (_pictures(each) for each in (a_stream("h264", FRAMES), film))
    assert sent == kept


def _pictures(film: bytes) -> list[int]:
    """The sizes of the coded pictures, without the first and last, to which containers add."""
    with av.open(BytesIO(film), "r") as source:
        return [packet.size for packet in source.demux(video=0) if packet.size][1:-1]


def test_a_player_gets_the_range_it_asks_for(shared_server: Server) -> None:
    client, content = Client.of(shared_server), a_film("h264", FRAMES)
    client.store(content)
    address = f"{shared_server.dicomweb}{path_of(content)}/rendered"
    headers = client.headers | {"Accept": "video/mp4"}
    whole = rendered(client, content).content
    part = httpx.get(address, headers=headers | {"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole)}"


def test_a_frame_of_a_film_is_a_still(shared_server: Server) -> None:
    client, content = Client.of(shared_server), a_film("h264", FRAMES)
    client.store(content)
    first, last = (
        client.get(f"{path_of(content)}/frames/{number}/rendered", accept="image/png").content
        for number in (1, FRAMES)
    )
    greys = [
        np.median(np.asarray(Image.open(BytesIO(each)).convert("L"))) for each in (first, last)
    ]
    assert greys[1] - greys[0] > 100
    small = client.get(f"{path_of(content)}/thumbnail", accept="image/jpeg", viewport="32,32")
    assert Image.open(BytesIO(small.content)).size == (32, 32)
    beyond = client.get(f"{path_of(content)}/frames/{FRAMES + 1}/rendered", accept="image/png")
    assert beyond.status_code == 404


def test_a_broken_film_is_refused_and_the_next_one_plays(shared_server: Server) -> None:
    client = Client.of(shared_server)
    whole = a_film("h264", FRAMES)
    at = whole.index(b"\xe0\x7f\x10\x00") + 40
    broken = whole[:at] + bytes(len(whole) - at - 8) + whole[-8:]
    assert client.store(broken).status_code == 200
    answer = rendered(client, broken)
    assert (answer.status_code, answer.json()["error"]) == (406, "rendering.undecodable")
    good = a_film("h264", 4)
    client.store(good)
    assert rendered(client, good).status_code == 200
