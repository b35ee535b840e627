"""Which orders can answer a worklist query, found by index before each is looked at (PS3.4 §K).

Wider than the query, never narrower: what is found is still matched key by key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from serai.imaging.archive.imaging_study import DICOM_UID
from serai.imaging.archive.index import as_date
from serai.imaging.dataset.model_json import Attributes
from serai.imaging.dimse.identifiers import UNIVERSAL, key_text

Params = tuple[tuple[str, str], ...]

AE_TITLE: Final = "https://serai.health/fhir/NamingSystem/ae-title"
SHORT: Final = 16
STEP_SEQUENCE: Final = "00400100"
# UIDs of our own are made of an order's id, which they do not show.
MADE: Final = "2.25."
# A date is one of the clock where it was written; an index knows moments.
ZONES: Final = timedelta(days=1)
PATTERN: Final = re.compile(r"[*?\\]")
MEANT_OTHERWISE: Final = re.compile(r"([\\,$|])")


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Orders that fulfil `always`, are of `patient`, and come by one of the ways: `orders` are
    searches for orders, `visits` for the appointments based on them. Without any way or condition
    it is every order."""

    always: Params = ()
    patient: str = ""
    orders: tuple[Params, ...] = ()
    visits: tuple[Params, ...] = ()

    @property
    def is_everything(self) -> bool:
        return not (self.always or self.patient or self.orders)


EVERYTHING: Final = Narrowing()


def of_query(keys: Attributes) -> Narrowing:
    """The most selective of what the keys say."""
    items = keys.get(STEP_SEQUENCE, {}).get("Value") or [{}]
    always, patient = tuple(_identifying(keys)), _exact(keys, "00100020")
    if always or patient:
        return Narrowing(always, patient, orders=((),))
    days = _days(key_text(items[0].get("00400002", {"vr": "DA"})))
    if days:
        by = (_between("occurrence", days), _between("authored", days))
        return Narrowing(orders=by, visits=(_between("date", days),))
    station = _exact(items[0], "00400001")
    if station:
        named = f"{AE_TITLE}|{token(station)}"
        return Narrowing(
            orders=((("performer:identifier", named),),), visits=((("actor:identifier", named),),)
        )
    return EVERYTHING


def token(value: str) -> str:
    """A code as a FHIR search takes it (R4 §3.1.1.4.0.2)."""
    return MEANT_OTHERWISE.sub(r"\\\1", value)


def _identifying(keys: Attributes) -> Params:
    accession, study = _exact(keys, "00080050"), _exact(keys, "0020000D")
    # One of full length may be the beginning of a longer one.
    by_accession = (("identifier", token(accession)),) if 0 < len(accession) < SHORT else ()
    stated = study and not study.startswith(MADE)
    by_study = (("identifier", f"{DICOM_UID}|urn:oid:{token(study)}"),) if stated else ()
    return (*by_accession, *by_study)


def _exact(keys: Attributes, tag: str) -> str:
    value = key_text(keys.get(tag, {"vr": "LO"})).strip()
    return "" if value in UNIVERSAL or PATTERN.search(value) else value


def _days(text: str) -> tuple[date | None, date | None] | None:
    """A day or a range of days; what is neither narrows nothing and is refused in matching."""
    low, dash, high = text.strip().partition("-")
    first, last = as_date(low), as_date(high if dash else low)
    wrong = (low and first is None) or (high and last is None)
    return None if wrong or not (first or last) else (first, last)


def _between(parameter: str, days: tuple[date | None, date | None]) -> Params:
    first, last = days
    low = ((parameter, f"ge{(first - ZONES).isoformat()}"),) if first else ()
    high = ((parameter, f"le{(last + ZONES).isoformat()}"),) if last else ()
    return (*low, *high)
