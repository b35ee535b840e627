"""Why an object was refused, in DICOM's numbers: one table for STOW-RS and C-STORE."""

from __future__ import annotations

from serai.kernel.errors import Forbidden, SeraiError, Unauthenticated, Unavailable

# Failure codes of PS3.18 Annex I.2.2 and PS3.4 §B.2.3.
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NOT_AUTHORISED = 0x0124
# Of normalised services (PS3.7 §C.5).
INVALID_VALUE = 0x0106
NO_SUCH_INSTANCE = 0x0112
MISSING_ATTRIBUTE = 0x0120
NO_SUCH_ACTION = 0x0123
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

FAILURES: dict[str, tuple[int, str]] = {
    "dicom.not-part10": (CANNOT_UNDERSTAND, "Not a DICOM Part 10 file: no DICM prefix"),
    "dicom.no-file-meta": (CANNOT_UNDERSTAND, "No file meta information"),
    "dicom.no-transfer-syntax": (CANNOT_UNDERSTAND, "File meta has no transfer syntax"),
    "dicom.truncated": (CANNOT_UNDERSTAND, "Truncated: the file ends within an element"),
    "dicom.not-an-item": (CANNOT_UNDERSTAND, "Broken sequence or pixel data item"),
    "dicom.nested-too-deeply": (CANNOT_UNDERSTAND, "Sequences nested too deeply"),
    "dicom.broken-deflate": (CANNOT_UNDERSTAND, "Deflated data set cannot be inflated"),
    "dicom.inflates-too-large": (OUT_OF_RESOURCES, "Deflated data set is too large"),
    "dicom.directory": (DOES_NOT_MATCH, "A DICOMDIR is not an instance"),
    "dicom.missing-uid": (DOES_NOT_MATCH, "A required UID is missing"),
    "dicom.invalid-uid": (DOES_NOT_MATCH, "A UID is not valid"),
    "dicom.unusable-value": (CANNOT_UNDERSTAND, "A value cannot be indexed"),
    "dicom.wrong-media-type": (CANNOT_UNDERSTAND, "Part is not application/dicom"),
    "dicom.too-large": (OUT_OF_RESOURCES, "Object is larger than accepted"),
    "stow.metadata": (CANNOT_UNDERSTAND, "The metadata cannot be read"),
    "stow.bulk-data-missing": (CANNOT_UNDERSTAND, "Bulk data referred to was not sent"),
    "stow.bulk-media-type": (CANNOT_UNDERSTAND, "Bulk data in an unknown media type"),
    "qido.value": (DOES_NOT_MATCH, "A key has a value that cannot be matched"),
    "multipart.truncated": (CANNOT_UNDERSTAND, "The request ended before its last part"),
    "multipart.headers-too-large": (CANNOT_UNDERSTAND, "The headers of a part are too large"),
    "dimse.level": (DOES_NOT_MATCH, "Query/Retrieve Level is missing or not of this model"),
    "dimse.missing-attribute": (MISSING_ATTRIBUTE, "A required attribute is missing"),
    "dimse.no-identifier": (CANNOT_UNDERSTAND, "The request has no identifier"),
    "dimse.no-such-action": (NO_SUCH_ACTION, "Only storage commitment can be requested"),
    "dimse.no-such-step": (NO_SUCH_INSTANCE, "No such performed procedure step"),
    "dimse.not-allowed": (NOT_AUTHORISED, "This application entity may not do this"),
    "dimse.step-ended": (PROCESSING_FAILURE, "The performed procedure step has ended"),
    "dimse.step-exists": (DUPLICATE_INSTANCE, "The performed procedure step exists already"),
    "dimse.step-status": (INVALID_VALUE, "This status is not possible here"),
    "dimse.too-many-suboperations": (OUT_OF_RESOURCES, "More than 65535 objects at once"),
    "dimse.unique-key": (DOES_NOT_MATCH, "A unique key is missing or not one value"),
    "imaging.instance-differs": (DUPLICATE_INSTANCE, "SOP Instance UID in use, other content"),
    "imaging.over-quota": (OUT_OF_RESOURCES, "The quota of the organisation is used up"),
    "imaging.study-of-another-organisation": (NOT_AUTHORISED, "Study UID of another organisation"),
    "imaging.study-of-another-patient": (DOES_NOT_MATCH, "Study UID of another patient"),
    "imaging.not-the-addressed-study": (DOES_NOT_MATCH, "Not of the study addressed"),
    # Of unified procedure steps (PS3.4 §CC.2).
    "ups.ended": (0xC300, "The workitem has ended and is not changed again"),
    "ups.transaction-uid": (0xC301, "The Transaction UID is not the workitem's"),
    "ups.transaction-uid-missing": (0xC301, "The Transaction UID is missing"),
    "ups.in-progress-already": (0xC302, "The workitem is in progress already"),
    "ups.only-created-scheduled": (0xC303, "A workitem is SCHEDULED by creation only"),
    "ups.final-state": (0xC304, "Attributes that the final state needs have no value"),
    "ups.no-such-workitem": (0xC307, "No such workitem, or not visible to you"),
    "ups.not-in-progress": (0xC310, "The workitem is not in progress"),
    "ups.completed-already": (0xC311, "The workitem is completed"),
    "ups.performer-unreachable": (0xC312, "Nobody is subscribed who could be told"),
    "ups.not-yours-to-change": (NOT_AUTHORISED, "Shared with you for reading only"),
}
BY_ERROR: dict[type[SeraiError], tuple[int, str]] = {
    Unavailable: (OUT_OF_RESOURCES, "Storage or database not available"),
    Forbidden: (NOT_AUTHORISED, "Not authorised"),
    Unauthenticated: (NOT_AUTHORISED, "Not authorised"),
}


def failure(error: SeraiError) -> tuple[int, str]:
    """Failure code and a comment of at most 64 characters (LO, PS3.7 §C)."""
    known = FAILURES.get(error.key)
    if known is None:
        kinds = (kind for kind in type(error).__mro__ if kind in BY_ERROR)
        known = BY_ERROR.get(next(kinds, SeraiError), (PROCESSING_FAILURE, "Processing failure"))
    code, text = known
    detail = error.details.get("attribute") or error.details.get("tag")
    return code, f"{text} ({detail})"[:64] if detail else text
