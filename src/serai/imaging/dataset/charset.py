"""Text decoded by Specific Character Set (PS3.3 §C.12.1.1.2); it never fails."""

from __future__ import annotations

from functools import lru_cache

ESCAPE = b"\x1b"
PERSON_NAME_DELIMITERS = {"\\", "^", "="}
TEXT_DELIMITERS = {"\\", "\n", "\r", "\t", "\f"}
DEFAULT = ("ascii",)


@lru_cache(maxsize=256)
def encodings(terms: tuple[str, ...]) -> tuple[str, ...]:
    """Python codecs of the defined terms; an unknown term counts as the default repertoire."""
    named = tuple(_codec(term) for term in terms)
    return named or DEFAULT


def decode(raw: bytes, codecs: tuple[str, ...], *, person_name: bool = False) -> str:
    """UTF-8 text of a value; bytes that fit no declared set are kept readable, not dropped."""
    if raw.isascii() and ESCAPE not in raw:
        # Also right for ISO_IR 13, whose two deviating characters are better read as typed.
        return raw.decode("ascii")
    if ESCAPE in raw:
        from pydicom.charset import decode_bytes

        delimiters = PERSON_NAME_DELIMITERS if person_name else TEXT_DELIMITERS
        return str(decode_bytes(raw, list(codecs), delimiters))
    return _decode_plain(raw, codecs)


def _decode_plain(raw: bytes, codecs: tuple[str, ...]) -> str:
    """Without escapes: the declared sets in order, for some writers leave the escapes out."""
    # Latin-1 last: it decodes anything, so that a wrongly declared name is still searchable.
    for candidate in (*codecs, "utf-8", "latin-1"):
        try:
            return raw.decode(candidate)
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 decodes every byte")


def _codec(term: str) -> str:
    from pydicom.charset import python_encoding

    # The default repertoire is ASCII, which pydicom reads as Latin-1: bytes beyond it are
    # undeclared, and UTF-8 is the better guess.
    written = term.strip().upper()
    normal = written.replace("ISO-IR", "ISO_IR").replace("ISO IR", "ISO_IR")
    codec = str(python_encoding.get(normal, "ascii"))
    return "ascii" if codec == "iso8859" else codec
