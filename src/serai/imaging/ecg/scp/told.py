"""The words of a record: patient and device, measurements, statements (EN 1064 §5.4, 5.10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone

from serai.imaging.ecg.model import Device, Interval, Subject
from serai.imaging.ecg.scp.sections import Reader

# Tags of section 1.
LAST_NAME, FIRST_NAME, PATIENT_ID, BORN, SEX = 0, 1, 2, 5, 8
DEVICE, INSTITUTION, DAY, CLOCK, ZONE = 14, 16, 25, 26, 34
END = 255
SEXES = {1: "M", 2: "F", 9: "O"}
# The language support code of the device (section 1, tag 14, byte 17), its lowest bits a class.
ALPHABETS = {
    0x01: "iso8859-1", 0x03: "iso8859-2", 0x0B: "iso8859-4", 0x13: "iso8859-5",
    0x1B: "iso8859-6", 0x23: "iso8859-7", 0x2B: "iso8859-8", 0x33: "iso8859-11",
    0x3B: "iso8859-15", 0x07: "utf-16-le", 0x27: "gb2312", 0x2F: "euc_kr",
}  # fmt: skip
LANGUAGE_AT = 16
# From here on a number means that nothing was measured (§5.10.2).
NOT_MEASURED = 29_000

Tags = Mapping[int, bytes]


def tags(section: bytes | None) -> Tags:
    found: dict[int, bytes] = {}
    reader = Reader(section or b"", "section 1")
    while reader.left:
        tag = reader.number("B")
        if tag == END:
            break
        found.setdefault(tag, reader.take(reader.number("H")))
    return found


def alphabet(of: Tags) -> str:
    machine = of.get(DEVICE, b"")
    code = machine[LANGUAGE_AT] if len(machine) > LANGUAGE_AT else 0
    return ALPHABETS.get(code, "latin-1")


def subject(of: Tags) -> Subject:
    encoding = alphabet(of)
    sex = of.get(SEX, b"")
    return Subject(
        id=_words(of.get(PATIENT_ID, b""), encoding),
        family=_words(of.get(LAST_NAME, b""), encoding),
        given=_words(of.get(FIRST_NAME, b""), encoding),
        birth_date=_day(of.get(BORN, b"")),
        sex=SEXES.get(sex[0], "") if sex else "",
    )


def device(of: Tags) -> Device:
    machine = of.get(DEVICE, b"")
    return Device(
        model=_words(machine[8:14], "latin-1"),
        institution=_words(of.get(INSTITUTION, b""), alphabet(of)),
    )


def at(of: Tags) -> datetime | None:
    day, clock = _day(of.get(DAY, b"")), of.get(CLOCK, b"")
    if day is None:
        return None
    hour, minute, second = clock[:3] if len(clock) >= 3 else (0, 0, 0)
    zone = of.get(ZONE, b"")
    minutes = int.from_bytes(zone[:2], "little", signed=True) if len(zone) >= 2 else 0
    known = abs(minutes) < 24 * 60
    try:
        placed = timezone(timedelta(minutes=minutes)) if known and minutes else UTC
        return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=placed)
    except ValueError:
        return None


def intervals(section: bytes | None) -> Mapping[Interval, float]:
    """Section 7: of the first reference beat, or of the first beat when there is none."""
    if section is None:
        return {}
    reader = Reader(section, "section 7")
    count, _, rr, _ = reader.numbers("BBHH")
    found = {Interval.RR: float(rr)} if 0 < rr < NOT_MEASURED else {}
    if not count:
        return found
    *places, p_axis, qrs_axis, t_axis = reader.numbers("HHHHHhhh")
    p_begin, p_end, qrs_begin, qrs_end, t_end = places
    for name, begin, end in (
        (Interval.P, p_begin, p_end),
        (Interval.PR, p_begin, qrs_begin),
        (Interval.QRS, qrs_begin, qrs_end),
        (Interval.QT, qrs_begin, t_end),
    ):
        if begin < end < NOT_MEASURED:
            found[name] = float(end - begin)
    axes = {Interval.P_AXIS: p_axis, Interval.QRS_AXIS: qrs_axis, Interval.T_AXIS: t_axis}
    found |= {name: float(angle) for name, angle in axes.items() if -180 <= angle <= 180}
    return found


def statements(section: bytes | None, encoding: str) -> Iterator[str]:
    """Section 8: the device's, or a doctor's, words, as the record has them."""
    if section is None:
        return
    reader = Reader(section, "section 8")
    reader.take(8)
    for _ in range(reader.number("B")):
        reader.number("B")
        text = _words(reader.take(reader.number("H")), encoding)
        if text:
            yield text


def _words(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.split("\0", 1)[0].strip() if encoding != "utf-16-le" else text.strip("\0 ")


def _day(data: bytes) -> date | None:
    if len(data) < 4:
        return None
    try:
        return date(int.from_bytes(data[:2], "little"), data[2], data[3])
    except ValueError:
        return None
