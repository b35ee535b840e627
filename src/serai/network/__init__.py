"""Organisations, their tiers, specialties and staff; who may be asked for an opinion."""

from serai.network.directory import (
    Directory,
    Organisation,
    StaffMember,
    directory,
    staff_of,
)
from serai.network.model import SPECIALTIES, Specialty, Tier

__all__ = [
    "SPECIALTIES",
    "Directory",
    "Organisation",
    "Specialty",
    "StaffMember",
    "Tier",
    "directory",
    "staff_of",
]
