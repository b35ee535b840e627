"""Which part of a larger request an error is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from serai.kernel.errors import Issue, SeraiError


@contextmanager
def placing(place: str) -> Iterator[None]:
    """Errors raised inside name their place, such as ``Bundle.entry[3]``; "" leaves them be."""
    try:
        yield
    except SeraiError as error:
        if place and "place" not in error.details:
            error.details["place"] = place
            error.issues = tuple(_below(issue, place) for issue in error.issues)
        raise


def _below(issue: Issue, place: str) -> Issue:
    """``Patient.name`` → ``Bundle.entry[3].resource.name``"""
    _, dot, rest = issue.path.partition(".")
    return replace(issue, path=f"{place}.resource{dot}{rest}")
