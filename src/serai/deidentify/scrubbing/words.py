"""Free text cleaned by what may stay, not by what must go (Clean Descriptors, PS3.15 §E.3.5).

A word stays when it is a common noun of DICOM's own coded concepts, a unit, a number of up to
three digits or a Chinese term of the list below, and does not name the patient. Everything else
goes: a doctor's name is in no dictionary.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from serai.deidentify.scrubbing.identity import Identity, folded, has_han

TOKEN: Final = re.compile(r"[\u3400-\u9fff]+|[^\W\d_]+|\d+(?:[.,]\d+)*|\S")
SCHEMES: Final = ("DCM", "SCT", "RADLEX", "LN")
SHORTEST: Final = 3
LONGEST_NUMBER: Final = 3
PLACEHOLDER: Final = "*"


@cache
def _terms() -> frozenset[str]:
    lines = (Path(__file__).parent / "terms.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if line[:1] != "#" for word in line.split())


@cache
def _han_terms() -> tuple[str, ...]:
    """The longest first."""
    return tuple(sorted((one for one in _terms() if has_han(one)), key=len, reverse=True))


@cache
def vocabulary() -> frozenset[str]:
    """Words that the meanings of coded concepts write small, so that no name is among them."""
    from pydicom.sr._concepts_dict import concepts

    found = set(_terms())
    for scheme in SCHEMES:
        for codes in concepts[scheme].values():
            for meaning, _ in codes.values():
                words = re.findall(r"[A-Za-z]+", meaning)
                found |= {one for one in words if one.islower() and len(one) >= SHORTEST}
    return frozenset(found)


def cleaned(text: str, identity: Identity) -> str:
    """The text with every run of words that may not stay replaced by one asterisk."""
    kept: list[str] = []
    for line in text.splitlines() or [""]:
        words = [_word(token, identity) for token in TOKEN.findall(line)]
        kept.append(" ".join(_without_repeats(words)))
    result = "\n".join(kept).strip()
    # Word by word nothing names the patient; together they might.
    return PLACEHOLDER if identity.is_in(result) else result


def _word(written: str, identity: Identity) -> str:
    if has_han(written):
        return _han(written, identity)
    if written[0].isdigit():
        digits = re.sub(r"\D", "", written)
        return written if len(digits) <= LONGEST_NUMBER else PLACEHOLDER
    if not written[0].isalpha():
        return written if written in "+-/&().,:;%" else PLACEHOLDER
    plain = folded(written)
    return written if plain in vocabulary() and not identity.is_in(written) else PLACEHOLDER


def _han(run: str, identity: Identity) -> str:
    """Terms of the list by longest match; what lies between them goes."""
    kept, at = "", 0
    while at < len(run):
        term = next((one for one in _han_terms() if run.startswith(one, at)), "")
        kept += term if term and not identity.is_in(term) else PLACEHOLDER
        at += len(term) or 1
    return re.sub(r"\*+", PLACEHOLDER, kept)


def _without_repeats(words: list[str]) -> list[str]:
    return [
        word
        for at, word in enumerate(words)
        if word != PLACEHOLDER or at == 0 or words[at - 1] != PLACEHOLDER
    ]
