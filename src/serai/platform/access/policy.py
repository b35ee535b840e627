"""The policy, as tables that a security officer can read and change.

Whether a role may handle a *type* of record at all is `platform/auth/roles.py`; here is which
records of that type. docs/reference/access.md is written from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from serai.platform.access.facts import Act, Relation

# What the closest relation lets somebody do. Sharing and directories are for reading.
ACTS: Mapping[Relation, frozenset[Act]] = MappingProxyType(
    {
        Relation.WHOLE: frozenset(Act),
        Relation.CUSTODIAN: frozenset(Act),
        Relation.AUTHOR: frozenset(Act),
        Relation.SHARED: frozenset({Act.READ}),
        Relation.DIRECTORY: frozenset({Act.READ}),
        Relation.NONE: frozenset(),
    }
)

# A refusal that names nobody is meant for everybody else: the law binds who keeps the record and
# who wrote it to keep it usable. One that names somebody is meant for them, whatever they are.
UNNAMED_REFUSALS_BIND: Final = frozenset({Relation.SHARED, Relation.DIRECTORY})

# Which of FHIR's consent actions an act is (http://terminology.hl7.org/CodeSystem/consentaction).
ACTIONS: Mapping[Act, frozenset[str]] = MappingProxyType(
    {
        Act.READ: frozenset({"access", "use", "disclose"}),
        Act.CHANGE: frozenset({"access", "use", "disclose", "correct"}),
        Act.ERASE: frozenset({"access", "use", "disclose", "correct"}),
    }
)

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SENSITIVITY = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

# Labels that close a record to all but these roles, inside the own organisation too.
RESTRICTED: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        (CONFIDENTIALITY, "R"): frozenset({"doctor", "expert"}),
        (CONFIDENTIALITY, "V"): frozenset({"doctor"}),
        (SENSITIVITY, "HIV"): frozenset({"doctor", "expert"}),
        (SENSITIVITY, "PSY"): frozenset({"doctor", "expert"}),
        (SENSITIVITY, "PSYTHPN"): frozenset({"doctor"}),
        (SENSITIVITY, "SEX"): frozenset({"doctor", "expert"}),
        (SENSITIVITY, "SDV"): frozenset({"doctor", "expert"}),
        (SENSITIVITY, "ETH"): frozenset({"doctor", "expert"}),
    }
)
# The organisation's own programs act by their scopes, not by a role's training.
PROGRAM_ROLES: Final = frozenset({"system", "analyser", "modality"})


def closed_labels(role: str) -> frozenset[tuple[str, str]]:
    """The labels whose records somebody in this role does not see."""
    if role in PROGRAM_ROLES:
        return frozenset()
    return frozenset(label for label, roles in RESTRICTED.items() if role not in roles)
