"""One search parameter as it was asked for, and how its value is taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from serai.fhir.definitions import SearchParameter
from serai.kernel.errors import Malformed


class NotHonoured(Malformed):
    """A parameter or modifier this server does not offer; lenient clients may go on without."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One parameter as it was asked for."""

    type: str
    parameter: SearchParameter
    modifier: str
    value: str
    now: datetime
    base: str

    @property
    def code(self) -> str:
        return self.parameter.code

    @property
    def name(self) -> str:
        return f"{self.code}:{self.modifier}" if self.modifier else self.code

    def alternatives(self) -> list[str]:
        """The values between unescaped commas, escapes kept."""
        return list(split(self.value, ","))


def split(text: str, separator: str) -> Iterator[str]:
    """Parts between separators that no backslash escapes (R4 §3.1.1.4.0.1)."""
    part: list[str] = []
    characters = iter(text)
    for character in characters:
        if character == separator:
            yield "".join(part)
            part.clear()
            continue
        part.append(character)
        if character == "\\":
            part.append(next(characters, ""))
    yield "".join(part)


def unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def parts(value: str) -> list[str]:
    """What stands between unescaped bars, escapes resolved."""
    return [unescape(part) for part in split(value, "|")]
