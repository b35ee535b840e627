"""The light viewer's words: its refusals, and what its scripts say."""

from __future__ import annotations

from serai.web import wording
from serai.web.languages import N_, gettext

wording.add(
    {
        "light.study-grew": N_("The study has changed since the page was opened. Open it again."),
        "light.no-such-series": N_("The study has no such series with images."),
        "light.no-such-picture": N_("The series has no such image."),
        "light.no-values": N_("The values of this image cannot be given."),
        "light.parameter": N_("This parameter is not known here."),
        "light.too-many": N_("At most %(most)s images are given at once."),
    }
)

FOR_SCRIPTS = {
    "preview": N_("Preview: not for diagnosis"),
    "reduced": N_("Compressed image: not for diagnosis"),
    "exact": N_("Full quality"),
    "loading": N_("Loading…"),
    "offline": N_("No connection; trying again…"),
    "grown": N_("The study has changed. Open it again to see all of it."),
    "image": N_("Image"),
    "as_sent": N_("As sent"),
    "soft": N_("Soft tissue"),
    "lung": N_("Lung"),
    "bone": N_("Bone"),
    "brain": N_("Brain"),
    "liver": N_("Liver"),
    "nothing": N_("This study has no images that can be shown here."),
    "cannot": N_("This image cannot be drawn."),
}


def for_scripts() -> dict[str, str]:
    """In the reader's language."""
    return {name: gettext(text) for name, text in FOR_SCRIPTS.items()}
