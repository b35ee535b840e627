"""The words of a text, in every script, as PostgreSQL's tsvector and tsquery.

Scripts that put no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are cut
into overlapping pairs of characters: what is asked for is found wherever it stands, without a
dictionary. The last character of a run stands alone, so that each character begins one lexeme.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final

from serai.fhir.search.folding import fold

# PostgreSQL counts positions up to 16,383 and holds a vector of 1 MB.
MOST_LEXEMES: Final = 16_000
MOST_BYTES: Final = 400_000
LONGEST_WORD: Final = 40
# Marks on one character; more are no writing.
LONGEST_CHARACTER: Final = 8

_ASCII_WORD: Final = re.compile("[a-z0-9]+")
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u3005-\u3007\u3040-\u312f"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)

# One word, or the characters of a run without spaces, each with its marks.
Run = str | list[str]


def vector(texts: Iterable[str]) -> str:
    """A tsvector; a phrase never reaches from one text into the next."""
    positions: dict[str, list[str]] = {}
    position = size = 0
    for text in texts:
        for run in _runs(text):
            for lexeme in _lexemes(run):
                position += 1
                size += 0 if lexeme in positions else len(lexeme.encode())
                if position > MOST_LEXEMES or size > MOST_BYTES:
                    return _written(positions)
                positions.setdefault(lexeme, []).append(str(position))
        position += 1
    return _written(positions)


def phrase(text: str) -> list[str]:
    """The lexemes of a tsquery that stand next to each other in what is found."""
    runs = list(_runs(text))
    return [one for run in runs[:-1] for one in _asked(run, within=True)] + [
        one for run in runs[-1:] for one in _asked(run, within=False)
    ]


def each_word(text: str) -> list[list[str]]:
    """A phrase for each word of the text."""
    return [_asked(run, within=False) for run in _runs(text)]


def _written(positions: dict[str, list[str]]) -> str:
    """Lexemes are letters, digits and marks: nothing in them needs to be escaped."""
    return " ".join(f"'{lexeme}':{','.join(found)}" for lexeme, found in positions.items())


def _lexemes(run: Run) -> list[str]:
    if isinstance(run, str):
        return [run]
    return [*map("".join, pairwise(run)), run[-1]]


def _asked(run: Run, *, within: bool) -> list[str]:
    """The last character of a run may be followed by another, so it is asked as a beginning; at
    the end of a phrase the pair before it has said that already."""
    *pairs, last = _lexemes(run)
    if isinstance(run, str):
        return [f"'{last}'"]
    asked = [f"'{pair}'" for pair in pairs]
    return [*asked, f"'{last}':*"] if within or not asked else asked


def _runs(text: str) -> Iterator[Run]:
    folded = fold(text)
    if folded.isascii():
        yield from (word[:LONGEST_WORD] for word in _ASCII_WORD.findall(folded))
        return
    for kind, run in groupby(_characters(folded), key=itemgetter(0)):
        characters = [character for _, character in run]
        if kind == "word":
            yield "".join(characters)[:LONGEST_WORD]
        elif kind == "unspaced":
            yield characters


def _characters(text: str) -> Iterator[tuple[str, str]]:
    """Each character with its marks, and what kind it is."""
    kind = whole = ""
    for character in text:
        found = _kind(character)
        if found == "mark":
            whole = (whole + character)[:LONGEST_CHARACTER]
        elif found != "unseen":
            if kind:
                yield kind, whole
            kind, whole = found, character
    if kind:
        yield kind, whole


@lru_cache(maxsize=65536)
def _kind(character: str) -> str:
    """Of a word, of a run without spaces, a mark on the character before, invisible, or other."""
    category = unicodedata.category(character)
    if category == "Cf":
        return "unseen"
    if category[0] == "M":
        return "mark"
    if not character.isalnum():
        return "unspaced" if character in "々〆" else "other"
    return "unspaced" if _UNSPACED.match(character) else "word"
