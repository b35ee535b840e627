"""Every search parameter of the supported types finds its place in the resource."""

from __future__ import annotations

import pytest

from serai.fhir import definitions
from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.search import expression
from serai.fhir.search.expression import HoldsUnlessFalse, NotUnderstood
from serai.fhir.search.plan import arrive, emits
from serai.fhir.search.stored_under import is_kept_elsewhere, stored_under

# Types of value that a parameter of that kind has no way to index, in R4's own expressions:
# free-text dates, ages, the attachment of a Consent, and a probability given as a range, which is
# in percent where the decimal is not.
PASSED_OVER = {
    ("date", "string"),
    ("date", "Age"),
    ("date", "Range"),
    ("number", "Range"),
    ("reference", "Attachment"),
}


@pytest.mark.parametrize("resource_type", sorted(RESOURCE_TYPES))
def test_every_supported_parameter_can_be_indexed(resource_type: str) -> None:
    parameters = definitions.search_parameters(resource_type).values()
    left_out = [
        parameter.code
        for parameter in parameters
        if parameter.is_supported
        and not list(emits(resource_type, parameter))
        and stored_under(resource_type, parameter.code) == (parameter.code,)
    ]
    assert left_out == []


@pytest.mark.parametrize("resource_type", sorted(RESOURCE_TYPES))
def test_every_path_arrives_at_a_value_that_is_indexed(resource_type: str) -> None:
    for parameter in definitions.search_parameters(resource_type).values():
        if not parameter.is_supported or parameter.type == "composite":
            continue
        indexed = {spot.hops for spot, _ in emits(resource_type, parameter)}
        for path in expression.read(parameter.expression):
            if path.root != resource_type or isinstance(path.steps[-1], HoldsUnlessFalse):
                continue
            spots = arrive(resource_type, path)
            assert spots, f"{parameter.code}: {path} leads nowhere"
            for spot in spots:
                kind = spot.kind.code if spot.kind else ""
                elsewhere = is_kept_elsewhere(resource_type, parameter.code, kind)
                passed_over = (parameter.type, kind) in PASSED_OVER
                assert spot.hops in indexed or passed_over or elsewhere


def test_the_kinds_of_parameter_left_for_later_are_known() -> None:
    left = {
        parameter.type if parameter.expression else parameter.code
        for resource_type in RESOURCE_TYPES
        for parameter in definitions.search_parameters(resource_type).values()
        if not parameter.is_supported
    }
    assert left == {"_text", "_content", "_query"}


def test_an_expression_beyond_the_subset_is_refused_not_misread() -> None:
    with pytest.raises(NotUnderstood):
        expression.read("Patient.name.select(given & family)")
