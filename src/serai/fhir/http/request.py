"""HTTP request to interaction: address, negotiation, body within limits, conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.requests import Request

from serai.fhir.interaction.asked import Asked, Conditions, Pairs, Prefer
from serai.fhir.interaction.patching import JSON_PATCH
from serai.fhir.outcome import NotAcceptable
from serai.kernel.errors import Malformed, TooLarge, Unsupported
from serai.platform.settings import Settings

Headers = Mapping[str, str]

JSON_TYPES = frozenset(
    {"application/fhir+json", "application/json", "application/json+fhir", "text/json"}
)
FORMATS = JSON_TYPES | {"json"}
ANY_TYPE = frozenset({"*/*", "application/*", "text/*"})
FORM = "application/x-www-form-urlencoded"
MOST_PARAMETERS = 200
CONDITIONAL = frozenset({"if-match", "if-none-match", "if-modified-since", "if-none-exist"})
UNCONDITIONAL = Conditions()
RETURNS = ("minimal", "representation", "OperationOutcome")
HANDLINGS = ("strict", "lenient")


def base_of(request: Request) -> str:
    """This server's FHIR address: as configured for a proxy, else as the client called it."""
    settings: Settings | None = getattr(request.app.state, "settings", None)
    if settings is not None and settings.base_url:
        return f"{settings.public_url}/fhir"
    host = next((value for name, value in request.scope["headers"] if name == b"host"), None)
    if host is None:
        return f"{request.url.scheme}://{request.url.netloc}/fhir"
    return f"{request.scope['scheme']}://{host.decode('latin-1')}/fhir"


def path_of(request: Request) -> tuple[str, ...]:
    inside = str(request.scope["path"]).removeprefix("/fhir").strip("/")
    return tuple(inside.split("/")) if inside else ()


def headers_of(request: Request) -> Headers:
    """Each header once, by its lower-case name; what came several times is one list (RFC 9110
    §5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def prefers_async(request: Request) -> bool:
    return _prefer(headers_of(request).get("prefer", "")).respond_async


def read_request(request: Request, path: tuple[str, ...], raw: bytes) -> Asked:
    """Everything an interaction needs to know, the form of the answer settled."""
    headers = headers_of(request)
    params = pairs(request.scope["query_string"].decode("latin-1"))
    negotiate(headers, params)
    method = "GET" if request.method == "HEAD" else request.method
    content_type = _media_type(headers.get("content-type", ""))[0]
    if method in ("POST", "PUT", "PATCH"):
        if path[-1:] == ("_search",):
            _require_type(headers, {FORM}, "fhir.form")
            params = (*params, *_form(raw))
        elif method == "PATCH":
            _require_type(headers, JSON_TYPES | {JSON_PATCH}, "patch.format")
        elif raw or not path[-1:] or not path[-1].startswith("$"):
            # An operation without parameters has no body, and then no type of one.
            _require_type(headers, JSON_TYPES, "fhir.content-type")
    return Asked(
        method=method,
        path=path,
        params=params,
        raw=raw,
        conditions=_conditions(headers),
        prefer=_prefer(headers.get("prefer", "")),
        base=base_of(request),
        content_type=content_type,
    )


def pairs(query: str) -> Pairs:
    if not query:
        return ()
    try:
        found = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError as error:
        raise TooLarge("search.too-many-parameters", most=MOST_PARAMETERS) from error
    return tuple(found)


def negotiate(headers: Headers, params: Pairs) -> None:
    """JSON or nothing; `_format` outweighs Accept (R4 §3.1.0.1.11)."""
    formats = [value for name, value in params if name == "_format"]
    if formats:
        # A + in an address arrives as a space: application/fhir json.
        wanted = [_media_type(formats[-1].replace(" ", "+"))]
        acceptable = FORMATS | ANY_TYPE
    else:
        wanted = [_media_type(one) for one in headers.get("accept", "*/*").split(",")]
        acceptable = JSON_TYPES | ANY_TYPE
    if not any(kind in acceptable and version in (None, "4.0") for kind, version in wanted):
        raise NotAcceptable("fhir.not-acceptable")


@lru_cache(maxsize=256)
def _media_type(text: str) -> tuple[str, str | None]:
    """The type and the fhirVersion it names; text in another encoding is another type."""
    kind, _, rest = text.partition(";")
    charset = re.search(r'charset\s*=\s*"?([^";\s]+)', rest, re.IGNORECASE)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        kind = text
    version = re.search(r'fhirVersion\s*=\s*"?([0-9.]+)"?', rest)
    return kind.strip().lower(), version[1] if version else None


def _require_type(headers: Headers, allowed: Iterable[str], key: str) -> None:
    kind, version = _media_type(headers.get("content-type", ""))
    if kind not in allowed or version not in (None, "4.0"):
        raise Unsupported(key)


def _form(raw: bytes) -> Pairs:
    try:
        return pairs(raw.decode("ascii"))
    except UnicodeDecodeError as error:
        raise Malformed("fhir.form") from error


def _conditions(headers: Headers) -> Conditions:
    if CONDITIONAL.isdisjoint(headers):
        return UNCONDITIONAL
    since = headers.get("if-modified-since")
    none_exist = headers.get("if-none-exist")
    return Conditions(
        if_match=headers.get("if-match"),
        if_none_match=headers.get("if-none-match"),
        if_modified_since=_http_date(since) if since is not None else None,
        if_none_exist=pairs(none_exist.removeprefix("?")) if none_exist is not None else None,
    )


def _http_date(text: str) -> datetime | None:
    """RFC 9110 §13.1.3: a date that cannot be read is as good as none."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache(maxsize=256)
def _prefer(header: str) -> Prefer:
    wishes = dict(wish.strip().partition("=")[::2] for wish in re.split("[,;]", header))
    returns = wishes.get("return", "").strip('"')
    handling = wishes.get("handling", "").strip('"')
    return Prefer(
        returns=returns if returns in RETURNS else "representation",
        handling=handling if handling in HANDLINGS else "strict",
        respond_async="respond-async" in wishes,
    )
