"""Writes docs/reference/access.md from the policy that decides.

.venv/bin/python tools/access_reference.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from serai.platform.access import Act
from serai.platform.access.policy import (
    ACTIONS,
    ACTS,
    PROGRAM_ROLES,
    RESTRICTED,
    UNNAMED_REFUSALS_BIND,
)
from serai.platform.auth.roles import GROUPS, ROLES, TABLE

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "access.md"

INTRODUCTION = """# Who may do what with which record

Written from `platform/auth/roles.py` and `platform/access/policy.py` by \
`tools/access_reference.py`; change those, not this page.

A request is answered when the role may handle the type, the relation to the record allows the \
act, no restricted label closes it to the role, and no Consent in force refuses it. What may not \
be seen is not there: 404, not counted, not sorted, not included.
"""

CONSENT = """## Consent

A record is refused when a `deny` provision matches and none of the exceptions directly below it \
does. What a provision says that is not judged here (`code`, `dataPeriod`, classes other than \
resource types) never opens anything: a refusal then covers everything, an exception nothing. \
Only a Consent written by the patient's custodian or by a machine of the whole network binds. \
Whoever keeps or wrote a Consent always sees it, so that it can be withdrawn.
"""


def page() -> str:
    return "\n".join(
        (
            INTRODUCTION,
            "## Role × type (create, read, update, delete, search)\n",
            *_table(("types", *ROLES), _roles()),
            "\n## Relation × act\n",
            *_table(("relation", *Act, "a Consent that names nobody"), _relations()),
            "\n## Labels that close a record to all but these roles\n",
            *_table(("system", "code", "roles"), _labels()),
            f"\nPrograms of the organisation ({', '.join(sorted(PROGRAM_ROLES))}) act by their"
            " scopes.\n",
            CONSENT,
            *_table(("act", "Consent actions that it is"), _actions()),
            "",
        )
    )


def _roles() -> Iterable[tuple[str, ...]]:
    for group, row in TABLE.items():
        yield (", ".join(GROUPS[group]), *(cell or "–" for cell in row))


def _relations() -> Iterable[tuple[str, ...]]:
    for relation, acts in ACTS.items():
        bound = "refuses" if relation in UNNAMED_REFUSALS_BIND else "does not bind"
        yield (relation.value, *("permit" if act in acts else "deny" for act in Act), bound)


def _labels() -> Iterable[tuple[str, ...]]:
    for (system, code), roles in RESTRICTED.items():
        yield (system, code, ", ".join(sorted(roles)))


def _actions() -> Iterable[tuple[str, ...]]:
    for act, actions in ACTIONS.items():
        yield (act.value, ", ".join(sorted(actions)))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    PAGE.write_text(page())
