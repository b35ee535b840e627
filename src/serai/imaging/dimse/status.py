"""C-STORE statuses (PS3.4 §B.2.3, PS3.7 §9.1.1.1.9) for what became of an object."""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from serai.imaging import reasons
from serai.kernel.errors import SeraiError

SUCCESS: Final = 0x0000


def success() -> Dataset:
    answer = Dataset()
    answer.Status = SUCCESS
    return answer


def refused(error: SeraiError) -> Dataset:
    """The failure status, with a comment for the log of whoever sent the object."""
    code, comment = reasons.failure(error)
    answer = Dataset()
    answer.Status = code
    answer.ErrorComment = comment
    return answer
