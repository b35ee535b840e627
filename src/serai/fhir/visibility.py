"""Who may see which row: one SQL clause on every path, so that a search can never count, sort
or page what the actor may not read.

A row is visible to a system-wide actor; to everybody when its type describes the network
itself rather than a person's care; to the organisation that authored it; to the custodian of
every patient it is about; and to an organisation it is shared with while the reason is open.
What is not visible is not there: 404, never 403. Who holds a link to one resource sees what the
organisation that gave it sees of that resource, and changes nothing. A patient sees the own
record, a guardian that of whom they act for, and they change nothing either.
"""

from __future__ import annotations

from typing import Any

from serai.kernel.actor import Actor, Kind
from serai.kernel.errors import Forbidden

# Types that describe the network, knowledge or vocabulary: no patient is found in them.
SHARED_TYPES = frozenset(
    {
        "ActivityDefinition", "CapabilityStatement", "ChargeItemDefinition", "CodeSystem",
        "CompartmentDefinition", "ConceptMap", "Endpoint", "EventDefinition", "Evidence",
        "EvidenceVariable", "ExampleScenario", "GraphDefinition", "HealthcareService",
        "ImplementationGuide", "InsurancePlan", "Library", "Location", "Measure", "Medication",
        "MedicationKnowledge", "MessageDefinition", "NamingSystem", "ObservationDefinition",
        "OperationDefinition", "Organization", "OrganizationAffiliation", "PlanDefinition",
        "Practitioner", "PractitionerRole", "Questionnaire", "ResearchDefinition",
        "ResearchElementDefinition", "SearchParameter", "SpecimenDefinition",
        "StructureDefinition", "StructureMap", "Substance", "TerminologyCapabilities",
        "TestScript", "ValueSet",
    }
)  # fmt: skip

_SHARED_LIST = ", ".join(f"'{name}'" for name in sorted(SHARED_TYPES))

# The custodian of a patient is the owner of the Patient row; of a record about several
# patients only somebody who keeps all of them sees everything it says.
_CUSTODIAN = """{r}.patients <> '{{}}' AND NOT EXISTS (
    SELECT 1 FROM unnest({r}.patients) AS about(id)
    WHERE NOT EXISTS (SELECT 1 FROM fhir_resource kept
                      WHERE kept.type = 'Patient' AND kept.id = about.id
                        AND kept.owner = %(visible_to)s))"""

_SHARED_WITH = """EXISTS (
    SELECT 1 FROM fhir_share shared
    WHERE shared.organisation = %(visible_to)s AND shared.type = {r}.type
      AND shared.id = {r}.id AND shared.closed_at IS NULL)"""

_VISIBLE = f"""({{r}}.type IN ({_SHARED_LIST})
    OR {{r}}.owner = %(visible_to)s
    OR ({_CUSTODIAN})
    OR {_SHARED_WITH})"""

# A patient sees their own record and a guardian that of those they act for: what is about nobody
# else.
_OWN_RECORD = f"""({{r}}.type IN ({_SHARED_LIST})
    OR ({{r}}.patients <> '{{{{}}}}' AND {{r}}.patients <@ %(own_patients)s::text[]))"""

_ONLY = "{r}.type = %(only_type)s AND {r}.id = %(only_id)s AND {visible}"

# Sharing is for reading. An organisation changes what it authored, what is about its own
# patients, and itself; the network's own entries only where it made them.
_CHANGEABLE = f"""({{r}}.owner = %(visible_to)s
    OR ({{r}}.type = 'Organization' AND {{r}}.id = %(visible_to)s)
    OR ({_CUSTODIAN}))"""


def clause(actor: Actor, alias: str = "r") -> tuple[str, dict[str, Any]]:
    """SQL condition and its named parameters: rows of `alias` the actor may see."""
    if actor.kind is Kind.PATIENT:
        return _OWN_RECORD.format(r=alias), {"own_patients": list(actor.patients)}
    visible, values = _for(actor, _VISIBLE, alias)
    if actor.only is None:
        return visible, values
    names = {"only_type": actor.only[0], "only_id": actor.only[1]}
    return _ONLY.format(r=alias, visible=visible), {**values, **names}


def change_clause(actor: Actor, alias: str = "r") -> tuple[str, dict[str, Any]]:
    """SQL condition: rows of `alias` the actor may also change."""
    if actor.only is not None or actor.kind is Kind.PATIENT:
        return "FALSE", {}
    return _for(actor, _CHANGEABLE, alias)


def require(actor: Actor, interaction: str, resource_type: str) -> None:
    """The scope gate in front of every interaction: c, r, u, d or s on a type."""
    if not actor.may(interaction, resource_type):
        raise Forbidden("fhir.scope", interaction=interaction, type=resource_type)


def _for(actor: Actor, template: str, alias: str) -> tuple[str, dict[str, Any]]:
    if actor.system_wide:
        return "TRUE", {}
    if actor.organisation is None:
        return "FALSE", {}
    return template.format(r=alias), {"visible_to": actor.organisation}
