"""The sentences about registers of staff and the administration of accounts."""

from __future__ import annotations

from serai.web import wording
from serai.web.languages import N_

TEXTS = {
    "account.login-taken": N_("This login is taken."),
    "account.login-malformed": N_("A login has two or more letters, digits or . _ @ + -"),
    "account.name-missing": N_("The account needs a person's name."),
    "account.unknown": N_("There is no such account."),
    "account.unknown-role": N_("%(role)s is not a role."),
    "account.feed-id-taken": N_("Another account has this number already."),
    "account.changed": N_("The account is changed."),
    "account.not-yourself": N_("Another administrator must do this for you."),
    "account.of-another-organisation": N_("Their own organisation administers this account."),
    "account.works-here": N_("This person belongs to your organisation."),
    "staff.feed-too-large": N_("The register is larger than 20 MB."),
    "staff.feed-not-utf-8": N_("The register is not UTF-8 text."),
    "staff.feed-unreadable": N_("The register cannot be read at line %(line)s."),
    "staff.feed-columns": N_(
        "The first line must name the columns login, name, role, organisation, and may name "
        "email, number, status. Missing: %(missing)s. Unknown: %(unknown)s."
    ),
    "staff.feed-wrong": N_("Nothing was changed; %(count)s entries are wrong."),
    "staff.named-twice": N_("%(login)s is named twice."),
    "staff.row-torn": N_("This line has too many or too few columns."),
    "staff.name-missing": N_("The name is missing."),
    "staff.organisation-missing": N_("The organisation is missing."),
    "staff.organisation-unknown": N_("There is no organisation %(organisation)s."),
    "staff.status-unknown": N_("The status is active or left."),
    "staff.value-too-long": N_("An entry is longer than 200 characters."),
    "staff.too-many-leave": N_(
        "%(leaving)s people would leave, more than the %(most)s that are allowed at once."
    ),
    "scim.unknown-attribute": N_("Unknown: %(names)s."),
    "scim.wrong-value": N_("The value of %(name)s cannot be taken."),
    "scim.wrong-path": N_("There is nothing at this path."),
    "scim.no-target": N_("The operation names nothing to change."),
    "scim.no-patch": N_("This is not a PatchOp."),
    "scim.filter": N_("Only comparisons with eq, joined by and, are offered as a filter."),
    "scim.changed": N_("The account has changed since you read it."),
    "scim.not-offered": N_("The server does not offer this."),
    "scim.unknown": N_("There is no such resource."),
    "scim.not-a-register": N_("The token is not that of an organisation's register of staff."),
    "scim.group-is-a-role": N_("Groups are roles: members can be added, nothing else changes."),
}


def register() -> None:
    wording.add(TEXTS)
