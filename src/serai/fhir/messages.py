"""The English text behind the keys this room raises; those of validation stand with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from serai.fhir.validation import MESSAGES as VALIDATION_MESSAGES
from serai.web import wording

MESSAGES: Final[Mapping[str, str]] = {
    **VALIDATION_MESSAGES,
    "auth.required": "Sign in or send a bearer token.",
    "auth.scope": "This access does not cover that.",
    "bulk.format": "_outputFormat can only be application/fhir+ndjson.",
    "bulk.import-type": "Send the resources as application/fhir+ndjson.",
    "bulk.machines-only": "Only a system with a token of its own works in bulk.",
    "bulk.not-offered": "The parameter {parameter} is not offered by this server's $export.",
    "bulk.parameters": "Send the parameters as a Parameters resource.",
    "bulk.prefer-async": "This takes long: send the header Prefer: respond-async.",
    "bulk.since": "_since must be an instant with a time zone.",
    "bulk.system-only": "Only access to the whole system covers that.",
    "bulk.token-revoked": "The access that asked for this was revoked.",
    "bulk.type": "{type} is not a type that this exports.",
    "bundle.bad-entry": "The Bundle cannot be read: {at}.",
    "bundle.full-url-twice": "Two entries have the same fullUrl.",
    "bundle.method": "{method} is not offered in a Bundle.",
    "bundle.no-request": "Each entry needs request.method and request.url.",
    "bundle.no-resource": "This entry needs a resource.",
    "bundle.not-a-bundle": "Only a Bundle can be posted to the base address.",
    "bundle.reference": "A conditional reference to {type} matches nothing.",
    "bundle.type": "A Bundle of type {type} cannot be processed; send a batch or transaction.",
    "bundle.unresolved": "{reference} is the fullUrl of no entry in this transaction.",
    "database.busy": "The server is busy; try again shortly.",
    "database.unreachable": "The database does not answer.",
    "fhir.body-too-large": "The request is larger than {most} bytes.",
    "fhir.content-type": "Send application/fhir+json.",
    "fhir.duplicate-key": "An object has the same key twice.",
    "fhir.form": "The form cannot be read.",
    "fhir.gone": "{resource} was deleted.",
    "fhir.header": "The header {header} cannot be read.",
    "fhir.id-in-create": "A create must not carry parameters.",
    "fhir.id-taken": "{resource} cannot be created: the id is taken.",
    "fhir.invalid": "The resource is not valid R4.",
    "fhir.json": "Not valid JSON: {at}.",
    "fhir.method": "{method} is not offered here.",
    "fhir.no-id": "The resource needs the id that the address names.",
    "fhir.no-resource-type": "resourceType is missing.",
    "fhir.not-acceptable": "This server answers in JSON only (application/fhir+json).",
    "fhir.not-an-object": "Must be a JSON object.",
    "fhir.not-found": "{resource} is not known here.",
    "fhir.not-utf8": "The text is not UTF-8.",
    "fhir.nul-character": "The character U+0000 is not allowed.",
    "fhir.other-id": "The id in the resource is not the one in the address.",
    "fhir.other-type": "The resource is not a {wanted}.",
    "fhir.scope": "This access does not include the interaction {interaction} on {type}.",
    "fhir.shared-to-read": "{resource} is shared with you for reading only.",
    "fhir.stale": "{resource} has another version by now.",
    "fhir.too-deep": "Nested too deeply.",
    "fhir.unknown-address": "Nothing is served at this address.",
    "fhir.unknown-patient": "The patient it is about is not known here.",
    "fhir.unknown-type": "{type} is not an R4 resource type.",
    "fhir.written-twice": "The same resource is written twice.",
    "job.broke": "The work stopped with an error; it is in the server's log.",
    "job.failed": "The work failed: {reason}",
    "job.gave-up": "The work could not go on and can be resumed.",
    "job.not-found": "There is no such job, or it is no longer kept.",
    "job.too-long": "The work was stopped because it took more than {hours} hours.",
    "operation.bad-parameter": "The parameter {parameter} must be {expected}.",
    "operation.parameter-missing": "The parameter {parameter} is missing.",
    "operation.parameter-twice": "The parameter {parameter} can be given only once.",
    "operation.unknown": "There is no operation {operation} here.",
    "operation.unknown-parameter": "The operation has no parameter {parameter}.",
    "search.count": "_count must be a whole number.",
    "search.cursor": "The {parameter} in this address was not made by this server.",
    "search.date": "The date in {parameter} cannot be read.",
    "search.empty": "{parameter} has no value.",
    "search.ignored": "{parameter} is not honoured and was left out.",
    "search.include": "This {parameter} is not offered.",
    "search.missing": "{parameter} takes true or false.",
    "search.modifier": "The modifier in {parameter} is not offered.",
    "search.no-condition": "A condition is missing.",
    "search.reference": "The reference in {parameter} cannot be read.",
    "search.several-matches": "The condition matches several {type} resources.",
    "search.sort": "_sort by {by} is not offered.",
    "search.summary": "Only _summary=count is offered.",
    "search.token": "The token in {parameter} cannot be read.",
    "search.too-many-included": "More than {most} resources would be included; ask for fewer.",
    "search.too-many-parameters": "More than {most} parameters in one search.",
    "search.total": "_total takes none, estimate or accurate.",
    "search.unknown-parameter": "{type} has no search parameter {parameter}.",
    "search.unsupported-parameter": "The search parameter {parameter} is not offered.",
}


def text(key: str, details: Mapping[str, object]) -> str:
    """The sentence; that of the pages for what a capability's rule refuses."""
    template = MESSAGES.get(key)
    return template.format_map(_Facts(details)) if template else wording.text(key, details)


class _Facts(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return name
