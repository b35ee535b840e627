"""What the consultation pages say, and what they share."""

from __future__ import annotations

from starlette.requests import Request

from serai.care.consultation.model import Act, Side, State, Urgency
from serai.care.consultation.records import Consultations, View
from serai.network import SPECIALTIES
from serai.web import wording
from serai.web.languages import N_
from serai.web.navigation import NavItem

CLINICAL = ("doctor", "expert", "desk")
NAVIGATION = (
    NavItem(
        N_("Consultations"),
        "/consultations",
        "message",
        roles=frozenset(CLINICAL),
        home_for=frozenset(CLINICAL),
    ),
)

STATES = {
    State.DRAFT: N_("Draft"),
    State.SENT: N_("Sent"),
    State.ASSIGNED: N_("Assigned"),
    State.ACCEPTED: N_("Accepted"),
    State.IN_PROGRESS: N_("Being read"),
    State.ASKED: N_("Question back"),
    State.REPORTED: N_("Reported"),
    State.CLOSED: N_("Closed"),
    State.DECLINED: N_("Declined"),
    State.CANCELLED: N_("Cancelled"),
}
TONES = {
    State.DRAFT: "neutral",
    State.SENT: "info",
    State.ASSIGNED: "info",
    State.ACCEPTED: "info",
    State.IN_PROGRESS: "info",
    State.ASKED: "warning",
    State.REPORTED: "success",
    State.CLOSED: "success",
    State.DECLINED: "danger",
    State.CANCELLED: "neutral",
}
STATE_ICONS = {
    State.DRAFT: "edit",
    State.SENT: "send",
    State.ASSIGNED: "user",
    State.ACCEPTED: "check",
    State.IN_PROGRESS: "eye",
    State.ASKED: "message",
    State.REPORTED: "file",
    State.CLOSED: "check",
    State.DECLINED: "x",
    State.CANCELLED: "x",
}
WAITS = {
    Side.REQUESTER: N_("the asking doctor"),
    Side.DESK: N_("the desk"),
    Side.EXPERT: N_("the expert"),
}
VIEWS = {
    View.MINE: N_("Mine"),
    View.TO_ASSIGN: N_("To assign"),
    View.RECEIVED: N_("Received"),
    View.OURS: N_("Sent by us"),
    View.ALL: N_("All"),
}
# What each role looks for first in the morning.
FIRST_VIEW = {"desk": View.TO_ASSIGN, "expert": View.MINE, "doctor": View.OURS}
URGENCIES = {
    Urgency.ROUTINE: N_("Routine: within 3 days"),
    Urgency.URGENT: N_("Urgent: within 24 hours"),
    Urgency.ASAP: N_("Very urgent: within 4 hours"),
    Urgency.STAT: N_("Emergency: within 30 minutes"),
}
URGENCY_FILTERS = {
    Urgency.STAT: N_("Emergency"),
    Urgency.ASAP: N_("Very urgent"),
    Urgency.URGENT: N_("Urgent"),
    Urgency.ROUTINE: N_("Routine"),
}
DONE = {
    Act.SEND: "consultation.sent",
    Act.ASSIGN: "consultation.assigned",
    Act.REASSIGN: "consultation.assigned",
    Act.ACCEPT: "consultation.accepted",
    Act.DECLINE: "consultation.declined",
    Act.START: "consultation.started",
    Act.ASK: "consultation.asked",
    Act.ANSWER: "consultation.answered",
    Act.SIGN: "consultation.signed",
    Act.AMEND: "consultation.amended",
    Act.ACKNOWLEDGE: "consultation.closed",
    Act.CANCEL: "consultation.cancelled",
}
SPECIALTY_NAMES = {code: specialty.name for code, specialty in SPECIALTIES.items()}

wording.add(
    {
        "consultation.sent": N_("Sent. The hospital you asked sees it now."),
        "consultation.saved": N_("The draft is saved."),
        "consultation.assigned": N_("Assigned."),
        "consultation.accepted": N_("Accepted."),
        "consultation.declined": N_("Declined. The asking doctor sees the reason."),
        "consultation.started": N_("You can write the opinion now."),
        "consultation.asked": N_("Your question is with the asking doctor."),
        "consultation.answered": N_("Your answer is with the expert."),
        "consultation.signed": N_("Signed. The asking doctor can read the opinion now."),
        "consultation.amended": N_("The corrected opinion is signed."),
        "consultation.closed": N_("Acknowledged. The consultation is closed."),
        "consultation.cancelled": N_("Cancelled."),
        "consultation.redirected": N_("Sent to the other hospital."),
        "consultation.illegal-move": N_(
            "This step is not possible now: the consultation has moved on. You see how it stands."
        ),
        "consultation.changed-meanwhile": N_(
            "Somebody else changed this consultation in the meantime. Look at it as it is now, "
            "then decide again."
        ),
        "consultation.draft-changed": N_(
            "The opinion was changed in another window. Reload the page before you go on."
        ),
        "consultation.not-your-move": N_("This step is somebody else's to make."),
        "consultation.not-your-opinion": N_("Only the assigned expert writes the opinion."),
        "consultation.not-your-patient": N_(
            "Only the hospital that keeps the patient's record can ask for a consultation."
        ),
        "consultation.no-practitioner": N_("Only clinical staff take part in consultations."),
        "consultation.in-the-name-of-another": N_("A consultation is begun in one's own name."),
        "consultation.reason-missing": N_("Give the reason."),
        "consultation.question-missing": N_("Ask your question."),
        "consultation.specialty-missing": N_("Choose the specialty."),
        "consultation.hospital-missing": N_("Choose the hospital to ask."),
        "consultation.own-hospital": N_("Choose another hospital than your own."),
        "consultation.expert-missing": N_("Choose an expert."),
        "consultation.expert-not-here": N_("This person does not work as a doctor here."),
        "consultation.message-missing": N_("Write something first."),
        "consultation.conclusion-missing": N_("An opinion needs a conclusion before it is signed."),
        "consultation.opinion-not-signed": N_("The opinion must be signed by the assigned expert."),
        "consultation.no-final-report": N_("It cannot be closed before there is a signed opinion."),
        "consultation.illegal-report-change": N_("The opinion cannot be changed now."),
        "consultation.opinion-is-kept": N_("An opinion is never deleted or moved."),
        "consultation.patient-missing": N_("The patient is not here."),
        "consultation.attachment-not-of-patient": N_(
            "Something attached does not belong to this patient."
        ),
        "consultation.altered": N_("What was sent cannot be altered: %(elements)s."),
        "consultation.mover-not-named": N_("The change does not name who makes it."),
        "consultation.sent-time": N_("The time of sending is missing or is not now."),
        "consultation.time-missing": N_("The time of drafting or of the last change is missing."),
        "consultation.unknown-state": N_("A consultation does not have this status."),
        "consultation.request-missing": N_("The request of this consultation is not here."),
        "consultation.unknown": N_("There is no such consultation here."),
    }
)


def kept_in(request: Request) -> Consultations:
    return Consultations(request.app.state.db, request.app.state.fhir)
