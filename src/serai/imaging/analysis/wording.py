"""What the analysis hook says: reasons, findings, states; English here, the rest in catalogues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serai.web import wording
from serai.web.languages import N_

STATES: Mapping[str, str] = {
    "queued": N_("Queued"),
    "running": N_("Running"),
    "done": N_("Done"),
    "abstained": N_("Abstained"),
    "failed": N_("Failed"),
}
TONES: Mapping[str, str] = {
    "queued": "neutral",
    "running": "info",
    "done": "success",
    "abstained": "warning",
    "failed": "danger",
}
REASONS: Mapping[str, str] = {
    "mpps": N_("The modality has named all instances (MPPS)."),
    "commitment": N_("The modality has asked for storage commitment."),
    "count": N_("The stated number of instances is here."),
    "contiguous": N_("The instance numbers are whole and the sender has finished."),
    "quiet": N_("Nothing more has come for a while."),
    "asked": N_("Somebody asked for it."),
}
# Figures and places by the value of their codes.
NAMES: Mapping[str, str] = {
    "slices": N_("Number of slices"),
    "slice-spacing": N_("Distance between slices"),
    "slices-missing": N_("Missing slices"),
    "tilt": N_("Tilt of the slices against their stacking"),
    "113813": N_("Total dose length product"),
    "113722": N_("Total dose area product"),
    "113812": N_("Irradiation events"),
    "laa-950": N_("Share of the lungs below -950 HU"),
    "lung-volume": N_("Volume of both lungs"),
    "agatston": N_("Agatston score"),
    "3227004": N_("Left main coronary artery"),
    "59438005": N_("Left anterior descending coronary artery"),
    "57396003": N_("Circumflex coronary artery"),
    "13647002": N_("Right coronary artery"),
    "ecg-rate": N_("Heart rate"),
    "ecg-pr": N_("PR interval"),
    "ecg-qrs": N_("QRS duration"),
    "ecg-qt": N_("QT interval"),
    "ecg-qtc-bazett": N_("QTc (Bazett)"),
    "ecg-qtc-frider": N_("QTc (Fridericia)"),
}
FINDINGS: Mapping[str, str] = {
    "mixed-direction": N_("Slices look in %(count)s directions."),
    "mixed-patient": N_("The series names %(count)s patients."),
    "mixed-frame": N_("The series has %(count)s frames of reference."),
    "doubled-position": N_("%(count)s slices lie where another one lies."),
    "slices-missing": N_("%(count)s slices are missing."),
    "uneven-spacing": N_("Distances between slices go from %(shortest)s to %(longest)s mm."),
    "gantry-tilt": N_("The gantry was tilted by %(degrees)s°."),
    "ecg-irregular": N_("The rhythm is irregular; please review."),
}
WHY: Mapping[str, str] = {
    "analysis.too-few-slices": N_(
        "Only %(found)s images say where they lie; %(fewest)s are needed."
    ),
    "analysis.mixed-attribute": N_("%(attribute)s differs between the images."),
    "analysis.attribute-missing": N_("%(attribute)s is missing."),
    "analysis.not-hounsfield": N_("The pixels are not in Hounsfield units."),
    "analysis.no-dose": N_("The report states no total dose that is known here."),
    "analysis.dose-differs": N_(
        "The parts add up to %(summed)s, the report states %(stated)s %(unit)s."
    ),
    "analysis.dose-unreadable": N_("A value of %(concept)s is not one number."),
    "analysis.dose-unit": N_("A value of %(concept)s is in %(unit)s."),
    "analysis.too-deep": N_("The report is nested too deeply."),
    "analysis.kernel": N_("The kernel %(kernel)s changes the share of low attenuation."),
    "analysis.too-thick": N_("Slices of %(thickness)s mm; at most %(most)s mm are allowed."),
    "analysis.contrast": N_("Contrast medium was given."),
    "analysis.not-a-volume": N_("The slices are not parallel, upright and evenly spaced."),
    "analysis.lungs-not-found": N_("Two whole lungs were not found (%(millilitres)s mL)."),
    "analysis.no-marks": N_("The segmentation marks no coronary artery of images kept here."),
    "analysis.not-marked-by-a-reader": N_(
        "The arteries were marked by a program, not by a reader."
    ),
    "analysis.kilovolts": N_("Scanned at %(found)s kV; the score is defined for %(wanted)s kV."),
    "analysis.not-gated": N_("The scan was not gated by the ECG, or does not say so."),
    "analysis.slices-not-side-by-side": N_("The slices overlap, or leave gaps between them."),
    "analysis.several-recordings": N_("The series has several recordings."),
    "analysis.ecg-unclear": N_("The two ways of measuring agree on no interval."),
    "analysis.no-pixels": N_("The series has no images."),
    "analysis.not-one-grey-image": N_("The images are not single grey images."),
    "analysis.model-output": N_("The model gave %(found)s values instead of %(expected)s."),
    "analysis.model-not-finite": N_("The model gave something that is not a number."),
    "analysis.too-slow": N_("It took more than %(seconds)s seconds and was stopped."),
    "analysis.too-much-cpu": N_("It used more than %(seconds)s seconds of processor time."),
    "analysis.too-much-memory": N_("It wanted more than %(megabytes)s MB of memory."),
    "analysis.crashed": N_("The analyser crashed (%(code)s)."),
    "analysis.broke": N_("The analyser broke (%(error)s)."),
    "analysis.result-too-large": N_("The result is too large."),
    "analysis.result-unreadable": N_("The result cannot be read."),
    "analysis.result-refused": N_("The archive refused the result (%(key)s)."),
    "analysis.too-large": N_("The series has more than %(megabytes)s MB."),
    "analysis.gone": N_("The series or the analyser is no longer here."),
    "analysis.interrupted": N_("The server was stopped in the middle several times."),
}
wording.add(WHY)
wording.add({f"analysis.name {key}": name for key, name in NAMES.items()})
wording.add({f"analysis.finding {key}": sentence for key, sentence in FINDINGS.items()})
wording.add(
    {
        "analysis.no-such-series": N_("There is no such series here."),
        "analysis.no-such-analyser": N_("There is no analyser called %(name)s."),
        "analysis.not-found": N_("There is no such analysis, or its study is not shared with you."),
        "analysis.has-not-failed": N_("Only an analysis that failed can be tried again."),
        "analysis.queued": N_("The analysis is queued again."),
        "analysis.parameter": N_("%(parameter)s is not a parameter here, or has no such value."),
        "model.name": N_("The folder's name is not letters, digits and hyphens in lower case."),
        "model.card-unreadable": N_("card.yaml cannot be read."),
        "model.card-field": N_("card.yaml: %(field)s is missing, unknown or not right."),
        "model.file-missing": N_("%(file)s is missing."),
        "model.other-bytes": N_("model.onnx is not the file whose SHA-256 the card names."),
        "model.too-large": N_("%(file)s is too large."),
        "model.unreadable": N_("The folder cannot be read."),
    }
)


def english(finding: Mapping[str, Any]) -> str:
    """A finding as it stands in the record, whose language is the same for all readers."""
    sentence = FINDINGS.get(finding["code"]["value"])
    return sentence % finding["details"] if sentence else str(finding["code"]["meaning"])


def finding_text(finding: Mapping[str, Any]) -> str:
    """A finding in the reader's language."""
    key = f"analysis.finding {finding['code']['value']}"
    known = wording.known(key)
    return wording.text(key, finding["details"]) if known else str(finding["code"]["meaning"])


def figure_name(figure: Mapping[str, Any]) -> str:
    """What was measured, or where when there is a place; as the analyser wrote it if need be."""
    code = figure["site"] or figure["code"]
    key = f"analysis.name {code['value']}"
    return wording.text(key) if wording.known(key) else str(code["meaning"])


def why_text(key: str | None, details: Mapping[str, Any]) -> str:
    return wording.text(key, details) if key else ""
