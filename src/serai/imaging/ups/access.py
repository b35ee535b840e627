"""Who may see and change a workitem: the record's one rule, read by the workitem's own columns.

The scopes are those on Task, which is what FHIR calls such work.
"""

from __future__ import annotations

from typing import Any, Final

from serai.fhir import visibility
from serai.kernel.actor import Actor, Kind

RESOURCE: Final = "Task"
OF_ONE: Final = "%(visible_to)s"
SOMEBODY: Final = Actor("", Kind.MACHINE, "", "system", organisation="somebody")

Condition = tuple[str, dict[str, Any]]


def visible(actor: Actor) -> Condition:
    """Rows of `s` that the actor may see."""
    return visibility.clause(actor, "s")


def changeable(actor: Actor) -> Condition:
    """Rows of `s` that the actor may also change: what is shared is for reading."""
    return visibility.change_clause(actor, "s")


def seen_by(column: str) -> str:
    """Rows of `s` that the organisation in `column` may see, of many at once; '' sees all."""
    of_one, _ = visibility.clause(SOMEBODY, "s")
    return f"({column} = '' OR {of_one.replace(OF_ONE, column)})"


def organisation_of(actor: Actor) -> str:
    return actor.organisation or ""
