"""Passwords that everybody knows, looked up without a network (NIST SP 800-63B-4 §3.1.1.2).

`common-passwords.bin` holds the first five bytes of the SHA-256 of each, sorted; of 50,000
entries that takes one password in 20 million for another. `tools/common_passwords.py` made it
from the list of npm's @zxcvbn-ts/language-common 4.1.3 (MIT licence).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "common-passwords.bin"
WIDTH = 5
# Shorter words are found inside many a good passphrase.
SHORTEST_CORE = 4

# The usual ways of making a word look like a password.
PLAIN = str.maketrans("@4310$5!7", "aaeiossit")


def is_common(password: str) -> bool:
    """Whether it is on the list, or a listed word dressed up with digits, signs or repetition."""
    return any(_listed(form) for form in _forms(password.casefold()))


def digest(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()[:WIDTH]


def _forms(password: str) -> set[str]:
    forms = {password, password.translate(PLAIN)}
    forms |= {form.strip("".join(set(form) - set(_letters(form)))) for form in forms}
    forms |= {_once(form) for form in forms}
    return {form for form in forms if len(form) >= SHORTEST_CORE}


def _letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isalpha())


def _once(text: str) -> str:
    """`abcabcabc` is `abc`."""
    period = (text + text).find(text, 1)
    return text[:period] if text else text


def _listed(password: str) -> bool:
    wanted = digest(password)
    table = _table()
    at = bisect_left(range(len(table) // WIDTH), wanted, key=lambda n: _entry(table, n))
    return _entry(table, at) == wanted


def _entry(table: bytes, number: int) -> bytes:
    return table[number * WIDTH : (number + 1) * WIDTH]


@cache
def _table() -> bytes:
    return FILE.read_bytes()
