"""R4 as HL7 published it: types, elements, parameters, compartments, codes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from serai.fhir import definitions
from serai.fhir.definitions import RESOURCE_TYPES


def test_every_resource_type_of_r4_is_known() -> None:
    # R4 counts 148 with the abstract Resource and DomainResource.
    assert len(RESOURCE_TYPES) == 146
    assert {"Patient", "Bundle", "Parameters", "Binary", "VisionPrescription"} <= RESOURCE_TYPES
    assert RESOURCE_TYPES.isdisjoint({"Resource", "DomainResource", "SubscriptionStatus"})


def test_an_element_knows_its_cardinality_and_types() -> None:
    status = definitions.element("Observation", "status")
    assert status is not None
    assert (status.minimum, status.repeats, status.types[0].code) == (1, False, "code")
    subject = definitions.element("Observation", "subject")
    assert subject is not None
    assert subject.types[0].targets == {"Patient", "Group", "Device", "Location"}


def test_a_choice_lists_one_json_key_for_each_type() -> None:
    value = definitions.element("Observation", "value")
    assert value is not None
    assert value.is_choice
    assert {"valueQuantity", "valueString", "valueDateTime"} <= value.json_names().keys()


def test_additions_by_other_vendors_are_not_taken_for_r4() -> None:
    assert definitions.element("Meta", "project") is None
    assert definitions.element("ResearchStudy", "label") is None


def test_an_element_outside_r4_is_unknown() -> None:
    assert definitions.element("Patient", "shoeSize") is None
    with pytest.raises(KeyError):
        definitions.elements("Pigeon")


def test_search_parameters_include_those_of_every_resource() -> None:
    patient = definitions.search_parameters("Patient")
    assert {"name", "birthdate", "_id", "_lastUpdated", "_tag", "_profile"} <= patient.keys()
    assert patient["general-practitioner"].targets == {
        "Practitioner",
        "PractitionerRole",
        "Organization",
    }
    assert "_text" not in definitions.search_parameters("Binary")


def test_parameters_that_cannot_be_honoured_say_so() -> None:
    observation = definitions.search_parameters("Observation")
    assert observation["code"].is_supported
    assert observation["value-quantity"].is_supported
    assert [one.code for one in observation["code-value-concept"].components] == [
        "code",
        "value-concept",
    ]
    assert not observation["_content"].is_supported


def test_the_patient_compartment_is_hl7s() -> None:
    compartment = definitions.compartment_params("Patient")
    assert compartment["Observation"] == ("performer", "subject")
    assert "Organization" not in compartment


def test_a_required_value_set_lists_its_codes() -> None:
    genders = definitions.value_set("http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1")
    assert genders == {
        "http://hl7.org/fhir/administrative-gender": frozenset(
            {"male", "female", "other", "unknown"}
        )
    }
    assert definitions.value_set("http://hl7.org/fhir/ValueSet/mimetypes") is None


def test_definitions_load_quickly() -> None:
    timed = (
        "import msgspec, gzip, dataclasses, importlib.resources, time; a = time.process_time();"
        "import serai.fhir.definitions; print(time.process_time() - a)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", timed], check=True, capture_output=True, text=True)
        for _ in range(3)
    ]
    assert min(float(one.stdout) for one in runs) < 0.06
