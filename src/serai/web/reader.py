"""Who reads the page being written: language, time zone and form secret, for one request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from babel import Locale

DEFAULT_LANGUAGE = "en"

# Catalogue name → the CLDR locale that dates and numbers are written in.
LOCALES = {"en": Locale("en", "GB"), "zh": Locale("zh", "CN", script="Hans")}

UTC = ZoneInfo("UTC")

# Catalogue name → the language's own name and its BCP 47 tag.
LANGUAGES = {"en": "English", "zh": "中文"}
TAGS = {"en": "en", "zh": "zh-Hans"}


@dataclass(frozen=True, slots=True)
class Reader:
    """What the words, times and forms of one page depend on."""

    language: str = DEFAULT_LANGUAGE
    zone: ZoneInfo = UTC
    csrf: str = ""

    @property
    def locale(self) -> Locale:
        return LOCALES[self.language]

    @property
    def tag(self) -> str:
        return TAGS[self.language]


_reader: ContextVar[Reader] = ContextVar("reader", default=Reader())  # noqa: B039 - frozen


def current_reader() -> Reader:
    return _reader.get()


@contextmanager
def reading_as(reader: Reader) -> Iterator[None]:
    """Write for this reader inside the block."""
    before = _reader.set(reader)
    try:
        yield
    finally:
        _reader.reset(before)
