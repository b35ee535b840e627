"""The shape of a care network: tiers, who stands under whom, specialties. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

SERAI = "https://serai.health/fhir"
TIER_SYSTEM = f"{SERAI}/CodeSystem/tier"
STAFF_ROLE_SYSTEM = f"{SERAI}/CodeSystem/staff-role"
SERVICE_SYSTEM = f"{SERAI}/CodeSystem/service"
ORGANISATION_CODES = f"{SERAI}/NamingSystem/organisation"
STAFF_LOGINS = f"{SERAI}/NamingSystem/staff"
SNOMED_CT = "http://snomed.info/sct"


class Tier(StrEnum):
    """The four tiers of a county consortium, and hospitals abroad."""

    LEAD = "lead"
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"
    PARTNER = "partner"


# What a tier stands under; None means that it stands at the top.
PARENT_TIER: Mapping[Tier, Tier | None] = MappingProxyType(
    {
        Tier.LEAD: None,
        Tier.COUNTY: Tier.LEAD,
        Tier.TOWNSHIP: Tier.COUNTY,
        Tier.VILLAGE: Tier.TOWNSHIP,
        Tier.PARTNER: None,
    }
)


@dataclass(frozen=True, slots=True)
class Specialty:
    """A practice setting: our short code, its SNOMED CT code and English name."""

    code: str
    snomed: str
    name: str


def _specialties(*rows: tuple[str, str, str]) -> Mapping[str, Specialty]:
    return MappingProxyType({code: Specialty(code, snomed, name) for code, snomed, name in rows})


# From the practice settings that R4 names (http://hl7.org/fhir/R4/valueset-c80-practice-codes.html).
SPECIALTIES = _specialties(
    ("anaesthetics", "394577000", "Anaesthetics"),
    ("cardiac-surgery", "408466002", "Cardiac surgery"),
    ("cardiology", "394579002", "Cardiology"),
    ("critical-care", "408478003", "Critical care"),
    ("dentistry", "394812008", "Dentistry"),
    ("dermatology", "394582007", "Dermatology"),
    ("ear-nose-throat", "418960008", "Ear, nose and throat"),
    ("emergency", "394576009", "Emergency medicine"),
    ("endocrinology", "394583002", "Endocrinology"),
    ("gastroenterology", "394584008", "Gastroenterology"),
    ("general-medicine", "394802001", "General medicine"),
    ("general-practice", "394814009", "General practice"),
    ("geriatrics", "394811001", "Geriatrics"),
    ("haematology", "394803006", "Haematology"),
    ("infectious-diseases", "394807007", "Infectious diseases"),
    ("nephrology", "394589003", "Nephrology"),
    ("neurology", "394591006", "Neurology"),
    ("neurosurgery", "394610002", "Neurosurgery"),
    ("nuclear-medicine", "394649004", "Nuclear medicine"),
    ("obstetrics-gynaecology", "394585009", "Obstetrics and gynaecology"),
    ("oncology", "394593009", "Oncology"),
    ("ophthalmology", "394594003", "Ophthalmology"),
    ("orthopaedics", "394801008", "Trauma and orthopaedics"),
    ("paediatrics", "394537008", "Paediatrics"),
    ("pathology", "394915009", "Pathology"),
    ("psychiatry", "394587001", "Psychiatry"),
    ("public-health", "408440000", "Public health"),
    ("radiology", "394914008", "Radiology"),
    ("radiotherapy", "419815003", "Radiotherapy"),
    ("rehabilitation", "394602003", "Rehabilitation"),
    ("respiratory", "418112009", "Respiratory medicine"),
    ("rheumatology", "394810000", "Rheumatology"),
    ("surgery", "394609007", "General surgery"),
    ("urology", "394612005", "Urology"),
)
BY_SNOMED: Mapping[str, Specialty] = MappingProxyType(
    {specialty.snomed: specialty for specialty in SPECIALTIES.values()}
)
