"""One way to compare names: without case, accents, width or doubled spaces."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Latin, Greek and Cyrillic accents only. The marks of Thai, Khmer, Burmese, Lao or Japanese are
# letters to those who read them, so they stay.
ACCENTS: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
# Letters that Unicode does not take apart, but that people type without the stroke: Đặng, dang.
STROKED: Final = str.maketrans("đðøłħŧı", "ddolhti")


def fold(text: str) -> str:
    """``fold(" ĐẶNG  Văn ") == "dang van"``; both the index and a search go through here."""
    if text.isascii():
        return " ".join(text.lower().split())
    bare = ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    # Taking apart can bring capitals to light (the sign ℡ is TEL), and folding new accents.
    again = ACCENTS.sub("", unicodedata.normalize("NFKD", bare.casefold()))
    return " ".join(unicodedata.normalize("NFC", again).translate(STROKED).split())
