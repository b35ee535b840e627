"""From message keys to sentences: rules raise keys, this table of English sources words them.

Every room with pages adds its own keys when it is imported; the catalogues translate them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serai.kernel.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    Malformed,
    NotFound,
    RateLimited,
    SeraiError,
    Stale,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from serai.web.languages import N_, gettext

_texts: dict[str, str] = {}

# What to say when a key has no sentence of its own.
BY_CLASS: dict[type[SeraiError], str] = {
    Malformed: N_("The request could not be read."),
    Invalid: N_("Some of the entries need your attention."),
    Unauthenticated: N_("Please sign in first."),
    Forbidden: N_("Your role does not allow this."),
    NotFound: N_("This page or record is not here, or is not shared with you."),
    Gone: N_("This record has been deleted."),
    Conflict: N_("The record has changed in the meantime. Reload the page and try again."),
    Stale: N_("Somebody else changed this record first. Reload the page and try again."),
    TooLarge: N_("This is more than the server takes at once."),
    Unsupported: N_("The server does not offer this."),
    RateLimited: N_("Too many attempts. Please wait a little and try again."),
    Unavailable: N_("A part of the system does not answer just now. Please try again shortly."),
}


def add(texts: Mapping[str, str]) -> None:
    """Register the sentences of a room's keys; a key has one sentence."""
    for key, text in texts.items():
        if _texts.setdefault(key, text) != text:
            raise ValueError(f"two sentences for message key {key!r}")


def known(key: str) -> bool:
    return key in _texts


def text(key: str, details: Mapping[str, Any] | None = None) -> str:
    """The sentence for a key in the reader's language; the key itself when there is none."""
    return _filled(gettext(_texts[key]), details) if key in _texts else key


def error_text(error: SeraiError) -> str:
    """What to tell the reader about a refusal."""
    if error.key in _texts:
        return text(error.key, error.details)
    for kind in type(error).__mro__:
        if kind in BY_CLASS:
            return gettext(BY_CLASS[kind])
    return gettext(N_("Something went wrong."))


def _filled(sentence: str, details: Mapping[str, Any] | None) -> str:
    try:
        return sentence % dict(details) if details else sentence
    except (KeyError, ValueError, TypeError):
        return sentence


add(
    {
        "auth.required": N_("Please sign in first."),
        "auth.role": N_("Your role does not allow this."),
        "sign-in.refused": N_("Login or password is not right."),
        "sign-in.too-many-tries": N_("Too many attempts. Wait %(minutes)s min, then try again."),
        "sign-in.out": N_("You are signed out."),
        "form.missing": N_("Please fill this in."),
        "form.too-long": N_("Too long: at most %(longest)s characters."),
        "form.not-a-choice": N_("Please choose one of the entries."),
        "form.not-a-date": N_("Please enter a date, for example 1970-05-23."),
        "form.expired": N_("This form has expired. Reload the page and try again."),
        "form.foreign": N_("The request came from another site and was refused."),
        "form.too-large": N_("The form holds more than the server takes at once."),
        "form.unreadable": N_("The form could not be read."),
        "language.changed": N_("Language changed."),
    }
)
