"""The address of an ECG page: what may be asked for, and the links that change one thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from serai.imaging.ecg.model import STANDARD
from serai.imaging.ecg.sheet import FILTERS, GAINS, LAYOUTS, SECONDS, SPEEDS, Style
from serai.kernel.errors import Malformed

KNOWN = frozenset({"layout", "speed", "gain", "strip", "filter", "start", "with"})
LONGEST_S = 90_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader wants to see; `beside` is the recording to compare with."""

    style: Style
    beside: str = ""

    def address(self, path: str, **changed: object) -> str:
        """The same page with something changed; what is usual is left out."""
        style = self.style
        now: dict[str, object] = {
            "layout": style.layout,
            "speed": style.speed,
            "gain": style.gain,
            "strip": style.strip,
            "start": f"{style.start:g}",
            "filter": sorted(style.filters),
            "with": self.beside,
        }
        usual = {"layout": "3x4", "speed": 25, "gain": 10, "strip": "II", "start": "0"}
        wanted = {
            name: value
            for name, value in {**now, **changed}.items()
            if value not in ("", []) and usual.get(name) != value
        }
        return f"{path}?{urlencode(wanted, doseq=True)}" if wanted else path


@dataclass(frozen=True, slots=True)
class Choice:
    """One link of a row of choices."""

    label: str
    href: str
    current: bool
    key: str = ""


def asked(request: Request) -> Asked:
    """Refuses what it does not know: a misspelt filter must not look like none."""
    query = request.query_params
    for name in query:
        if name not in KNOWN:
            raise Malformed("ecg.unknown-parameter", parameter=name[:40])
    filters = frozenset(query.getlist("filter"))
    _require(filters <= FILTERS.keys(), "filter")
    _require(not {"mains50", "mains60"} <= filters, "filter")
    style = Style(
        layout=_one_of(query.get("layout", "3x4"), LAYOUTS, "layout"),
        speed=int(_one_of(query.get("speed", "25"), map(str, SPEEDS), "speed")),
        gain=int(_one_of(query.get("gain", "10"), map(str, GAINS), "gain")),
        strip=_one_of(query.get("strip", "II"), STANDARD, "strip"),
        filters=filters,
        start=_start(query.get("start", "0")),
    )
    return Asked(style, query.get("with", "")[:64])


def choices(now: Asked, path: str, name: str, values: Sequence[object], unit: str) -> list[Choice]:
    """A row of links for one setting."""
    current = str(getattr(now.style, name))
    return [
        Choice(f"{value}{unit}".replace("x", " × "), now.address(path, **{name: value}),
               str(value) == current)
        for value in values
    ]  # fmt: skip


def switches(now: Asked, path: str) -> list[Choice]:
    """A link for each filter, which turns it on or off; one kind of mains at a time."""
    found = []
    for name in FILTERS:
        on = name in now.style.filters
        others = {"mains50", "mains60"} if name.startswith("mains") else {name}
        filters = (now.style.filters - others) | (set() if on else {name})
        found.append(Choice(name, now.address(path, filter=sorted(filters)), on))
    return found


def later(now: Asked, path: str, seconds: float) -> tuple[str, str]:
    """The ten seconds before and behind, where there are any."""
    start = now.style.start
    before = now.address(path, start=f"{max(start - SECONDS, 0):g}") if start else ""
    behind = now.address(path, start=f"{start + SECONDS:g}") if start + SECONDS < seconds else ""
    return before, behind


def _one_of(text: str, allowed: Iterable[str], parameter: str) -> str:
    _require(text in set(allowed), parameter)
    return text


def _start(text: str) -> float:
    digits = text.partition(".")
    plain = digits[0].isascii() and digits[0].isdecimal() and (digits[2] or "0").isdecimal()
    _require(plain and len(text) < 12 and float(text) < LONGEST_S, "start")
    return float(text)


def _require(holds: bool, parameter: str) -> None:  # noqa: FBT001 - a fact, not a switch
    if not holds:
        raise Malformed("ecg.setting", parameter=parameter)
