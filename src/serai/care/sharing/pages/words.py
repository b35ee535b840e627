"""What the pages of sharing say."""

from __future__ import annotations

from serai.care.sharing.model import Purpose, State
from serai.web import wording
from serai.web.languages import N_

PURPOSES = {
    Purpose.PATIENT: N_("For the patient"),
    Purpose.SECOND_OPINION: N_("For a second opinion"),
    Purpose.REFERRAL: N_("For the next doctor"),
    Purpose.INSURANCE: N_("For an insurer or authority"),
    Purpose.TEACHING: N_("For teaching"),
}
STATES = {
    State.OPEN: N_("Open"),
    State.EXPIRED: N_("Expired"),
    State.REVOKED: N_("Revoked"),
    State.USED_UP: N_("Used up"),
    State.LOCKED: N_("Locked"),
}
TONES = {State.OPEN: "success", State.LOCKED: "danger"}
EVENTS = {
    "open": N_("opened"),
    "refuse": N_("wrong passcode"),
    "download": N_("downloaded"),
}
DAYS = {"1": N_("1 day"), "7": N_("1 week"), "30": N_("1 month"), "90": N_("3 months")}

wording.add(
    {
        "sharing.no-such-link": N_(
            "This link is not valid, or no longer. Ask whoever gave it to you for a new one."
        ),
        "sharing.no-such-study": N_("This study is not here, or is not shared with you."),
        "sharing.nothing-to-revoke": N_("This link is not here, or has been revoked already."),
        "sharing.no-download": N_("This link shows the images, but does not give them away."),
        "sharing.wrong-passcode": N_("This passcode is not right."),
        "sharing.locked": N_(
            "Too many wrong passcodes: the link is locked. Ask whoever gave it to you."
        ),
        "sharing.wait": N_("Wait %(seconds)s seconds, then try again."),
        "sharing.lasts": N_("A link lasts at most %(days)s days."),
        "sharing.most-views": N_("A link can be opened at most %(most)s times."),
        "sharing.not-a-number": N_("Please enter a number, or nothing."),
        "sharing.only-dicom": N_("The images are given as DICOM files only."),
        "sharing.one-part-for-many": N_("Several images cannot come as one file."),
        "media.too-large-for-disc": N_(
            "An image is larger than a disc image can hold; take the zip archive."
        ),
        "sharing.revoked": N_("The link is revoked."),
    }
)
