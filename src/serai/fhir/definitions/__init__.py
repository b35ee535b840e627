"""HL7's R4 definitions: types, elements, search parameters, compartments, required codes."""

from serai.fhir.definitions.model import Component, Element, SearchParameter, TypeRef
from serai.fhir.definitions.r4 import (
    COMPARTMENTS,
    COMPLEX_TYPES,
    FHIR_VERSION,
    RESOURCE_TYPES,
    children,
    compartment_params,
    element,
    elements,
    search_parameters,
    summary,
    value_set,
)

__all__ = [
    "COMPARTMENTS",
    "COMPLEX_TYPES",
    "FHIR_VERSION",
    "RESOURCE_TYPES",
    "Component",
    "Element",
    "SearchParameter",
    "TypeRef",
    "children",
    "compartment_params",
    "element",
    "elements",
    "search_parameters",
    "summary",
    "value_set",
]
