"""Names in Thai, Lao, Khmer and Burmese against what their owners write in Latin letters.

Letter by letter สมชาย becomes smchay, and its owner writes Somchai: vowels are not written where
they are spoken, and final consonants sound alike. What both keep is the row of consonants.
"""

from __future__ import annotations

import json
import re
from typing import Final

from serai.fhir.body import Data

_SCRIPTS: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
# By how they are confused: ท is th, t or d; Burmese သ is th or s; a final ร or ล sounds n.
_CLASSES: Final = str.maketrans(
    {**dict.fromkeys("bpfv", "p"), **dict.fromkeys("dtsz", "t"), **dict.fromkeys("lrn", "n"),
     **dict.fromkeys("kgqx", "k"), **dict.fromkeys("aeiouhwy", "")}
)  # fmt: skip


def is_written_so(patient: Data) -> bool:
    return bool(_SCRIPTS.search(json.dumps(patient.get("name"), ensure_ascii=False)))


def consonants(romanised: str) -> str:
    """Classes of consonants in a row, the same one not twice."""
    plain = romanised.replace("ng", "n").replace("ch", "c").replace("j", "c")
    return re.sub(r"(.)\1+", r"\1", plain.translate(_CLASSES))
