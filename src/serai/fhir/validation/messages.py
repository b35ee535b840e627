"""The English text behind each key of a validation issue; catalogues translate it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MESSAGES: Final[Mapping[str, str]] = {
    "fhir.ait-1": "Needs a clinical status, unless it was entered in error (ait-1).",
    "fhir.ait-2": "Entered in error: it cannot have a clinical status (ait-2).",
    "fhir.att-1": "Data needs a content type (att-1).",
    "fhir.bad-value": "Not a valid {type}.",
    "fhir.code-not-allowed": "Not one of the codes that R4 allows here.",
    "fhir.code-not-in-value-set": "No code from the required value set {value_set}.",
    "fhir.con-4": "Abated: the clinical status must be inactive, resolved or remission (con-4).",
    "fhir.con-5": "Entered in error: it cannot have a clinical status (con-5).",
    "fhir.cpt-2": "A value needs a system, such as phone or email (cpt-2).",
    "fhir.dom-4": "A contained resource has no version or date of its own (dom-4).",
    "fhir.dom-5": "A contained resource has no security label of its own (dom-5).",
    "fhir.empty": "Empty; leave it out or give it content.",
    "fhir.extension-says-nothing": "An extension needs a value or extensions.",
    "fhir.extension-value-and-extensions": "An extension has a value or extensions, not both.",
    "fhir.missing": "Required, but missing.",
    "fhir.narrative-empty": "The narrative has neither text nor picture.",
    "fhir.narrative-malformed": "The narrative is not well-formed XHTML.",
    "fhir.narrative-not-a-div": "The narrative must be one div in the XHTML namespace.",
    "fhir.narrative-unsafe": "The narrative holds a tag, attribute or address not allowed there.",
    "fhir.nested-contained": "A contained resource must not contain another.",
    "fhir.not-allowed-here": "Not allowed here.",
    "fhir.not-an-array": "Must be an array.",
    "fhir.not-an-object": "Must be an object.",
    "fhir.not-repeatable": "Only one allowed here, not an array.",
    "fhir.null": "null is not allowed here.",
    "fhir.obs-6": "With a value there is no reason for its absence (obs-6).",
    "fhir.org-1": "An organisation needs a name or an identifier (org-1).",
    "fhir.pat-1": "A contact needs a name, telecom, address or organisation (pat-1).",
    "fhir.per-1": "The end lies before the start (per-1).",
    "fhir.prr-1": "Order details need the code of what is ordered (prr-1).",
    "fhir.qty-3": "The code of a unit needs its system (qty-3).",
    "fhir.ref-1": "Refers to a contained resource that is not there (ref-1).",
    "fhir.several-choices": "Only one of the possible types may be given.",
    "fhir.too-deep": "Nested too deeply.",
    "fhir.twins-differ": "Must be as long as the array of values it belongs to.",
    "fhir.unknown-element": "R4 has no such element here.",
    "fhir.unknown-resource-type": "Not an R4 resource type.",
    "fhir.wrong-target": "May not refer to this kind of resource; allowed: {allowed}.",
}
