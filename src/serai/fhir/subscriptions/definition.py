"""A Subscription resource as a value, or its refusal with the place (R4 §2.46, backport §2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from serai.fhir.body import Data
from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.places import placing
from serai.fhir.search import parsing
from serai.fhir.search.intervals import interval
from serai.fhir.subscriptions import endpoints
from serai.fhir.subscriptions.topics import Topic, topic
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid, SeraiError

Pairs = tuple[tuple[str, str], ...]

_EXTENSION = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
CHANNELS = ("rest-hook", "websocket")
CONTENTS = ("empty", "id-only", "full-resource")
JSON_TYPES = ("application/fhir+json", "application/json")
LONGEST_TIMEOUT_S = 30
# Criteria are answered from the changed resource alone: what another resource says, the
# subscriber may not be allowed to know.
REFUSED = parsing.RESULT_PARAMETERS | parsing.FORM_PARAMETERS | {"_has", "_list"}


@dataclass(frozen=True, slots=True)
class Definition:
    """`queries` are alternatives, each a search on `type`; `topic` is None for plain R4, whose
    `payload` is the media type or None for an empty ping. `endpoint` is empty for a websocket."""

    channel: str
    type: str
    queries: tuple[Pairs, ...]
    topic: Topic | None
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    payload: str | None
    content: str
    heartbeat_s: int
    timeout_s: int
    most: int
    end: datetime | None

    def is_over(self, now: datetime) -> bool:
        return self.end is not None and now >= self.end


def read(data: Data, *, allowed: frozenset[str] | None, base: str = "") -> Definition:
    """Everything the server must know to serve it; raises Invalid where it cannot."""
    channel: Data = data.get("channel") or {}
    with placing("Subscription.criteria"):
        about, queries = _criteria(data, base)
    kind = str(channel.get("type"))
    if kind not in CHANNELS:
        raise Invalid("subscription.channel", place="Subscription.channel.type", channel=kind[:40])
    endpoint, headers = _hook(channel, allowed) if kind == "rest-hook" else _socket(channel, about)
    payload = channel.get("payload")
    if payload is not None and str(payload).partition(";")[0].strip() not in JSON_TYPES:
        raise Invalid("subscription.payload", place="Subscription.channel.payload")
    content = _extended(channel.get("_payload"), "payload-content") or ("empty" if about else "")
    if about and content not in CONTENTS:
        raise Invalid("subscription.payload", place="Subscription.channel.payload.extension")
    return Definition(
        channel=kind,
        type=about.type if about else str(data["criteria"]).partition("?")[0],
        queries=queries,
        topic=about,
        endpoint=endpoint,
        headers=headers,
        payload=payload,
        content=str(content),
        heartbeat_s=_number(channel, "heartbeat-period", 0, least=10),
        timeout_s=min(_number(channel, "timeout", 10, least=1), LONGEST_TIMEOUT_S),
        most=min(_number(channel, "max-count", 1 if not about else 20, least=1), 100),
        end=_end(data),
    )


def _hook(channel: Data, allowed: frozenset[str] | None) -> tuple[str, Pairs]:
    endpoint = str(channel.get("endpoint") or "")
    with placing("Subscription.channel.endpoint"):
        endpoints.read(endpoint, allowed)
    with placing("Subscription.channel.header"):
        return endpoint, tuple(endpoints.headers(channel.get("header") or ()))


def _socket(channel: Data, about: Topic | None) -> tuple[str, Pairs]:
    """The client connects: there is nowhere to go, and plain R4 says no more than that there is
    something to ask for."""
    for name in ("endpoint", "header", *(() if about else ("payload",))):
        if channel.get(name):
            raise Invalid("subscription.socket", place=f"Subscription.channel.{name}")
    return "", ()


def _criteria(data: Data, base: str) -> tuple[Topic | None, tuple[Pairs, ...]]:
    criteria = str(data.get("criteria") or "")
    if "?" in criteria.partition("://")[0] or "://" not in criteria:
        return None, (_query(criteria, base)[1],)
    about = topic(criteria)
    if about is None:
        raise Invalid("subscription.topic")
    return about, tuple(_filters(data, about, base)) or ((),)


def _filters(data: Data, about: Topic, base: str) -> Iterator[Pairs]:
    """`backport-filter-criteria`: each a search; one that matches is enough."""
    for one in (data.get("_criteria") or {}).get("extension") or ():
        if one.get("url") != _EXTENSION + "filter-criteria":
            continue
        kind, query = _query(str(one.get("valueString") or ""), base)
        names = {name.partition(":")[0].partition(".")[0] for name, _ in query}
        if kind != about.type or not names <= about.filters:
            raise Invalid("subscription.filter", allowed=", ".join(sorted(about.filters)))
        yield query


def _query(text: str, base: str) -> tuple[str, Pairs]:
    """`Observation?code=x`, as strict as search itself."""
    kind, _, query = text.partition("?")
    if kind not in RESOURCE_TYPES:
        raise Invalid("subscription.criteria")
    pairs = tuple(parse_qsl(query, keep_blank_values=True, max_num_fields=50))
    if any("." in name or name.partition(":")[0] in REFUSED for name, _ in pairs):
        raise Invalid("subscription.criteria")
    try:
        parsing.parse(kind, pairs, now=utc_now(), base=base)
    except SeraiError as error:
        raise Invalid(error.key, **error.details) from error
    return kind, pairs


def _extended(holder: Data | None, name: str) -> Any:
    for one in (holder or {}).get("extension") or ():
        if one.get("url") == _EXTENSION + name:
            return next((value for key, value in one.items() if key.startswith("value")), None)
    return None


def _number(channel: Data, name: str, default: int, *, least: int) -> int:
    found = _extended(channel, name)
    if found is None:
        return default
    if not isinstance(found, int) or found < least:
        raise Invalid("subscription.number", place="Subscription.channel.extension", least=least)
    return found


def _end(data: Data) -> datetime | None:
    span = interval(str(data["end"])) if data.get("end") else None
    return span[0] if span else None
