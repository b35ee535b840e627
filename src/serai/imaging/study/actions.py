"""Opening a study: everything that can be read of it, for who may see it; always on the trail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from serai.fhir.visibility import require
from serai.imaging.archive import Archive
from serai.imaging.archive.archive import StudySummary
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.documents import classes
from serai.imaging.documents.content import items, read
from serai.imaging.documents.dose import DOSE_REPORT, dose_of, of_image
from serai.imaging.documents.selection import selection_of
from serai.imaging.study import records
from serai.imaging.study.model import Document, Film, Place, Presented, Prior, Series, Study
from serai.kernel.actor import Actor
from serai.kernel.errors import SeraiError
from serai.platform.db import Database

PAPERS = (classes.ENCLOSED_PDF, classes.ENCLOSED_CDA)
REFERENCED_SERIES = "00081115"


@dataclass(frozen=True, slots=True)
class Kept:
    """Where everything is."""

    db: Database
    archive: Archive


async def open_study(kept: Kept, uid: str, *, actor: Actor, now: datetime) -> Study:
    require(actor, "r", "ImagingStudy")
    async with kept.db.connection() as c:
        resource, day, modalities, attributes = await records.study_row(c, uid, actor=actor)
        series = await records.series_of(c, uid, actor=actor)
        documents = await records.documents_of(c, uid, actor=actor)
        reported = any(kind in classes.DOSE for _, kind, _ in documents)
        exposed = [] if reported else await records.exposed_of(c, uid, actor=actor)
        study = await kept.archive.fhir.read(c, "ImagingStudy", resource, actor=actor)
        patient = _patient(study.data.get("subject", {}).get("reference", ""))
        others: Sequence[StudySummary] = ()
        if patient:
            others = await kept.archive.studies_for_patient(c, patient, actor=actor)
    patients = (patient,) if patient else ()
    kept.archive.fhir.trail.note(
        actor, "dicom.open", f"ImagingStudy/{resource}", at=now, patients=patients
    )
    opened = Study(
        uid=uid,
        resource=resource,
        patient=patient,
        patient_name=_name(attributes),
        patient_number=first_text(attributes, "00100020"),
        date=day,
        description=first_text(attributes, "00081030"),
        accession=first_text(attributes, "00080050"),
        modalities=tuple(modalities),
        series=tuple(series),
        prior=_prior(others, uid),
        more_documents=len(documents) > records.MOST_DOCUMENTS,
    )
    read_now = documents[: records.MOST_DOCUMENTS]
    return await asyncio.to_thread(_with_documents, opened, read_now, exposed)


async def open_film(
    kept: Kept, uid: str, place: Place, *, actor: Actor, now: datetime
) -> tuple[Film, str]:
    """The film, and the study's description."""
    require(actor, "r", "ImagingStudy")
    async with kept.db.connection() as c:
        resource, _, _, attributes = await records.study_row(c, uid, actor=actor)
        film = await records.film_of(c, uid, place, actor=actor)
    kept.archive.fhir.trail.note(actor, "dicom.open", f"ImagingStudy/{resource}", at=now)
    return film, first_text(attributes, "00081030")


def _with_documents(
    study: Study,
    documents: Sequence[tuple[Place, str, bytes]],
    exposed: Sequence[tuple[Place, bytes]],
) -> Study:
    presented = [
        _presented(place, orjson.loads(metadata))
        for place, kind, metadata in documents
        if kind in classes.PRESENTATION_STATES
    ]
    found = [
        _document(place, kind, orjson.loads(metadata))
        for place, kind, metadata in documents
        if kind not in classes.PRESENTATION_STATES
    ]
    read_as_dose = any(each.kind in classes.DOSE or each.dose for each in found)
    own = () if read_as_dose else exposed
    return replace(
        study,
        series=tuple(_counted(each, presented) for each in study.series),
        presented=tuple(presented),
        selections=_of(found, lambda each: each.kind == classes.KEY_OBJECTS),
        doses=_of(found, lambda each: each.kind in classes.DOSE or bool(each.dose)),
        papers=_of(found, lambda each: each.kind in PAPERS),
        reports=_of(
            found, lambda each: each.kind in classes.REPORTS - classes.DOSE and not each.dose
        ),
        image_doses=tuple(
            (place, each) for place, data in own for each in of_image(orjson.loads(data))
        ),
    )


def _of(found: Iterable[Document], wanted: Callable[[Document], bool]) -> tuple[Document, ...]:
    return tuple(document for document in found if wanted(document))


def _document(place: Place, kind: str, attributes: Attributes) -> Document:
    """What cannot be read is still there to be seen and opened elsewhere."""
    try:
        return _read(place, kind, attributes)
    except SeraiError:
        return Document(place, kind, first_text(attributes, "0008103E"))


def _read(place: Place, kind: str, attributes: Attributes) -> Document:
    named = first_text(attributes, "0008103E")
    if kind == classes.KEY_OBJECTS:
        selection = selection_of(attributes)
        return Document(place, kind, selection.title, selection=selection)
    if kind in classes.REPORTS:
        report = read(attributes)
        # Some devices send their dose as an enhanced report.
        if kind in classes.DOSE or report.root.is_called(DOSE_REPORT):
            return Document(place, kind, report.title, dose=dose_of(report))
        return Document(place, kind, named or report.title, report=report)
    return Document(place, kind, first_text(attributes, "00420010") or named)


def _presented(place: Place, attributes: Attributes) -> Presented:
    return Presented(
        place=place,
        label=first_text(attributes, "00700080"),
        description=first_text(attributes, "00700081"),
        series=tuple(first_text(each, "0020000E") for each in items(attributes, REFERENCED_SERIES)),
    )


def _counted(series: Series, presented: Sequence[Presented]) -> Series:
    return replace(series, states=sum(1 for each in presented if series.uid in each.series))


def _name(attributes: Attributes) -> str:
    """All three writings, as the sender gave them."""
    values = attributes.get("00100010", {}).get("Value") or [{}]
    name = values[0] if isinstance(values[0], dict) else {}
    written = (str(name.get(group, "")) for group in ("Ideographic", "Alphabetic"))
    return " · ".join(each.replace("^", " ").strip() for each in written if each)


def _patient(reference: str) -> str:
    kind, _, id = reference.partition("/")
    return id if kind == "Patient" else ""


def _prior(others: Sequence[StudySummary], uid: str) -> Prior | None:
    """The newest of those before this one that shows the same kind of pictures, else any."""
    places = [index for index, each in enumerate(others) if each.uid == uid]
    if not places:
        return None
    this = others[places[0]]
    earlier = others[places[0] + 1 :]
    alike = [each for each in earlier if set(each.modalities) & set(this.modalities)]
    found = next(iter([*alike, *earlier]), None)
    return Prior(found.uid, found.date, found.description) if found else None
