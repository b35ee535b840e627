"""XML that came from outside: no entities, no document types, no surprises in its numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from serai.imaging.ecg.model import Samples
from serai.kernel.errors import Malformed

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LARGEST = 64 * 1024 * 1024
MOST_SAMPLES = 4_000_000


def tree(content: bytes) -> Element:
    """The root, with every name free of its namespace."""
    if len(content) > LARGEST:
        raise Malformed("ecg.too-long")
    try:
        root: Element = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise Malformed("ecg.damaged", place="XML") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def value(element: Element | None, name: str = "value") -> str:
    return (element.get(name) or "").strip() if element is not None else ""


def text(element: Element | None, path: str = "") -> str:
    found = element.find(path) if element is not None and path else element
    return (found.text or "").strip() if found is not None else ""


def number(written: str) -> float | None:
    try:
        found = float(written)
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def samples(written: str, place: str) -> Samples:
    """Numbers with blanks or commas between them, all of them whole."""
    words = written.replace(",", " ").split()
    if not 0 < len(words) <= MOST_SAMPLES:
        raise Malformed("ecg.damaged", place=place)
    try:
        found = np.array(words, np.float64)
    except ValueError as error:
        raise Malformed("ecg.damaged", place=place) from error
    if not np.isfinite(found).all() or np.abs(found).max() > 1e9:
        raise Malformed("ecg.damaged", place=place)
    return found


def moment(written: str) -> datetime | None:
    """HL7's TS: digits, perhaps a fraction, perhaps a zone."""
    digits = written[:14]
    try:
        found = datetime.strptime(f"{digits:0<14}", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    zone = _zone(written[len(digits) :])
    return found.replace(tzinfo=zone) if len(digits) >= 8 else None


def day(written: str) -> date | None:
    try:
        return datetime.strptime(written[:8], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _zone(rest: str) -> timezone:
    for sign in "+-":
        _, found, zone = rest.partition(sign)
        if found and len(zone) == 4 and zone.isdecimal() and int(zone[:2]) < 24:
            ahead = timedelta(hours=int(zone[:2]), minutes=int(zone[2:]))
            return timezone(ahead if sign == "+" else -ahead)
    return UTC
