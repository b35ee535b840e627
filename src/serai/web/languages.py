"""Words in the reader's language: marking, translating, and choosing the language."""

from __future__ import annotations

from collections.abc import Iterable

from serai.web.catalogues import translations
from serai.web.reader import DEFAULT_LANGUAGE, LANGUAGES, current_reader


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "mark, translate later"
    """Mark an English string for the catalogues without translating it yet."""
    return message


def gettext(message: str) -> str:
    # The empty string is the catalogue's own header.
    return translations(current_reader().language).gettext(message) if message else ""


def ngettext(singular: str, plural: str, count: int) -> str:
    return translations(current_reader().language).ngettext(singular, plural, count)


def pgettext(context: str, message: str) -> str:
    return translations(current_reader().language).pgettext(context, message)


def npgettext(context: str, singular: str, plural: str, count: int) -> str:
    return translations(current_reader().language).npgettext(context, singular, plural, count)


def choose(chosen: Iterable[str | None], accept: str) -> str:
    """The first known explicit choice, else the best of Accept-Language (RFC 9110 §12.5.4)."""
    for language in chosen:
        if language in LANGUAGES:
            return str(language)
    for tag in _by_preference(accept):
        primary = tag.partition("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return DEFAULT_LANGUAGE


def _by_preference(accept: str) -> list[str]:
    weighted = []
    for part in accept.split(",")[:20]:
        tag, _, parameter = part.strip().partition(";")
        weight = _weight(parameter.strip())
        if weight > 0:
            weighted.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighted, key=lambda item: -item[0])]


def _weight(parameter: str) -> float:
    if not parameter.startswith("q="):
        return 1.0
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
