"""The sentences about apps."""

from __future__ import annotations

from serai.web import wording
from serai.web.languages import N_

TEXTS = {
    "app.address": N_(
        "An address must be https (or http on this machine), without a fragment: %(address)s"
    ),
    "app.keys": N_("Give the app's public keys, or the address where they are; not both."),
    "app.method": N_("Please choose how the app proves itself."),
    "app.name": N_("Please give the app a name of at most 200 characters."),
    "app.no-redirect": N_("Please give at least one address to which the app is sent back."),
    "app.not-known": N_(
        "This app is not registered here, or asks to be answered at an address that is not its own."
    ),
    "app.of-another-organisation": N_("This app is registered for another organisation."),
    "app.request": N_("What the app sent cannot be read."),
    "app.request-over": N_("This question has been answered, or is too old. Open the app again."),
    "app.revoked": N_("The app is revoked; nothing that it was given holds any more."),
    "app.service-needs-key": N_("An app that acts for itself needs a key of its own."),
    "identity.address": N_("The server may not call this address."),
    "identity.no-answer": N_("%(host)s does not answer as it should."),
    "scope.malformed": N_("%(scope)s is no scope that this server knows."),
    "scope.missing": N_("Please give at least one scope."),
    "scope.search": N_("%(scope)s names a search that no scope can have here."),
}


def register() -> None:
    wording.add(TEXTS)
