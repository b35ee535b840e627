"""Whom a study shows, corrected: this server's own addition to DICOMweb."""

from __future__ import annotations

import re
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from serai.imaging.archive import Archive
from serai.imaging.archive.reconciling import Demographics
from serai.imaging.dicomweb.answers import may
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed

MAX_TEXT = 64
MAX_NAME = 324
MAX_BODY = 8 * 1024
BIRTH_DATE = re.compile(r"[0-9]{8}")
SEX = re.compile(r"[MFO]")
FIELDS = {"PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex"}
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


async def correct(request: Request) -> Response:
    """PUT /studies/{study}/patient: merge, split, or write rightly."""
    actor, archive = may(request, "u"), _archive(request)
    study, wanted = request.path_params["study"], _demographics(await request.body())
    async with request.app.state.db.transaction() as tx:
        await archive.correct(tx, study, wanted, actor=actor, now=utc_now())
    return Response(status_code=204)


async def undo(request: Request) -> Response:
    """DELETE /studies/{study}/patient: whom it showed when it was sent."""
    actor, archive = may(request, "u"), _archive(request)
    study = request.path_params["study"]
    async with request.app.state.db.transaction() as tx:
        await archive.undo_correction(tx, study, actor=actor, now=utc_now())
    return Response(status_code=204)


def _archive(request: Request) -> Archive:
    archive: Archive = request.app.state.archive
    return archive


def _demographics(content: bytes) -> Demographics:
    try:
        given: Any = orjson.loads(content[: MAX_BODY + 1])
    except orjson.JSONDecodeError as error:
        raise Malformed("patient.not-json") from error
    if not isinstance(given, dict) or set(given) - FIELDS or not given.get("PatientID"):
        raise Malformed("patient.fields", fields=sorted(FIELDS))
    name = _text(given, "PatientName", MAX_NAME)
    return Demographics(
        patient_id=_text(given, "PatientID", MAX_TEXT) or "",
        issuer=_text(given, "IssuerOfPatientID", MAX_TEXT) or "",
        name=_groups(name) if name is not None else None,
        birth_date=_matching(given, "PatientBirthDate", BIRTH_DATE),
        sex=_matching(given, "PatientSex", SEX),
    )


def _text(given: dict[str, Any], field: str, limit: int) -> str | None:
    value = given.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > limit or not value.isprintable() or "\\" in value:
        raise Malformed("patient.value", field=field)
    return value.strip()


def _matching(given: dict[str, Any], field: str, pattern: re.Pattern[str]) -> str | None:
    value = _text(given, field, MAX_TEXT)
    if value is not None and not pattern.fullmatch(value):
        raise Malformed("patient.value", field=field)
    return value


def _groups(name: str) -> dict[str, str]:
    pairs = zip(GROUPS, name.split("="), strict=False)
    return {group: text for group, text in pairs if text}
