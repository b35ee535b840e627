"""Content negotiation (RFC 9110 §12.5.1) with the parameters DICOM adds (PS3.18 §8.7)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

PARAMETER = re.compile(r';\s*([\w!#$&^.+-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;,"\s]*)')
RANGE = re.compile(
    r'\s*([^;,"\s]+)((?:\s*;\s*[\w!#$&^.+-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^;,"\s]*))*)\s*,?'
)
MULTIPART = "multipart/related"
ANY = "*/*"


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One acceptable form. For multipart/related `type` is what the parts shall be."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def multipart(self) -> bool:
        return self.name in (MULTIPART, "multipart/*")

    @property
    def type(self) -> str:
        return self.parameters.get("type", ANY).lower() if self.multipart else self.name

    @property
    def transfer_syntax(self) -> str | None:
        return self.parameters.get("transfer-syntax")

    def covers(self, media_type: str) -> bool:
        main = self.type.partition("/")[0]
        return (
            self.type in (ANY, media_type)
            or self.type == f"{media_type.partition('/')[0]}/*"
            or (main == "*")
        )


def acceptable(request: Request) -> list[MediaRange]:
    """What the client accepts, dearest first; the `accept` query parameter counts as well."""
    header = ",".join((*request.query_params.getlist("accept"), request.headers.get("accept", "")))
    ranges = [each for each in media_ranges(header) if _quality(each) > 0]
    return sorted(ranges, key=lambda each: -_quality(each)) or [MediaRange(ANY)]


def media_ranges(header: str) -> Iterator[MediaRange]:
    """The ranges of an Accept header in the order written."""
    for found in RANGE.finditer(header):
        yield MediaRange(found[1].lower(), parameters(found[2]))


def parameters(text: str) -> dict[str, str]:
    """`;name=value` pairs of a media type; names lower case, quotes taken off."""
    return {
        name.lower(): value[1:-1].replace('\\"', '"') if value.startswith('"') else value
        for name, value in PARAMETER.findall(text)
    }


def first_covering(
    ranges: Sequence[MediaRange], *media_types: str
) -> tuple[MediaRange, str] | None:
    """The dearest range that covers one of our media types, and that type."""
    for each in ranges:
        for media_type in media_types:
            if each.covers(media_type):
                return each, media_type
    return None


def _quality(media_range: MediaRange) -> float:
    try:
        return float(media_range.parameters.get("q", "1"))
    except ValueError:
        return 0.0
