"""From a stored frame and its header to an image file."""

from __future__ import annotations

from dataclasses import dataclass

from serai.imaging.dataset.model_json import Attributes
from serai.imaging.rendering import lookup, still
from serai.imaging.rendering.description import Description, Frame, of_metadata
from serai.imaging.rendering.native import UNDECODABLE, decode
from serai.imaging.rendering.wish import Wish
from serai.kernel.errors import Unsupported


@dataclass(frozen=True, slots=True)
class Header:
    """What drawing needs to know; `whole` when it takes more than the header's numbers."""

    described: Description
    attributes: Attributes
    transfer_syntax: str
    whole: bool


def read(metadata: bytes, transfer_syntax: str, wish: Wish) -> Header:
    described, attributes = of_metadata(metadata)
    whole = lookup.needs_table(attributes, described.photometric, wish)
    return Header(described, attributes, transfer_syntax, whole)


def of_frame(stored: bytes, header: Header, wish: Wish) -> bytes:
    """One frame as it lies in the object."""
    frame, photometric = decode(stored, header.described, header.transfer_syntax)
    try:
        return still.as_file(still.drawn(frame, photometric, header.attributes, wish), wish)
    except UNDECODABLE as error:
        raise Unsupported("rendering.undecodable") from error


def of_object(content: bytes, header: Header, wish: Wish) -> bytes:
    """A frame for which the whole object is needed: lookup tables, or frames without places."""
    if header.whole:
        return still.as_file(lookup.looked_up(content, wish), wish)
    frame, photometric = lookup.frame_of(content, wish.frame)
    return still.as_file(still.drawn(frame, photometric, header.attributes, wish), wish)


def pixels_of(stored: bytes, header: Header) -> Frame:
    """One frame before any windowing: stored values, or RGB."""
    frame, photometric = decode(stored, header.described, header.transfer_syntax)
    return still.rgb(lookup.eight_bits(frame), photometric) if frame.ndim == 3 else frame


def pixels_of_object(content: bytes, header: Header, wish: Wish) -> Frame:
    """The same where the whole object is needed."""
    if header.described.photometric == "PALETTE COLOR":
        return lookup.looked_up(content, wish)
    frame, photometric = lookup.frame_of(content, wish.frame)
    return still.rgb(lookup.eight_bits(frame), photometric) if frame.ndim == 3 else frame
