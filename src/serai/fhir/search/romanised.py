"""Names of every script in plain Latin letters, so that 王小明, Wang Xiaoming and Wáng Xiǎomíng
meet: Chinese by pinyin without tones, every other script by anyascii."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from anyascii import anyascii

from serai.fhir.body import Data
from serai.fhir.search.folding import fold
from serai.fhir.search.keys import key

# A key of the index that no client can ask for: no search parameter is called so.
PARAM: Final = "-romanised"
MOST_NAMES: Final = 20
_HAN: Final = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_NOT_A_LETTER: Final = re.compile("[^a-z ]+")


@lru_cache(maxsize=4096)
def romanised(text: str) -> str:
    """``romanised("王小明") == "wangxiaoming"``; spaces stay between words."""
    latin = "".join(_pinyin().lazy_pinyin(text)) if _HAN.search(text) else text
    # lü is written lu, lv and lyu.
    plain = anyascii(fold(latin)).lower().replace("lv", "lu").replace("nv", "nu")
    return " ".join(_NOT_A_LETTER.sub("", plain.replace("-", " ")).split())


@lru_cache(maxsize=1)
def _pinyin() -> Any:
    """Loaded with the first Chinese name; without phrases, of which names are none, and without
    a second copy of its table it takes a tenth of the memory."""
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    os.environ.setdefault("PYPINYIN_NO_DICT_COPY", "true")
    return import_module("pypinyin")


def people(resource: Data) -> list[tuple[str, str]]:
    """Family and given name of each name of a Patient, romanised, without spaces."""
    found = []
    for name in (resource.get("name") or [])[:MOST_NAMES]:
        family, given = str(name.get("family") or ""), _joined(name.get("given"))
        if not family and not given:
            # A name written as one text: Chinese has the family name first.
            text = str(name.get("text") or "")
            family, given = (text[:1], text[1:]) if _HAN.match(text) else _split(text)
        found.append((_solid(family), _solid(given)))
    return [one for one in dict.fromkeys(found) if any(one)]


def keys_of(resource: Data) -> set[int]:
    """Index keys of a Patient's names, whichever way round they are written."""
    return {key("code", "Patient", PARAM, "|".join(sorted(one))) for one in people(resource)}


def _joined(given: Any) -> str:
    return " ".join(str(one) for one in given if one) if isinstance(given, list) else ""


def _split(text: str) -> tuple[str, str]:
    first, _, last = text.rpartition(" ")
    return last, first


def _solid(text: str) -> str:
    return romanised(text).replace(" ", "")
