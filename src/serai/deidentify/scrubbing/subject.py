"""One patient in one project: the pseudonym, the UIDs and the shift of dates, all by one key.

The key never leaves the server. With it the same patient is the same subject in every run of a
project, and another one in any other project; without it nothing leads back (PS3.15 §E.1.1).
"""

from __future__ import annotations

import base64
import hmac
import uuid
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pydicom.uid import UID_dictionary

KEY_BYTES: Final = 32
# Weeks keep the day of the week; ten years are more than any follow-up gives away.
MOST_WEEKS: Final = 520


@dataclass(frozen=True, slots=True)
class Subject:
    """`pseudonym` is what the project calls the patient."""

    key: bytes
    pseudonym: str

    @property
    def shift_days(self) -> int:
        """By how much every date of this patient is moved back; the same in all studies."""
        drawn = int.from_bytes(_mac(self.key, "shift", self.pseudonym)[:4], "big")
        return -7 * (1 + drawn % MOST_WEEKS)

    def uid(self, original: str) -> str:
        """The UID in its place; what DICOM itself has registered stays."""
        if original in UID_dictionary or not original:
            return original
        return new_uid(self.key, original)


def new_uid(key: bytes, original: str) -> str:
    """The same UID for the same UID, in every study of a project (PS3.5 §B.2)."""
    drawn = _mac(key, "uid", original)[:16]
    return f"2.25.{uuid.UUID(bytes=drawn, version=4).int}"


def new_pseudonym(key: bytes, known_as: str) -> str:
    """Ten letters and digits that nobody can count back without the key."""
    return "S" + base64.b32encode(_mac(key, "subject", known_as))[:10].decode()


def _mac(key: bytes, purpose: str, text: str) -> bytes:
    return hmac.new(key, f"{purpose}\0{text}".encode(), sha256).digest()
