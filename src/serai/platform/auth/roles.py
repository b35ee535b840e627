"""What each staff role may do, as one table for a security officer to read.

Every cell lists interactions: c(reate) r(ead) u(pdate) d(elete) s(earch). A resource type that
no group names is closed to staff. Which *records* somebody sees is a second
question, answered by the store: those of the own organisation and those shared for an open
reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from serai.kernel.errors import Invalid

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "people": ("Patient", "RelatedPerson", "Person"),
        "record": (
            "AllergyIntolerance", "AdverseEvent", "BodyStructure", "CarePlan", "CareTeam",
            "ClinicalImpression", "Composition", "Condition", "DetectedIssue", "Device",
            "DeviceMetric", "DeviceUseStatement", "DiagnosticReport", "DocumentManifest",
            "DocumentReference", "Encounter", "EpisodeOfCare", "FamilyMemberHistory", "Flag",
            "Goal", "ImagingStudy", "Immunization", "ImmunizationEvaluation", "List", "Media",
            "Medication", "MedicationAdministration", "MedicationDispense", "MedicationStatement",
            "MolecularSequence", "NutritionOrder", "Observation", "Procedure",
            "QuestionnaireResponse", "RiskAssessment", "Specimen", "VisionPrescription",
        ),
        "orders": ("DeviceRequest", "ImmunizationRecommendation", "MedicationRequest",
                   "RequestGroup"),
        "requests": ("ServiceRequest", "Task", "Communication", "CommunicationRequest"),
        "files": ("Binary", "Bundle", "Provenance"),
        "diary": ("Appointment", "AppointmentResponse", "Schedule", "Slot"),
        "consent": ("Consent",),
        "places": ("Organization", "OrganizationAffiliation", "Location", "HealthcareService",
                   "Endpoint", "Practitioner", "PractitionerRole"),
        "definitions": ("ActivityDefinition", "CapabilityStatement", "CodeSystem", "ConceptMap",
                        "NamingSystem", "OperationDefinition", "PlanDefinition",
                        "Questionnaire", "SearchParameter", "StructureDefinition", "ValueSet"),
        "subscriptions": ("Subscription",),
        "trail": ("AuditEvent",),
    }
)  # fmt: skip

ROLES = ("doctor", "expert", "desk", "admin")

# Nobody on the staff deletes: a record entered in error is marked so and stays readable.
# Administrators run the house and see no patient. The desk registers patients and routes
# requests; of the record it reads what it must attach and forward.
TABLE: Mapping[str, tuple[str, str, str, str]] = MappingProxyType(
    {
        #               doctor  expert  desk    admin
        "people":      ("crus", "rs",   "crus", ""),
        "record":      ("crus", "crus", "rs",   ""),
        "orders":      ("crus", "rs",   "",     ""),
        "requests":    ("crus", "crus", "crus", ""),
        "files":       ("crus", "crus", "rs",   ""),
        "diary":       ("crus", "crus", "crus", ""),
        "consent":     ("crus", "rs",   "rs",   ""),
        "places":      ("rs",   "rs",   "rs",   "crus"),
        "definitions": ("rs",   "rs",   "rs",   "rs"),
        "subscriptions": ("",   "",     "",     "crus"),
        "trail":       ("",     "",     "",     "rs"),
    }
)  # fmt: skip


def scopes_of(role: str) -> frozenset[str]:
    """The role's column as SMART v2 scopes."""
    return _SCOPES[known_role(role)]


def known_role(role: str) -> str:
    if role not in ROLES:
        raise Invalid("account.unknown-role", role=role[:40], known=ROLES)
    return role


def _column_as_scopes(column: int) -> frozenset[str]:
    return frozenset(
        f"user/{resource_type}.{row[column]}"
        for group, row in TABLE.items()
        for resource_type in GROUPS[group]
        if row[column]
    )


_SCOPES = {role: _column_as_scopes(column) for column, role in enumerate(ROLES)}
