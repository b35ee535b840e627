"""Displays as words: what a filter finds, in any script.

Words are folded (no case, no accents) and found by their beginnings. Scripts that are written
without spaces between words are kept as single characters and neighbouring pairs, so that
糖尿病 is found by 糖, by 尿病 and by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from serai.fhir.search.folding import fold
from serai.kernel.errors import TooLarge

# Han, kana, Thai, Lao, Burmese and Khmer.
_UNSPACED = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\u0e00-\u0eff\u1000-\u109f"
    "\u1780-\u17ff\U00020000-\U0003ffff]+"
)
_WORD = re.compile(r"\w+")
LONGEST_WORD = 100
LONGEST_FILTER = 500


def as_vector(texts: Iterable[str]) -> str:
    """The text form of a tsvector, without positions."""
    found = {lexeme for text in texts for lexeme in _lexemes(fold(text))}
    return " ".join(sorted(_quoted(one) for one in found))


def as_query(text: str) -> str | None:
    """The text form of a tsquery: every word, each by its beginning; None without a word."""
    if len(text) > LONGEST_FILTER:
        raise TooLarge("terminology.filter-too-long", most=LONGEST_FILTER)
    wanted = []
    for is_unspaced, run in _runs(fold(text)):
        if not is_unspaced:
            wanted.append(_quoted(run[:LONGEST_WORD]) + ":*")
        elif len(run) == 1:
            wanted.append(_quoted(run))
        else:
            wanted += [_quoted(pair) for pair in _pairs(run)]
    return " & ".join(wanted) or None


def _lexemes(folded: str) -> Iterator[str]:
    for is_unspaced, run in _runs(folded):
        if is_unspaced:
            yield from run
            yield from _pairs(run)
        else:
            yield run[:LONGEST_WORD]


def _runs(folded: str) -> Iterator[tuple[bool, str]]:
    position = 0
    for match in _UNSPACED.finditer(folded):
        yield from ((False, word) for word in _WORD.findall(folded[position : match.start()]))
        yield True, match[0]
        position = match.end()
    yield from ((False, word) for word in _WORD.findall(folded[position:]))


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
