"""Run as a process of its own: an MP4 or a still from a stream that a stranger sent.

`python -m serai.imaging.video.making film STREAM TARGET FRAMES-PER-SECOND`
`python -m serai.imaging.video.making still STREAM TARGET FRAME`

H.264 that browsers play goes into the MP4 as it is; anything else is encoded anew. The process
bounds its memory, time and output itself, so that a broken or hostile stream ends it and nothing
else.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
from PIL import Image

MEMORY = 3 * 1024**3
CPU_SECONDS = 3600
LARGEST_FILE = 8 * 1024**3
# What every browser that plays H.264 plays.
PLAYED = frozenset({"yuv420p", "yuvj420p"})
TICKS = 90_000
QUALITY = {"preset": "veryfast", "crf": "20"}
UNUSABLE = 3


def main(arguments: Sequence[str]) -> int:
    kind, stream, target, number = arguments
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
    ):
        resource.setrlimit(limit, (most, most))
    try:
        if kind == "film":
            film(stream, target, Fraction(number).limit_denominator(1001))
        else:
            still(stream, target, int(number))
    except (av.FFmpegError, ValueError, IndexError, EOFError) as error:
        print(type(error).__name__, file=sys.stderr)  # noqa: T201 - a process answers so
        return UNUSABLE
    return 0


def film(stream: str, target: str, rate: Fraction) -> None:
    """`rate` counts where the stream itself has no times."""
    with av.open(stream) as source:
        video = source.streams.video[0]
        context = video.codec_context
        as_it_is = context.name == "h264" and context.pix_fmt in PLAYED
    write = _remuxed if as_it_is else _encoded
    with av.open(target, "w", format="mp4", options={"movflags": "+faststart"}) as written:
        write(stream, written, rate)


def still(stream: str, target: str, number: int) -> None:
    """One frame counted from 0, as JPEG."""
    with av.open(stream) as source:
        for index, frame in enumerate(source.decode(video=0)):
            if index == number:
                Image.fromarray(frame.to_ndarray(format="rgb24")).save(target, "JPEG", quality=90)
                return
    raise IndexError(number)


def _remuxed(stream: str, written: Any, rate: Fraction) -> None:
    packets = _timed if _untimed(stream) else _as_timed
    with av.open(stream) as source:
        video = source.streams.video[0]
        target = written.add_stream_from_template(video)
        for packet in packets(stream, source, rate):
            packet.stream = target
            written.mux(packet)


def _untimed(stream: str) -> bool:
    """An elementary stream: nobody says when its pictures are due."""
    with av.open(stream) as source:
        return source.format.name in ("h264", "hevc", "mpegvideo", "m4v")


def _as_timed(_stream: str, source: Any, _rate: Fraction) -> Iterator[Any]:
    for packet in source.demux(video=0):
        if packet.dts is not None:
            yield packet


def _timed(stream: str, source: Any, rate: Fraction) -> Iterator[Any]:
    """Pictures in their order of decoding, each due at its place in the order of display."""
    places = _places(stream)
    # None may be due before it is decoded.
    delay = max((index - place for index, place in enumerate(places)), default=0)
    tick = Fraction(TICKS) / rate
    packets = (packet for packet in source.demux(video=0) if packet.size)
    for index, (packet, place) in enumerate(zip(packets, places, strict=False)):
        packet.time_base = Fraction(1, TICKS)
        packet.dts = round(index * tick)
        packet.pts = round((place + delay) * tick)
        packet.duration = round(tick)
        yield packet


def _places(stream: str) -> list[int]:
    """For each coded picture, which one it is on the screen."""
    with av.open(stream) as source:
        video = source.streams.video[0]
        context: Any = av.CodecContext.create(video.codec_context.name, "r")
        context.extradata = video.codec_context.extradata
        shown: list[int] = []
        count = 0
        for packet in source.demux(video=0):
            if not packet.size:
                continue
            packet.pts = packet.dts = count
            count += 1
            shown += [int(frame.pts) for frame in context.decode(packet)]
        shown += [int(frame.pts) for frame in context.decode(None)]
    place = {coded: at for at, coded in enumerate(shown)}
    return [place.get(coded, coded) for coded in range(count)]


def _encoded(stream: str, written: Any, rate: Fraction) -> None:
    with av.open(stream) as source:
        video = source.streams.video[0]
        video.thread_type = "AUTO"
        untimed = source.format.name in ("h264", "hevc", "mpegvideo", "m4v")
        paced = rate if untimed else Fraction(video.average_rate or rate)
        target = written.add_stream("libx264", rate=paced, options=QUALITY)
        # Chroma of half the size needs even sides.
        target.width, target.height = video.width & ~1, video.height & ~1
        target.pix_fmt = "yuv420p"
        for index, frame in enumerate(source.decode(video)):
            picture = frame.reformat(target.width, target.height, "yuv420p")
            picture.pts, picture.time_base = index, 1 / paced
            for packet in target.encode(picture):
                written.mux(packet)
        for packet in target.encode(None):
            written.mux(packet)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
