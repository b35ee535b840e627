"""What each service requires of a workitem's attributes (PS3.4 Table CC.2.5-3), as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SOP_CLASS: Final = "1.2.840.10008.5.1.4.34.6.1"
SPECIFIC_CHARACTER_SET: Final = "00080005"
SOP_CLASS_UID: Final = "00080016"
SOP_INSTANCE_UID: Final = "00080018"
AFFECTED_SOP_INSTANCE_UID: Final = "00001000"
TIMEZONE_OFFSET: Final = "00080201"
TRANSACTION_UID: Final = "00081195"
PATIENT_NAME: Final = "00100010"
PATIENT_ID: Final = "00100020"
START: Final = "00404005"
EXPIRATION: Final = "00404008"
MODIFIED: Final = "00404010"
EXPECTED_COMPLETION: Final = "00404011"
STATION_NAMES: Final = "00404025"
OUTPUT: Final = "00404033"
HUMAN_PERFORMERS: Final = "00404034"
READINESS: Final = "00404041"
CANCELED_AT: Final = "00404052"
STATE: Final = "00741000"
PROGRESS: Final = "00741002"
CONTACT_URI: Final = "0074100A"
CONTACT_NAME: Final = "0074100C"
DISCONTINUATION: Final = "0074100E"
PRIORITY: Final = "00741200"
WORKLIST_LABEL: Final = "00741202"
PERFORMED: Final = "00741216"
CANCEL_REASON: Final = "00741238"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. N-CREATE: 1 with a value, 2 there, 3 optional, E empty. N-SET: 1 with a value,
    3 any, N not allowed. Return key: 1 and 2 always, 3 when asked for."""

    create: str
    set: str
    returned: str


def _rules(text: str) -> dict[str, Rule]:
    rows = (line.split() for line in text.strip().splitlines())
    return {tag: Rule(create, change, returned) for tag, create, change, returned in rows}


# Conditional types (1C, 2C) are optional here: whether the condition holds only the sender knows.
RULES: Final = _rules("""
00080005 3 3 1
00741200 1 1 1
00741204 1 1 1
00741202 2 1 1
00741210 2 3 2
00404025 2 3 2
00404026 2 3 2
00404027 2 3 2
00404034 3 3 2
00404005 1 1 1
00404010 3 3 3
00404011 3 1 3
00404008 3 3 3
00404018 2 1 2
00400400 2 1 3
00404041 1 1 1
00404021 2 3 2
0020000D 3 3 2
00404070 3 3 3
00100010 2 N 2
00100020 3 N 2
00100021 2 N 2
00100024 2 N 2
00101002 2 3 2
00100030 2 N 2
00100040 2 N 2
00101100 3 3 3
00380010 2 N 2
00380014 2 N 2
00081080 2 N 2
00081084 2 N 2
0040A370 2 N 2
00741224 3 N 3
00102000 3 3 2
001021C0 3 3 2
00380050 3 3 2
00741000 1 N 1
00741002 E 3 2
00741216 E 3 3
00080016 3 N 1
00080018 3 N 1
""")

# Of each item of a sequence: what must have a value, and what must be there.
ITEM_RULES: Final[dict[str, tuple[str, str]]] = {
    "00404034": ("00404009 00404036 00404037", ""),
    "00404021": ("0040E020 00081199", ""),
    "00404033": ("0040E020 00081199", ""),
    "00081199": ("00081150 00081155", ""),
    "00101002": ("00100020", ""),
    "0040A370": (
        "0020000D",
        "00080050 00080051 00400026 00400027 00401001 00321060 00321064",
    ),
    "00741008": ("0074100A", ""),
    "00741210": ("0040A040 0040A043", ""),
    "00741224": ("00081150 00081155", ""),
}
CODE_MEANING: Final = "00080104"
CODING_SCHEME: Final = "00080102"
# Code Value, Long Code Value, URN Code Value.
CODES: Final = ("00080100", "00080119", "00080120")
URN_CODE: Final = "00080120"

ENUMERATED: Final = {
    PRIORITY: ("HIGH", "MEDIUM", "LOW"),
    READINESS: ("INCOMPLETE", "UNAVAILABLE", "READY"),
}
# Final State (§CC.2.5.1.1). R is met by what N-CREATE requires and N-SET cannot empty; of an item
# of the performed procedure these need a value before COMPLETED, and the output must be there.
PERFORMED_VALUES: Final = ("00404028", "00404050", "00404019", "00404051")
PERFORMED_THERE: Final = (OUTPUT,)
# Discontinued for unspecified reason: what this server gives as the reason where nobody gave one.
UNSPECIFIED_REASON: Final = ("110513", "DCM", "Discontinued for unspecified reason")
