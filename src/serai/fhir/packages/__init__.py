"""FHIR packages: the npm-style archives that implementation guides are published in."""

from __future__ import annotations

from serai.fhir.packages.archive import Package, read
from serai.fhir.packages.loading import Loaded, load, loaded

__all__ = ["Loaded", "Package", "load", "loaded", "read"]
