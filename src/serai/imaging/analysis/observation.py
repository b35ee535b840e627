"""An analysis as FHIR: a preliminary Observation whose device names the analyser, its version
and its hash (https://hl7.org/fhir/R4/observation.html), and the Provenance of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from serai.imaging.analysis.records import Analysis
from serai.imaging.analysis.wording import english
from serai.imaging.archive.imaging_study import DICOM_UID
from serai.kernel.clock import instant

Resource = dict[str, Any]

CODES = "https://serai.health/fhir/CodeSystem/analysis"
IDENTIFIER = "https://serai.health/fhir/NamingSystem/analysis"
CATEGORY = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}
    ]
}
SYSTEMS = {
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "SCT": "http://snomed.info/sct",
    "99SERAI": CODES,
}
UCUM = "http://unitsofmeasure.org"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
DEVICE_ID = "analyser"


def observation(analysis: Analysis, study: Mapping[str, Any], now: datetime) -> Resource:
    """What was measured; the figure that stands for all is the value, the rest components."""
    figures, findings = analysis.result["figures"], analysis.result["findings"]
    main = [each for each in figures if not each["site"]]
    alone = main[0] if len(main) == 1 else None
    components: list[Resource] = [
        {"code": _figure_code(each), "valueQuantity": _quantity(each)}
        for each in figures
        if each is not alone
    ]
    components += [
        {"code": _concept(each["code"]), "valueString": english(each)} for each in findings
    ]
    resource: Resource = {
        "resourceType": "Observation",
        "contained": [_device(analysis)],
        "identifier": [{"system": IDENTIFIER, "value": analysis.id}],
        "status": "preliminary",
        "category": [CATEGORY],
        "code": {
            "coding": [{"system": CODES, "code": analysis.analyser, "display": analysis.title}],
            "text": analysis.title,
        },
        "subject": study["subject"],
        "issued": instant(now),
        "device": {"reference": f"#{DEVICE_ID}", "display": _device_name(analysis)},
        "derivedFrom": [_study(analysis)],
        "note": [{"text": "Made by a program; preliminary until a doctor has signed it."}],
    }
    if "started" in study:
        resource["effectiveDateTime"] = study["started"]
    if alone:
        resource["valueQuantity"] = _quantity(alone)
    return resource | ({"component": components} if components else {})


def withdrawn(current: Mapping[str, Any]) -> Resource:
    """A newer look found that there was nothing to rely on."""
    return {**current, "status": "cancelled"}


def provenance(analysis: Analysis, observation_id: str, version: int, now: datetime) -> Resource:
    return {
        "resourceType": "Provenance",
        "contained": [_device(analysis)],
        "target": [{"reference": f"Observation/{observation_id}/_history/{version}"}],
        "recorded": instant(now),
        "activity": {"text": f"{analysis.title}: series {analysis.series}"},
        "agent": [
            {
                "type": {"coding": [{"system": PARTICIPANT, "code": "assembler"}]},
                "who": {"reference": f"#{DEVICE_ID}", "display": _device_name(analysis)},
            }
        ],
        "entity": [{"role": "source", "what": _study(analysis)}],
    }


def _study(analysis: Analysis) -> Resource:
    """By its UID: a literal reference would keep people from deleting a study once analysed."""
    number = {"system": DICOM_UID, "value": f"urn:oid:{analysis.study}"}
    return {"type": "ImagingStudy", "identifier": number}


def _device(analysis: Analysis) -> Resource:
    return {
        "resourceType": "Device",
        "id": DEVICE_ID,
        "identifier": [{"system": "urn:ietf:rfc:6920", "value": f"sha-256;{analysis.fingerprint}"}],
        "deviceName": [{"name": analysis.title, "type": "user-friendly-name"}],
        "modelNumber": analysis.analyser,
        "version": [{"value": analysis.revision}],
    }


def _device_name(analysis: Analysis) -> str:
    return f"{analysis.title} {analysis.revision}"


def _figure_code(figure: Mapping[str, Any]) -> Resource:
    coded = _concept(figure["code"])
    if figure["site"]:
        # The measure and where: one component for each place.
        coded["coding"] += _concept(figure["site"])["coding"]
        coded["text"] = f"{figure['code']['meaning']}: {figure['site']['meaning']}"
    return coded


def _concept(code: Mapping[str, str]) -> Resource:
    coding = {"system": SYSTEMS[code["scheme"]], "code": code["value"], "display": code["meaning"]}
    return {"coding": [coding], "text": code["meaning"]}


def _quantity(figure: Mapping[str, Any]) -> Resource:
    return {
        "value": figure["value"],
        "unit": figure["unit"].strip("{}"),
        "system": UCUM,
        "code": figure["unit"],
    }
