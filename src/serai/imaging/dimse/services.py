"""Every SOP class served: who may ask, what answers. Negotiation and the conformance statement
are made from this table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE, N_ACTION, N_CREATE, N_SET

from serai.imaging.dataset import part10
from serai.imaging.dimse import committing, finding, performed, retrieving, worklist
from serai.imaging.dimse.exchange import Exchange
from serai.imaging.dimse.peers import Service

# Queries and notifications are small; storage takes any syntax (see `listener`).
TRANSFER_SYNTAXES: Final = (part10.EXPLICIT_VR_LITTLE_ENDIAN, part10.IMPLICIT_VR_LITTLE_ENDIAN)
VERIFICATION: Final = "1.2.840.10008.1.1"


@dataclass(frozen=True, slots=True)
class Served:
    """One SOP class as SCP. `service` is what a peer must be allowed; None: any known peer."""

    uid: str
    name: str
    service: Service | None
    operations: str


SERVED: Final = (
    Served(VERIFICATION, "Verification", None, "C-ECHO"),
    Served(
        finding.PATIENT_ROOT_FIND,
        "Patient Root Query/Retrieve Information Model – FIND",
        Service.FIND,
        "C-FIND",
    ),
    Served(
        finding.STUDY_ROOT_FIND,
        "Study Root Query/Retrieve Information Model – FIND",
        Service.FIND,
        "C-FIND",
    ),
    Served(
        retrieving.PATIENT_ROOT_GET,
        "Patient Root Query/Retrieve Information Model – GET",
        Service.RETRIEVE,
        "C-GET",
    ),
    Served(
        retrieving.STUDY_ROOT_GET,
        "Study Root Query/Retrieve Information Model – GET",
        Service.RETRIEVE,
        "C-GET",
    ),
    Served(
        retrieving.PATIENT_ROOT_MOVE,
        "Patient Root Query/Retrieve Information Model – MOVE",
        Service.RETRIEVE,
        "C-MOVE",
    ),
    Served(
        retrieving.STUDY_ROOT_MOVE,
        "Study Root Query/Retrieve Information Model – MOVE",
        Service.RETRIEVE,
        "C-MOVE",
    ),
    Served(
        worklist.MODALITY_WORKLIST,
        "Modality Worklist Information Model – FIND",
        Service.WORKLIST,
        "C-FIND",
    ),
    Served(
        performed.PERFORMED_STEP,
        "Modality Performed Procedure Step",
        Service.MPPS,
        "N-CREATE, N-SET",
    ),
    Served(
        committing.STORAGE_COMMITMENT,
        "Storage Commitment Push Model",
        Service.COMMITMENT,
        "N-ACTION, N-EVENT-REPORT",
    ),
)
BY_UID: Final = {each.uid: each for each in SERVED}
# Requests this server answers itself rather than through pynetdicom's service classes, which
# decode and encode every object that passes.
OWN: Final[dict[tuple[type, str], Callable[[Exchange], None]]] = {
    (C_FIND, finding.PATIENT_ROOT_FIND): finding.find,
    (C_FIND, finding.STUDY_ROOT_FIND): finding.find,
    (C_GET, retrieving.PATIENT_ROOT_GET): retrieving.get,
    (C_GET, retrieving.STUDY_ROOT_GET): retrieving.get,
    (C_MOVE, retrieving.PATIENT_ROOT_MOVE): retrieving.move,
    (C_MOVE, retrieving.STUDY_ROOT_MOVE): retrieving.move,
    (C_FIND, worklist.MODALITY_WORKLIST): worklist.find,
    (N_CREATE, performed.PERFORMED_STEP): performed.create,
    (N_SET, performed.PERFORMED_STEP): performed.change,
    (N_ACTION, committing.STORAGE_COMMITMENT): committing.commit,
}
