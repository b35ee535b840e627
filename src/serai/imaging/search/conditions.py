"""Filters as SQL: one condition each, values only ever as parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from serai.imaging.archive.index import as_date
from serai.imaging.dataset.names import fold_group
from serai.imaging.search.keys import Match
from serai.imaging.search.query import Filter
from serai.kernel.errors import Malformed

NAME_COLUMNS = ("s.name_alphabetic", "s.name_ideographic", "s.name_phonetic")
NAME_PREFIX = 200
NAME_WORDS = f"imaging_name_words({', '.join(NAME_COLUMNS)})"
ANY_WORD = f"EXISTS (SELECT 1 FROM unnest({NAME_WORDS}) AS w(v) WHERE {{condition}})"  # noqa: S608 - our own constants
BETWEEN_WORDS = re.compile(r"[\^=\s,.-]+")
CODE = re.compile(r"[A-Z0-9_]{1,16}")
AFTER_ANY = "\U0010ffff"
# Any of an attribute's values; those of a person name are objects with a value for each group.
ANY_VALUE = """EXISTS (SELECT 1 FROM jsonb_array_elements({column}) AS o(j), LATERAL (
        SELECT o.j #>> '{{}}' WHERE jsonb_typeof(o.j) <> 'object' UNION ALL
        SELECT g.value FROM jsonb_each_text(
            CASE jsonb_typeof(o.j) WHEN 'object' THEN o.j ELSE '{{}}' END) AS g
    ) AS t(v) WHERE {condition})"""
ANY_MODALITY = "EXISTS (SELECT 1 FROM unnest(s.modalities) AS m(v) WHERE {condition})"


class Conditions:
    """Collects conditions and their numbered parameters."""

    def __init__(self, *, fuzzy: bool = False) -> None:
        self._fuzzy = fuzzy
        self.parameters: dict[str, Any] = {}
        self._written: list[str] = []

    @property
    def sql(self) -> str:
        return " AND ".join(self._written) or "TRUE"

    def add(self, wanted: Filter) -> None:
        writers: dict[Match, Callable[[Filter], str]] = {
            Match.TEXT: self._text,
            Match.RANGE: self._range,
            Match.UIDS: self._uids,
            Match.NAME: self._name,
            Match.DATE: self._date,
            Match.TIME: self._time,
            Match.NUMBER: self._number,
            Match.MODALITIES: self._modalities,
        }
        self._written.append(f"({writers[wanted.key.match](wanted)})")

    def add_date_and_time(self, day: Filter, time: Filter) -> None:
        """Both as ranges are one range of moments (PS3.18 §8.3.4.6, combined datetime)."""
        first_day, last_day = _date_range(day.value)
        first_time, last_time = _time_range(time.value)
        moment = f"({day.key.column}, {time.key.column})"
        if first_day:
            pair = f"({self._value(first_day)}, {self._value(first_time)})"
            self._written.append(f"{moment} >= {pair}")
        if last_day:
            pair = f"({self._value(last_day)}, {self._value(last_time)})"
            self._written.append(f"{moment} <= {pair}")

    def _value(self, value: Any) -> str:
        name = f"q{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"

    def _text(self, wanted: Filter) -> str:
        column = wanted.key.column
        if "attributes" in column:
            compared = self._compared("lower(v)", wanted.value.lower())
            return ANY_VALUE.format(column=column, condition=compared)
        compared = self._compared(column, wanted.value)
        # Only numbers that are there are indexed, which a plan made without values must be told.
        named = column == "s.accession" and wanted.value.strip("*")
        return f"{column} <> '' AND {compared}" if named else compared

    def _range(self, wanted: Filter) -> str:
        low, dash, high = wanted.value.strip().partition("-")
        if not dash:
            return self._text(wanted)
        compared = self._between("v", low or None, high + AFTER_ANY if high else None)
        return ANY_VALUE.format(column=wanted.key.column, condition=compared)

    def _compared(self, expression: str, value: str) -> str:
        if "*" not in value and "?" not in value:
            return f"{expression} = {self._value(value)}"
        prefix = value[: min(value.find(char) for char in "*?" if char in value)]
        like = f"{expression} LIKE {self._value(_like(value))}"
        if not prefix:
            return like
        # The planner cannot see the prefix in a parameter; spelt out, an index serves it.
        low, high = self._value(prefix), self._value(prefix + AFTER_ANY)
        return f"{expression} >= {low} AND {expression} < {high} AND {like}"

    def _uids(self, wanted: Filter) -> str:
        uids = [uid.strip() for uid in wanted.value.replace("\\", ",").split(",") if uid.strip()]
        if len(uids) == 1:
            return self._compared(wanted.key.column, uids[0])
        return f"{wanted.key.column} = ANY({self._value(uids)}::text[])"

    def _name(self, wanted: Filter) -> str:
        literal = self._literal_name(wanted)
        words = [word for word in BETWEEN_WORDS.split(fold_group(wanted.value)) if word.strip("*")]
        return f"{self._words(words)} OR {literal}" if self._fuzzy and words else literal

    def _words(self, words: Sequence[str]) -> str:
        """Every word is one of the name's, in whatever order and component group."""
        plain = [word for word in words if not set(word) & set("*?")]
        written = [f"{NAME_WORDS} @> {self._value(plain)}::text[]"] if plain else []
        written += [
            ANY_WORD.format(condition=self._compared("w.v", word))
            for word in words
            if word not in plain
        ]
        return f"({' AND '.join(written)})"

    def _literal_name(self, wanted: Filter) -> str:
        """Without `=` any component group may match; with it, each given group its own."""
        groups = wanted.value.split("=")
        if len(groups) == 1:
            folded = fold_group(groups[0])
            return " OR ".join(self._name_group(column, folded) for column in NAME_COLUMNS)
        pairs = zip(NAME_COLUMNS, groups, strict=False)
        written = [
            self._name_group(column, fold_group(group))
            for column, group in pairs
            if group.strip() not in ("", "*")
        ]
        return " AND ".join(written) or "TRUE"

    def _name_group(self, column: str, folded: str) -> str:
        indexed = f"left({column}, {NAME_PREFIX})"
        present = "" if column == NAME_COLUMNS[0] else f"{column} <> '' AND "
        return f"({present}{self._compared(indexed, folded[:NAME_PREFIX])})"

    def _date(self, wanted: Filter) -> str:
        first, last = _date_range(wanted.value)
        return self._between(wanted.key.column, first, last)

    def _time(self, wanted: Filter) -> str:
        first, last = _time_range(wanted.value)
        return f"{wanted.key.column} <> '' AND " + self._between(wanted.key.column, first, last)

    def _between(self, column: str, first: Any, last: Any) -> str:
        written = []
        if first is not None:
            written.append(f"{column} >= {self._value(first)}")
        if last is not None:
            written.append(f"{column} <= {self._value(last)}")
        return " AND ".join(written) or "TRUE"

    def _number(self, wanted: Filter) -> str:
        try:
            number = int(wanted.value)
        except ValueError as error:
            raise Malformed("qido.value", value=wanted.value[:40]) from error
        if abs(number) >= 1 << 31:
            return "FALSE"
        return f"{wanted.key.column} = {self._value(number)}"

    def _few_known(self, values: Sequence[str]) -> str:
        """Written out where they are codes, of which there are few: then a plan knows whether
        they leave much or little."""
        if all(CODE.fullmatch(value) for value in values):
            return f"ARRAY[{', '.join(repr(value) for value in sorted(values))}]"
        return self._value(values)

    def _modalities(self, wanted: Filter) -> str:
        values = wanted.value.replace("\\", ",").split(",")
        plain = [value.strip() for value in values if not set(value) & set("*?")]
        written = [f"s.modalities && {self._few_known(plain)}::text[]"] if plain else []
        written += [
            ANY_MODALITY.format(condition=self._compared("m.v", v))
            for value in values
            if (v := value.strip()) not in plain
        ]
        return " OR ".join(written)


def conditions(filters: Sequence[Filter], *, fuzzy: bool = False) -> Conditions:
    """Every filter, all of which must match; `fuzzy` is for names (PS3.18 §8.3.4.2)."""
    written = Conditions(fuzzy=fuzzy)
    day = next((f for f in filters if f.key.match is Match.DATE and "-" in f.value), None)
    time = next((f for f in filters if f.key.match is Match.TIME and "-" in f.value), None)
    combined = (day, time) if day and time else ()
    if day and time:
        written.add_date_and_time(day, time)
    for wanted in filters:
        if wanted not in combined:
            written.add(wanted)
    return written


def _like(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _date_range(value: str) -> tuple[date | None, date | None]:
    low, dash, high = value.strip().partition("-")
    first, last = _day(low), _day(high if dash else low)
    if first is None and last is None:
        raise Malformed("qido.value", value=value[:40])
    return first, last


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    day = as_date(text.strip())
    if day is None:
        raise Malformed("qido.value", value=text[:40])
    return day


def _time_range(value: str) -> tuple[str, str]:
    low, dash, high = value.strip().replace(":", "").partition("-")
    high = high if dash else low
    if not all(part.replace(".", "").isdigit() or not part for part in (low, high)):
        raise Malformed("qido.value", value=value[:40])
    # 1030 means 10:30:00 to 10:30:59.999999 (PS3.4 §C.2.2.2.5.1).
    return low, high + AFTER_ANY
