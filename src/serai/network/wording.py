"""The sentences of this room: mistakes in a network file, names of tiers and specialties."""

from __future__ import annotations

from serai.kernel.errors import Issue, SeraiError
from serai.network.model import Tier
from serai.web import wording
from serai.web.languages import N_

TIERS = {
    Tier.LEAD: N_("Lead hospital"),
    Tier.COUNTY: N_("County hospital"),
    Tier.TOWNSHIP: N_("Township health centre"),
    Tier.VILLAGE: N_("Village clinic"),
    Tier.PARTNER: N_("Partner hospital abroad"),
}
SPECIALTY_NAMES = {
    "anaesthetics": N_("Anaesthetics"),
    "cardiac-surgery": N_("Cardiac surgery"),
    "cardiology": N_("Cardiology"),
    "critical-care": N_("Critical care"),
    "dentistry": N_("Dentistry"),
    "dermatology": N_("Dermatology"),
    "ear-nose-throat": N_("Ear, nose and throat"),
    "emergency": N_("Emergency medicine"),
    "endocrinology": N_("Endocrinology"),
    "gastroenterology": N_("Gastroenterology"),
    "general-medicine": N_("General medicine"),
    "general-practice": N_("General practice"),
    "geriatrics": N_("Geriatrics"),
    "haematology": N_("Haematology"),
    "infectious-diseases": N_("Infectious diseases"),
    "nephrology": N_("Nephrology"),
    "neurology": N_("Neurology"),
    "neurosurgery": N_("Neurosurgery"),
    "nuclear-medicine": N_("Nuclear medicine"),
    "obstetrics-gynaecology": N_("Obstetrics and gynaecology"),
    "oncology": N_("Oncology"),
    "ophthalmology": N_("Ophthalmology"),
    "orthopaedics": N_("Trauma and orthopaedics"),
    "paediatrics": N_("Paediatrics"),
    "pathology": N_("Pathology"),
    "psychiatry": N_("Psychiatry"),
    "public-health": N_("Public health"),
    "radiology": N_("Radiology"),
    "radiotherapy": N_("Radiotherapy"),
    "rehabilitation": N_("Rehabilitation"),
    "respiratory": N_("Respiratory medicine"),
    "rheumatology": N_("Rheumatology"),
    "surgery": N_("General surgery"),
    "urology": N_("Urology"),
}

wording.add(
    {
        "network.organisation-unknown": N_("There is no such organisation in the network."),
        "network.file-refused": N_("The network file has mistakes; nothing was loaded."),
        "network.file-unreadable": N_("The network file %(file)s cannot be read: %(reason)s."),
        "network.not-utf8": N_("The network file %(file)s is not UTF-8 text."),
        "network.not-yaml": N_(
            "%(file)s:%(line)s:%(column)s: the file is not YAML here: %(problem)s."
        ),
        "network.not-a-mapping": N_("expected fields (%(allowed)s)"),
        "network.not-a-list": N_("expected a list"),
        "network.not-a-name": N_("expected a name, or names by language (en: …, zh: …)"),
        "network.no-text": N_("expected a text, found nothing"),
        "network.not-one-of": N_("%(value)s is not known here; expected one of %(choices)s"),
        "network.field-unknown": N_("%(name)s is not known here; expected one of %(allowed)s"),
        "network.field-twice": N_("%(name)s stands here twice"),
        "network.field-missing": N_("%(name)s is missing"),
        "network.language-malformed": N_("%(value)s is not a language tag such as en or zh"),
        "network.code-malformed": N_(
            "%(value)s is not a code: 2 to 63 small letters, digits and hyphens"
        ),
        "network.code-needed": N_("no code can be made from the name %(value)s; give one by code:"),
        "network.code-twice": N_("the code %(value)s is already used in line %(line)s"),
        "network.login-malformed": N_(
            "%(value)s is not a login: small letters, digits, dots and hyphens"
        ),
        "network.login-twice": N_("the login %(value)s is already used in line %(line)s"),
        "network.country-malformed": N_(
            "%(value)s is not a country: two capital letters of ISO 3166, such as CN"
        ),
        "network.ae-title-malformed": N_("%(value)s is not an AE title: 1 to 16 characters"),
        "network.address-malformed": N_("%(value)s is not an address; expected host or host:port"),
        "network.no-parent": N_("a %(tier)s stands under a %(wanted)s; expected part_of"),
        "network.wrong-parent": N_("a %(tier)s stands under a %(wanted)s, not under a %(parent)s"),
        "network.parent-not-allowed": N_("a %(tier)s stands at the top, under nothing"),
        "network.parent-unknown": N_(
            "part_of: there is no organisation %(value)s in this file or in the network"
        ),
    }
)


def explained(error: SeraiError) -> list[str]:
    """One printable line per mistake: where it stands and what was expected."""
    return [_line(issue) for issue in error.issues] or [wording.error_text(error)]


def _line(issue: Issue) -> str:
    return f"{issue.path}: {wording.text(issue.key, issue.details)}"
