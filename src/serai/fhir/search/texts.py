"""`_text` and `_content` (R4 §3.1.1.4): what of a resource is searched, and how a query reads.

Words are all looked for, in any order; quotes make a phrase, and a comma separates alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Final

from serai.fhir.search.asking import Asked, NotHonoured
from serai.fhir.search.query import Words
from serai.fhir.search.words import each_word, phrase, vector
from serai.kernel.errors import Malformed

# By parameter, the column of fhir_text.
COLUMNS: Final = {"_text": "narrative", "_content": "content"}
# Each word of a query costs a walk of the index.
MOST_WORDS: Final = 100

_COMMENT: Final = re.compile("<!--.*?-->", re.DOTALL)
_TAG: Final = re.compile("""</?\\s*([\\w:-]+)(?:"[^"]*"|'[^']*'|[^>"'])*>""")
# These stand inside of words; any other tag separates.
_INLINE: Final = frozenset(
    {"a", "abbr", "acronym", "b", "bdo", "big", "cite", "code", "dfn", "em", "font", "i", "kbd",
     "q", "s", "samp", "small", "span", "strong", "sub", "sup", "tt", "u", "var"}
)  # fmt: skip
_PIECE: Final = re.compile(
    r'"(?P<phrase>(?:\\.|[^"\\])*)"?|(?P<comma>,)|(?P<word>(?:\\.|[^",\\])+)|\\'
)


def vectors(resource: dict[str, object]) -> tuple[str, str]:
    """The vectors of the narrative, and of everything that is written in the resource."""
    text = resource.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    narrative = [_plain(div)] if isinstance(div, str) else []
    return vector(narrative), vector([*_strings(resource), *narrative])


def _plain(div: str) -> str:
    def between(tag: re.Match[str]) -> str:
        return "" if tag[1].lower() in _INLINE else " "

    return unescape(_TAG.sub(between, _COMMENT.sub("", div)))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        is_encoded = "contentType" in value or "sigFormat" in value
        for name, child in value.items():
            if name != "div" and not (name == "data" and is_encoded):
                yield from _strings(child)


def words(asked: Asked) -> Words:
    """The condition as a tsquery."""
    if asked.modifier:
        raise NotHonoured("search.modifier", parameter=asked.name)
    alternatives: list[list[list[str]]] = [[]]
    for piece in _PIECE.finditer(asked.value):
        if piece["comma"]:
            alternatives.append([])
        elif piece["phrase"]:
            alternatives[-1].append(phrase(_bare(piece["phrase"])))
        elif piece["word"]:
            alternatives[-1].extend(each_word(_bare(piece["word"])))
    found = [[one for one in alternative if one] for alternative in alternatives]
    if not all(found):
        raise Malformed("search.words", parameter=asked.name)
    if sum(len(one) for alternative in found for one in alternative) > MOST_WORDS:
        raise Malformed("search.too-many-values", parameter=asked.name, most=MOST_WORDS)
    return Words(COLUMNS[asked.code], " | ".join(_all(alternative) for alternative in found))


def _bare(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _all(phrases: list[list[str]]) -> str:
    return "(" + " & ".join(f"({' <-> '.join(one)})" for one in phrases) + ")"
