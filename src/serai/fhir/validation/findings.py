"""What a validation found, and where. A place is only written out once something is wrong there."""

from __future__ import annotations

from typing import TypeAlias

from serai.kernel.errors import Issue

# The place above (None at the top), its label, its index in an array (or None), its depth.
Place: TypeAlias = "tuple[Place | None, str, int | None, int]"

ENOUGH = 100


class Findings:
    """Collects issues; after a hundred the sender has enough to work on.

    `local` are the references into the resource itself that are still to be looked up.
    """

    __slots__ = ("issues", "local")

    def __init__(self) -> None:
        self.local: list[tuple[str, Place]] = []
        self.issues: list[Issue] = []

    def add(self, code: str, key: str, place: Place, **details: object) -> None:
        if len(self.issues) < ENOUGH:
            self.issues.append(Issue(code=code, key=key, path=written(place), details=details))


def top(label: str) -> Place:
    return (None, label, None, 0)


def below(place: Place, label: str, index: int | None = None) -> Place:
    return (place, label, index, place[3] + 1)


def written(place: Place) -> str:
    """``Patient.name[0].family``"""
    steps: list[str] = []
    here: Place | None = place
    while here is not None:
        above, label, index, _ = here
        steps.append(label if index is None else f"{label}[{index}]")
        here = above
    return ".".join(reversed(steps))
