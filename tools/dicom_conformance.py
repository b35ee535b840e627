"""Writes docs/reference/dicom-conformance.md from the tables that drive the DICOM services.

.venv/bin/python tools/dicom_conformance.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydicom.datadict import dictionary_description

from serai.imaging import reasons
from serai.imaging.archive.header import SERIES_TAGS, STUDY_TAGS
from serai.imaging.dataset import part10
from serai.imaging.dimse import finding, listener, performed, retrieving, sockets
from serai.imaging.dimse.identifiers import UNIQUE_KEYS
from serai.imaging.dimse.narrowing import AE_TITLE
from serai.imaging.dimse.peers import OF_A_MODALITY, Service
from serai.imaging.dimse.services import SERVED, TRANSFER_SYNTAXES
from serai.imaging.search.keys import COLUMNS, key_of
from serai.imaging.ups import attributes as workitem
from serai.imaging.ups import finding as worklist
from serai.imaging.ups.forgetting import REPORTS_KEPT
from serai.imaging.ups.routes import SERVED as WORKLIST_SERVED
from serai.imaging.ups.subscribing import MOST_SUBSCRIBERS
from serai.imaging.ups.workitem import DEFAULT_WORKLIST
from serai.platform.blob_log import LOGGED_UP_TO
from serai.platform.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "dicom-conformance.md"

SYNTAX_NAMES = {
    part10.EXPLICIT_VR_LITTLE_ENDIAN: "Explicit VR Little Endian",
    part10.IMPLICIT_VR_LITTLE_ENDIAN: "Implicit VR Little Endian",
}


def page() -> str:
    chapters = (
        _opening(),
        _overview(),
        _application_entity(),
        _storage(),
        _query_retrieve(),
        _worklist(),
        _performed_steps(),
        _commitment(),
        _workitems(),
        _security(),
        _not_offered(),
    )
    return "\n".join(line for chapter in chapters for line in chapter)


def _opening() -> list[str]:
    return [
        "# DICOM conformance statement",
        "",
        "After PS3.2. Made by `make docs` from the tables that the services run on; a test"
        " compares.",
        "",
    ]


def _overview() -> list[str]:
    return [
        "## Overview",
        "",
        "An archive that receives, finds, sends and commits to DICOM objects of any storage"
        " class, gives modalities their worklist from the orders in the FHIR record and takes"
        " back what was performed. Objects are kept byte for byte as received; nothing is"
        " coerced.",
        "",
        *_table(("SOP class", "UID", "SCP operations", "a peer needs"), _served()),
        "",
        "As SCU: C-STORE (to the destination of a C-MOVE), and N-EVENT-REPORT of Storage"
        " Commitment on an association of its own when the requester's has ended.",
        "",
    ]


def _application_entity() -> list[str]:
    return [
        "## Application entity",
        "",
        *_table(("fact", "value"), _entity()),
        "",
        "### Who may call",
        "",
        "Calling AE titles are known one by one, each for an organisation, from listed"
        " addresses, networks or host names, and for named services:"
        f" {_codes(Service)}. A device that is told nothing else may"
        f" {_codes(sorted(OF_A_MODALITY))}. Anybody else is rejected (result 1, source 1,"
        " reason 3), logged and audited. Another called AE title is rejected (reason 7). What"
        " a peer finds, gets, moves or is committed to is what its organisation may see, by"
        " the same rule as in FHIR and DICOMweb.",
        "",
    ]


def _storage() -> list[str]:
    return [
        "## Storage (SCP)",
        "",
        "Every storage SOP class is accepted, private and future ones included, in the"
        " transfer syntax the sender names first (level 2, full; PS3.4 §B.4.1). Success means"
        " durable: the index row is in the database's synced log, and the bytes of objects up to"
        f" {LOGGED_UP_TO // (1 << 20)} MiB are in a synced log of ours; larger files are synced"
        " themselves. Sent again with the same data set: success, nothing"
        " changes. The statuses for what is refused:",
        "",
        *_table(("status", "meaning"), _failures()),
        "",
    ]


def _query_retrieve() -> list[str]:
    return [
        "## Query/Retrieve (SCP)",
        "",
        "Levels PATIENT (patient root only), STUDY, SERIES, IMAGE. Relational retrieval and"
        " queries are not negotiated, but a query without the keys above its level is"
        " answered. Unique keys: "
        + ", ".join(f"{dictionary_description(int(tag, 16))}" for tag in UNIQUE_KEYS.values())
        + ".",
        "",
        "Matching keys: single value, `*` and `?`, date and time ranges (combined when both"
        " are given), lists of UIDs, person names without regard to case and accents in any"
        " component group. Read in whatever Specific Character Set the identifier states;"
        " answered in that one if it has the letters, else in ISO_IR 192.",
        "",
        *_table(("key", "tag", "level", "matching"), _keys()),
        "",
        "Also counted: Modalities in Study, Number of Patient/Study/Series Related Studies,"
        " Series, Instances. At IMAGE level every attribute of the object's header is"
        " returned. Keys that are not supported are answered empty with status"
        f" {finding.PENDING_WITHOUT_SOME_KEYS:04X}.",
        "",
        "C-GET and C-MOVE send the bytes as stored if the receiver accepts that transfer"
        " syntax; otherwise pixels are decompressed into"
        f" {' or '.join(SYNTAX_NAMES.values())}; otherwise the sub-operation fails and is"
        " named in Failed SOP Instance UID List. Counts are sent after every sub-operation;"
        " C-CANCEL ends between two. C-MOVE sends to known peers with a host and port only"
        f" (else {retrieving.DESTINATION_UNKNOWN:04X}), and to none whose organisation may not"
        " see the objects. Every study sent is audited.",
        "",
    ]


def _worklist() -> list[str]:
    return [
        "## Modality Worklist (SCP)",
        "",
        "One scheduled procedure step per active ServiceRequest that states a DICOM modality"
        " (code system DCM in orderDetail, code or category) and whose patient the caller's"
        " organisation may see. Date and time: start of its standing Appointment, else"
        " occurrence, else the day it was written. Station AE titles: participants of the"
        f" Appointment and performers identified in the system `{AE_TITLE}`. Study Instance"
        " UID: the order's, else one made of its id, the same each time. Accession, placer"
        " and filler numbers: identifiers of type ACSN, PLAC, FILL. Every attribute returned"
        " can be matched, inside the step sequence too.",
        "",
    ]


def _performed_steps() -> list[str]:
    return [
        "## Modality Performed Procedure Step (SCP)",
        "",
        "Kept as Procedure. "
        + ", ".join(f"{name} → {code}" for name, code in performed.STATUS.items())
        + ". The order found by Study Instance UID or step id is its basedOn and is completed"
        " with it; a discontinued step leaves the order active. Required in N-CREATE: "
        + ", ".join(dictionary_description(int(tag, 16)) for tag in performed.REQUIRED)
        + ". A step that has ended is not changed again.",
        "",
    ]


def _commitment() -> list[str]:
    return [
        "## Storage Commitment (SCP, push model)",
        "",
        "The report says yes of an object only after its file has been read and its SHA-256"
        " compared. It is sent on the requester's association while that is open, else on a"
        " new one to the peer's host and port with the SCP role. Failure reasons: 0112 not"
        " here or not visible, 0119 another class, 0110 not whole.",
        "",
    ]


def _workitems() -> list[str]:
    """What PS3.4 §CC.4.2.1 and PS3.18 §11.2 want stated."""
    reason = workitem.UNSPECIFIED_REASON
    return [
        "## Worklist of unified procedure steps (UPS-RS origin server)",
        "",
        "The services of UPS Push, Pull, Watch, Event and Query over HTTP, under `/dicomweb`,"
        " in `application/dicom+json`; `application/dicom+xml` is refused (406, or 415 when"
        " sent). Every workitem is of SOP class "
        f"{workitem.SOP_CLASS}.",
        "",
        *_table(("method", "resource"), _worklist_resources()),
        "",
        "**Creation.** Attributes of type 1 need a value and those of type 2 must be there, in"
        " the items of sequences too; what is conditional is optional. An empty Worklist Label"
        f" becomes `{DEFAULT_WORKLIST}`, with a warning. Transaction UID, Progress Information"
        " and Performed Procedure Sequence may be left out and are created empty. SOP Class and"
        " Instance UID, the character set (UTF-8) and the modification date-time are the"
        " server's. The creator is not subscribed by creating.",
        "",
        "**States.** By PS3.4 Table CC.1.1-2; a missing or wrong Transaction UID is 400, a move"
        " that the state does not allow 409, each with its Warning. COMPLETED needs an item in"
        " the Performed Procedure Sequence with "
        + ", ".join(_names(workitem.PERFORMED_VALUES))
        + " and the Output Information Sequence. At CANCELED the server fills in the"
        " cancellation date-time and the reason where the performer gave none"
        f" ({reason[0]}, {reason[1]}, “{reason[2]}”). A request to cancel is done at once while"
        " SCHEDULED; IN PROGRESS it is told to the subscribers, and refused (409) when there"
        " are none. The server performs nothing itself and changes no workitem by itself.",
        "",
        "**Keeping.** Ended workitems stay for `SERAI_WORKITEM_DAYS` and as long as there is a"
        " deletion lock; the server does not remove locks.",
        "",
        *_found_workitems(),
    ]


def _found_workitems() -> list[str]:
    """Who finds a workitem, who is told of it, who may."""
    return [
        "**Search.** Matching as in QIDO-RS, person names without regard to case and accents,"
        " `fuzzymatching`, `includefield` with any attribute or `all`, `limit` and `offset`,"
        " ordered by start and UID. Several keys of one sequence are matched in one item. Times"
        " without an offset are in the zone of Timezone Offset From UTC, else in UTC. Nothing"
        " found is 204. Keys: " + ", ".join(_worklist_keys()) + ".",
        "",
        "**Subscriptions.** To one workitem, to all, or to those that match a filter of the"
        " same keys. An AE title is the organisation's own and needs no registration; an"
        f" organisation has at most {MOST_SUBSCRIBERS} global subscribers. A deletion lock is"
        " not granted on a workitem that is only shared for reading. Notification connection:"
        " a websocket at `/dicomweb/subscribers/{aetitle}`, opened with a bearer token;"
        f" reports wait for {REPORTS_KEPT.days} day for it. Requesting AE is this server's"
        " title, as HTTP has none. Started anew, the server reports RESTARTED with WARM START"
        " of both lists.",
        "",
        "**Access.** Scopes on Task. A workitem is seen by the organisation that made it, by"
        " the one that keeps its patient (found by number and issuer), and by one it is shared"
        " with for an open reason; the last may only read. Anybody else is told 404.",
        "",
        *_table(("status", "meaning", "HTTP reason"), _worklist_failures()),
        "",
    ]


def _security() -> list[str]:
    return [
        "## Security",
        "",
        "TLS 1.2 and 1.3 on a port of its own (`SERAI_DIMSE_TLS_*`), client certificates when"
        " required. Calls to peers marked for TLS use it. No user identity negotiation.",
        "",
    ]


def _not_offered() -> list[str]:
    return [
        "## Not offered",
        "",
        "Storage commitment reports are tried twice, not queued. No UPS over"
        " DIMSE and none in XML, no Instance Availability Notification, no extended"
        " negotiation, no media interchange.",
        "",
    ]


def _served() -> Iterator[tuple[str, ...]]:
    for each in SERVED:
        yield each.name, each.uid, each.operations, each.service or "to be known"
    yield "every storage class", "–", "C-STORE", Service.STORE


def _entity() -> Iterator[tuple[str, str]]:
    defaults = Settings.model_fields
    yield "AE title", f"`{defaults['ae_title'].default}` (`SERAI_AE_TITLE`)"
    yield "Port", f"{defaults['dimse_port'].default} (`SERAI_DIMSE_PORT`)"
    yield "Application context", "1.2.840.10008.3.1.1.1"
    yield "Implementation class UID", part10.IMPLEMENTATION_CLASS_UID
    yield "Implementation version name", part10.IMPLEMENTATION_VERSION_NAME
    yield "Associations at once", str(listener.MAX_ASSOCIATIONS)
    yield "Longest PDU received", f"{listener.MAX_PDU} bytes"
    yield "Association request within", f"{listener.ACSE_TIMEOUT_S} s"
    yield "A PDU whole within", f"{sockets.WHOLE_PDU_S:.0f} s"
    yield "Idle associations end after", f"{listener.NETWORK_TIMEOUT_S} s"
    yield "Asynchronous operations", "no"
    names = [SYNTAX_NAMES[syntax] for syntax in TRANSFER_SYNTAXES]
    yield "Transfer syntaxes but for storage", ", ".join(names)


def _failures() -> Iterator[tuple[str, str]]:
    for code, text in sorted(_statuses()):
        yield f"{code:04X}", text


def _statuses() -> set[tuple[int, str]]:
    of_storage = {key: each for key, each in reasons.FAILURES.items() if not key.startswith("ups.")}
    return {*of_storage.values(), *reasons.BY_ERROR.values()}


def _worklist_resources() -> Iterator[tuple[str, str]]:
    for method, path, _ in WORKLIST_SERVED:
        yield method, f"`{path.removeprefix('/dicomweb')}`"


def _worklist_failures() -> Iterator[tuple[str, ...]]:
    for key, (code, text) in sorted(reasons.FAILURES.items(), key=lambda each: each[1]):
        if key.startswith("ups."):
            yield f"{code:04X}", text, f"`{key}`"


def _worklist_keys() -> Iterator[str]:
    yield from sorted(_names({*worklist.COLUMNS, *worklist.MOMENTS, *worklist.PLAIN}))
    for path, tags in worklist.NESTED.items():
        yield f"{' › '.join(_names(path))} ({', '.join(_names(tags))})"


def _names(tags: Iterable[str]) -> Iterator[str]:
    return (dictionary_description(int(tag, 16)) for tag in tags)


def _keys() -> Iterator[tuple[str, ...]]:
    for tag in sorted({*COLUMNS, *STUDY_TAGS, *SERIES_TAGS}):
        key = key_of(tag)
        if key:
            name = dictionary_description(int(tag, 16))
            yield name, f"({tag[:4]},{tag[4:]})", key.level.name, key.match.value


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
