"""How a value of a FHIR type becomes searchable, for each type of parameter (R4 §3.1.1.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from serai.fhir.search import literals
from serai.fhir.search.indexed import (
    DateValue,
    Harvest,
    PositionValue,
    QuantityValue,
    ReferenceValue,
    StringValue,
    TokenValue,
    UriValue,
)
from serai.fhir.search.intervals import interval
from serai.fhir.search.measured import measured, sampled
from serai.fhir.search.numbers import stored_number

Json = dict[str, object]
Emit = Callable[[object, Harvest], None]


def emitter(param: str, param_type: str, fhir_type: str, system: str | None) -> Emit | None:
    """What indexes such values; None where the parameter passes over that type.

    `system` is the code system that an element of type code implies.
    """
    read = READERS.get((param_type, fhir_type))
    if read is None:
        return None

    def emit(value: object, harvest: Harvest) -> None:
        read(param, system, value, harvest)

    return emit


def _text_of(value: object, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _texts(value: Json, keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        found = value.get(key)
        for text in found if isinstance(found, list) else (found,):
            if isinstance(text, str):
                yield text


def _coding(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if code := _text_of(value, "code"):
        harvest.tokens.append(TokenValue(param, _text_of(value, "system"), code))


def _concept(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    codings = value.get("coding") if isinstance(value, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        _coding(param, None, coding, harvest)


def _identifier(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if code := _text_of(value, "value"):
        harvest.tokens.append(TokenValue(param, _text_of(value, "system"), code))


def _typed_identifier(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    """Found by ``:of-type`` too, as the type's code with the value."""
    _identifier(param, None, value, harvest)
    number = _text_of(value, "value")
    kind = value.get("type") if isinstance(value, dict) else None
    codings = kind.get("coding") if isinstance(kind, dict) else None
    for coding in codings if number and isinstance(codings, list) else ():
        if (system := _text_of(coding, "system")) and (code := _text_of(coding, "code")):
            harvest.tokens.append(TokenValue(f"{param}:of-type", system, f"{code}|{number}"))


def _concept_texts(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if text := _text_of(value, "text"):
        harvest.strings.append(StringValue(param, text))
    codings = value.get("coding") if isinstance(value, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        _coding_text(param, None, coding, harvest)


def _coding_text(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if display := _text_of(value, "display"):
        harvest.strings.append(StringValue(param, display))


def _identifier_text(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if text := _text_of(kind, "text"):
        harvest.strings.append(StringValue(param, text))


def _contact_point(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    """Whether it is a phone or a mail address is not part of the value (R4 §3.1.1.4.10)."""
    if code := _text_of(value, "value"):
        harvest.tokens.append(TokenValue(param, None, code))


def _boolean(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if isinstance(value, bool):
        harvest.tokens.append(TokenValue(param, None, "true" if value else "false"))


def _code(param: str, system: str | None, value: object, harvest: Harvest) -> None:
    if isinstance(value, str):
        harvest.tokens.append(TokenValue(param, system, value))


def _reference(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    """A logical reference is found by ``param:identifier`` (R4 §3.1.1.4.11)."""
    if not isinstance(value, dict):
        return
    literal = value.get("reference")
    if isinstance(literal, str) and (found := literals.read(literal)):
        harvest.references.append(ReferenceValue(param, *found))
    if "identifier" in value:
        _identifier(f"{param}:identifier", None, value["identifier"], harvest)


def _canonical(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    """Found with its version and without (R4 §3.1.1.4.12)."""
    if not isinstance(value, str) or not (found := literals.read(value)):
        return
    harvest.references.append(ReferenceValue(param, *found))
    bare = value.partition("|")[0]
    if bare != value:
        harvest.references.append(ReferenceValue(param, None, None, bare))


def _resource(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    """The first entry of a document or message, carried in the Bundle itself."""
    kind, identifier = _text_of(value, "resourceType"), _text_of(value, "id")
    if kind and identifier:
        harvest.references.append(ReferenceValue(param, kind, identifier, None))


def _string(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if isinstance(value, str):
        harvest.strings.append(StringValue(param, value))


def _parts(*keys: str) -> Callable[[str, str | None, object, Harvest], None]:
    def read(param: str, _: str | None, value: object, harvest: Harvest) -> None:
        if isinstance(value, dict):
            harvest.strings.extend(StringValue(param, text) for text in _texts(value, keys))

    return read


def _date(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if isinstance(value, str) and (span := interval(value)):
        harvest.dates.append(DateValue(param, *span))


def _period(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if isinstance(value, dict) and (span := _span(value)):
        harvest.dates.append(DateValue(param, *span))


def _span(period: Json) -> tuple[datetime | None, datetime | None] | None:
    """From the start of its start to the end of its end; None when it has neither."""
    start, end = (interval(text) if text else None for text in (
        _text_of(period, "start"), _text_of(period, "end")))  # fmt: skip
    if start is None and end is None:
        return None
    return start[0] if start else None, end[1] if end else None


def _timing(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    """The outer limits of all that is scheduled (R4 §3.1.1.4.7)."""
    if not isinstance(value, dict):
        return
    spans: list[tuple[datetime | None, datetime | None]] = [
        span for text in _texts(value, ("event",)) if (span := interval(text))
    ]
    repeat = value.get("repeat")
    bounds = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
    if isinstance(bounds, dict) and (limits := _span(bounds)):
        spans.append(limits)
    if spans:
        lows, highs = [low for low, _ in spans], [high for _, high in spans]
        low = None if None in lows else min(low for low in lows if low)
        high = None if None in highs else max(high for high in highs if high)
        harvest.dates.append(DateValue(param, low, high))


def _uri(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if isinstance(value, str):
        harvest.uris.append(UriValue(param, value))


def _number(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if (found := stored_number(value)) is not None:
        harvest.quantities.append(QuantityValue(param, found, found))


def _quantity(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if isinstance(value, dict) and (found := measured(param, value, value, value)):
        harvest.quantities.append(found)


def _range(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    """Open where a limit is missing (R4 §2.24.0.7)."""
    if not isinstance(value, dict):
        return
    low, high = value.get("low"), value.get("high")
    unit = low if isinstance(low, dict) else high
    if isinstance(unit, dict) and (found := measured(param, unit, low, high)):
        harvest.quantities.append(found)


def _sampled(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if isinstance(value, dict) and (found := sampled(param, value)):
        harvest.quantities.append(found)


def _position(param: str, _: str | None, value: object, harvest: Harvest) -> None:
    if not isinstance(value, dict):
        return
    north, east = stored_number(value.get("latitude")), stored_number(value.get("longitude"))
    if north is not None and east is not None and abs(north) <= 90 and abs(east) <= 180:
        harvest.positions.append(PositionValue(param, float(north), float(east)))


_name = _parts("family", "given", "prefix", "suffix", "text")
_address = _parts("line", "city", "district", "state", "postalCode", "country", "text")

READERS: Final[Mapping[tuple[str, str], Callable[[str, str | None, object, Harvest], None]]] = {
    ("token", "Coding"): _coding,
    ("token", "CodeableConcept"): _concept,
    ("token", "Identifier"): _typed_identifier,
    ("token", "ContactPoint"): _contact_point,
    ("token", "boolean"): _boolean,
    ("token", "code"): _code,
    ("token", "id"): _code,
    ("token", "uri"): _code,
    ("token", "string"): _code,
    # The texts of tokens, for :text (R4 §3.1.1.4.10).
    ("text", "Coding"): _coding_text,
    ("text", "CodeableConcept"): _concept_texts,
    ("text", "Identifier"): _identifier_text,
    ("reference", "Reference"): _reference,
    ("reference", "canonical"): _canonical,
    ("reference", "uri"): _canonical,
    ("reference", "Resource"): _resource,
    ("string", "HumanName"): _name,
    ("string", "Address"): _address,
    ("string", "string"): _string,
    ("string", "markdown"): _string,
    ("date", "date"): _date,
    ("date", "dateTime"): _date,
    ("date", "instant"): _date,
    ("date", "Period"): _period,
    ("date", "Timing"): _timing,
    ("number", "decimal"): _number,
    ("number", "integer"): _number,
    ("number", "positiveInt"): _number,
    ("number", "unsignedInt"): _number,
    **{
        ("quantity", name): _quantity
        for name in ("Quantity", "Age", "Duration", "Distance", "Count", "Money")
    },
    ("quantity", "Range"): _range,
    ("quantity", "SampledData"): _sampled,
    ("special", "BackboneElement"): _position,
    ("uri", "uri"): _uri,
    ("uri", "url"): _uri,
    ("uri", "canonical"): _uri,
    ("uri", "oid"): _uri,
}
