"""What betrays the patient: names, numbers and dates, looked for in text, bytes and pictures.

Collected from the object itself, from what the archive knows better, and from the patient's
record. Nothing of it is kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, pairwise
from typing import Final

from anyascii import anyascii
from pypinyin import lazy_pinyin
from rapidfuzz import fuzz

SPLIT: Final = re.compile(r"[\s^=\\,;/_·・]+")
WORD: Final = re.compile(r"[^\W_]+")
DIGITS: Final = re.compile(r"\d+")
# Shorter than this, a string stands in too many others to be looked for inside of them.
INSIDE_FROM: Final = 4
# Shorter numbers stand inside of codes and measures by chance.
INSIDE_NUMBER_FROM: Final = 6
PART_FROM: Final = 5
LONG_FROM: Final = 6
BETWEEN: Final = re.compile(r"[\W_]+")
READ_ALIKE: Final = 80
# What is written where a name or number is missing betrays nobody.
NOBODY: Final = frozenset({"", "none", "unknown", "anonymous", "anonymized", "removed", "null"})


def folded(text: str) -> str:
    """For comparison: no case, no width, no accents on Latin letters."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(one for one in plain if not unicodedata.combining(one))


def has_han(text: str) -> bool:
    return any("\u3400" <= one <= "\u9fff" for one in text)


@dataclass(slots=True)
class Collected:
    """Filled element by element, then made an `Identity`."""

    words: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)

    def name(self, text: str) -> None:
        """A PN value in all its groups, and how its Chinese characters are spoken."""
        for group in text.split("="):
            written = [part for part in SPLIT.split(folded(group)) if part]
            spoken = ["".join(lazy_pinyin(part)) for part in written if has_han(part)]
            self._parts([BETWEEN.sub("", part) for part in written])
            self._parts(spoken)
            # Of Abu-Bakr each half, too.
            halves = {half for part in written for half in WORD.findall(part) if half[2:]}
            self.words |= halves - NOBODY

    def _parts(self, parts: list[str]) -> None:
        self.words |= {part for part in parts if len(part) > 1} - NOBODY
        if len(parts) > 1:
            self.phrases |= {"".join(parts[:2]), "".join(parts[1::-1])}

    def number(self, text: str) -> None:
        """An id, an address, a telephone number: looked for as a whole."""
        plain = folded(text)
        whole = BETWEEN.sub("", plain)
        if whole in NOBODY:
            return
        # `MRN 0123456 (ward 3)` is looked for as 0123456, too.
        parts = [BETWEEN.sub("", part) for part in SPLIT.split(plain)]
        self.phrases |= {one for one in parts if len(one) >= PART_FROM and DIGITS.search(one)}
        if len(whole) >= INSIDE_FROM or has_han(whole):
            self.phrases.add(whole)
        elif len(whole) > 2:
            self.words.add(whole)

    def date(self, text: str) -> None:
        digits = "".join(DIGITS.findall(text))[:8]
        if len(digits) == 8:
            self.dates.add(digits)

    def made(self) -> Identity:
        return Identity(frozenset(self.words), frozenset(self.phrases), frozenset(self.dates))


@dataclass(frozen=True)
class Identity:
    """Words that must not stand alone, phrases that must not stand anywhere, and dates."""

    words: frozenset[str] = frozenset()
    phrases: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()

    def is_in(self, text: str) -> bool:
        """Whether a text names the patient."""
        if not text or not (self.words or self.phrases or self.dates):
            return False
        plain = folded(text)
        if self._stands_in(plain) or any(word in plain for word in self._inside):
            return True
        squeezed = BETWEEN.sub("", plain)
        return any(one in squeezed for one in self._phrases if _is_long(one))

    def stands_in(self, text: str) -> bool:
        """Whether a word of it is the patient's; what only contains one, such as PRIMARY, is
        DICOM's own."""
        return bool(text) and self._stands_in(folded(text))

    def _stands_in(self, plain: str) -> bool:
        words = WORD.findall(plain.replace("_", " "))
        pairs = (first + second for first, second in pairwise(words))
        known = self.words | self.phrases
        return any(one in known for one in chain(words, pairs)) or self._has_date(plain)

    @cached_property
    def _inside(self) -> list[str]:
        return [
            word
            for word in self.words
            if has_han(word) or (len(word) >= INSIDE_FROM and not word.isdigit())
        ]

    @cached_property
    def _phrases(self) -> list[str]:
        return [one for one in self.phrases if _tells_inside(one)]

    def _has_date(self, plain: str) -> bool:
        digits = "".join(DIGITS.findall(plain))
        return any(form in digits for day in self.dates for form in _orders(day))

    @cached_property
    def _encoded(self) -> list[bytes]:
        """As bytes of the character sets that values without one are written in."""
        long = [
            one
            for one in self.words | self.phrases
            if has_han(one) or (len(one) >= INSIDE_FROM and _tells_inside(one))
        ]
        return [
            bytes_of
            for one in [*long, *self.dates]
            for codec in ("utf-8", "gb18030", "utf-16-le")
            if len(bytes_of := one.encode(codec)) >= INSIDE_FROM
        ]

    def is_in_bytes(self, value: bytes) -> bool:
        lowered = value.lower()
        return any(one in lowered for one in self._encoded)

    def is_read_in(self, text: str) -> bool:
        """Whether what was read from a picture may name the patient; readers mistake letters."""
        if self.is_in(text):
            return True
        squeezed = BETWEEN.sub("", folded(text))
        if any(phrase in squeezed for phrase in self._phrases):
            return True
        plain = anyascii(squeezed).lower().replace(" ", "")
        return any(_alike(one, plain) for one in self.words | self.phrases)


def _tells_inside(phrase: str) -> bool:
    return not phrase.isdigit() or len(phrase) >= INSIDE_NUMBER_FROM


def _is_long(phrase: str) -> bool:
    """A short name, such as Li Na, stands in LINAC by chance."""
    return len(phrase) >= LONG_FROM or has_han(phrase) or not phrase.isalpha()


def _alike(one: str, plain: str) -> bool:
    wanted = anyascii(one).lower().replace(" ", "")
    if len(wanted) < INSIDE_FROM or len(plain) < len(wanted) - 1:
        return False
    return fuzz.partial_ratio(wanted, plain) >= READ_ALIKE


def _orders(day: str) -> Iterable[str]:
    year, month, of_month = day[:4], day[4:6], day[6:]
    return (day, of_month + month + year, month + of_month + year)
