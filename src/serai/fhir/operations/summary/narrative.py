"""Generated XHTML of a section (R4 §2.4.0): what each resource says, when, and its value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any, Final

from serai.fhir.body import Data

XHTML: Final = "http://www.w3.org/1999/xhtml"
NOTHING: Final = {"en": "No information available.", "zh": "没有可用的信息。"}
CUT: Final = {
    "en": "Only the {shown} newest of {count} are shown.",
    "zh": "共 {count} 条，仅显示最新的 {shown} 条。",
}
HEADINGS: Final = {"en": ("What", "When", "Value"), "zh": ("内容", "时间", "数值")}
SUBJECTS: Final = ("code", "vaccineCode", "medicationCodeableConcept", "category", "scope")
DATES: Final = re.compile(
    r"(effective|onset|occurrence|performed|recorded|authored|date|issued|period|dateAsserted)"
    r"(DateTime|Date|On|Period|Age|String)?"
)
# XML has no place for these, not even escaped.
UNSPEAKABLE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def div(
    resources: Iterable[Data], pointed: dict[str, Data], language: str, *, count: int = 0
) -> Data:
    """The narrative of one section; `pointed` are the resources its rows may point to, and
    `count` is how many there would be."""
    rows = [(subject(one, pointed), when(one), value(one)) for one in resources]
    inside = _table(rows, language) if rows else f"<p>{NOTHING[language]}</p>"
    if count > len(rows):
        inside += f"<p>{CUT[language].format(shown=len(rows), count=count)}</p>"
    opening = f'<div xmlns="{XHTML}" lang="{language}" xml:lang="{language}">'
    return {"status": "generated", "div": f"{opening}{inside}</div>"}


def _table(rows: list[tuple[str, str, str]], language: str) -> str:
    head = "".join(f"<th>{text}</th>" for text in HEADINGS[language])
    lines = ("".join(f"<td>{safe(text)}</td>" for text in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def safe(text: str) -> str:
    return escape(UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def subject(resource: Data, pointed: dict[str, Data]) -> str:
    """What it is about: a concept's text, or that of what it points to."""
    for name in SUBJECTS:
        if resource.get(name):
            return concept(resource[name])
    if resource.get("title"):
        return str(resource["title"])
    reference = resource.get("medicationReference") or resource.get("device") or {}
    target = pointed.get(str(reference.get("reference")))
    if target is not None:
        names = [str(one.get("name", "")) for one in target.get("deviceName", ())]
        return concept(target.get("code") or target.get("type")) or ", ".join(filter(None, names))
    return str(reference.get("display") or resource["resourceType"])


def concept(given: Any) -> str:
    """The text a person chose, else the display of a coding, else its code."""
    one = given[0] if isinstance(given, list) and given else given
    if not isinstance(one, dict):
        return ""
    codings = one.get("coding", [])
    shown = [str(coding[key]) for key in ("display", "code") for coding in codings if key in coding]
    return str(one.get("text") or (shown[0] if shown else ""))


def when(resource: Data) -> str:
    for name, found in resource.items():
        if DATES.fullmatch(name):
            if isinstance(found, dict):
                ends = (found.get("start"), found.get("end"))
                return " – ".join(str(end) for end in ends if end) or quantity(found)
            return str(found)
    return ""


def value(resource: Data) -> str:
    """The value of an observation, of its components too."""
    components = resource.get("component", ())
    parts = [_value(resource)]
    parts += [f"{concept(one.get('code'))}: {_value(one)}" for one in components]
    return "; ".join(part for part in parts if part)


def _value(holder: Data) -> str:
    for name, found in holder.items():
        if name.startswith("value"):
            if not isinstance(found, dict):
                return str(found)
            return concept(found) or quantity(found)
    return ""


def quantity(given: Data) -> str:
    parts = (given.get("comparator"), given.get("value"), given.get("unit") or given.get("code"))
    return " ".join(str(part) for part in parts if part is not None)
