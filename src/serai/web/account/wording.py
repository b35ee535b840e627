"""The sentences about signing in and about one's own account."""

from __future__ import annotations

from serai.web import wording
from serai.web.languages import N_

TEXTS = {
    "account.password-too-short": N_("The password needs at least %(minimum)s characters."),
    "account.password-too-long": N_("The password may have at most %(maximum)s characters."),
    "account.password-too-simple": N_("This password is too easy to guess."),
    "account.password-common": N_(
        "Many people use this password, so it is tried first. Take a few words that only you "
        "would put together."
    ),
    "account.passwords-differ": N_("The two passwords differ."),
    "account.password-wrong": N_("This is not your password."),
    "account.password-set": N_("The new password holds. Sign in with it."),
    "account.link-over": N_(
        "This link has been used or is too old. Ask your administrator for a new one."
    ),
    "account.place-set": N_("You act for the other place now."),
    "account.no-place": N_("You do not work there."),
    "app.ended": N_("The app has no access any more."),
    "app.unknown": N_("There is no such app."),
    "auth.prove-again": N_("Please prove once more who you are."),
    "factor.code-wrong": N_("This code is not right, or was used already."),
    "factor.last": N_("Your role needs a second factor; add another one first."),
    "factor.added": N_("The second factor is set up."),
    "factor.removed": N_("The second factor is removed."),
    **dict.fromkeys(
        (
            "keys.box-damaged",
            "keys.command-failed",
            "keys.master-missing",
            "keys.master-unreadable",
            "keys.unknown",
            "keys.wrapped-damaged",
        ),
        N_("Secrets cannot be opened; tell your administrator."),
    ),
    "notice.wrong-tries": N_("Wrong attempts to sign in before you did"),
    "notice.recovery-used": N_("A recovery code was used; codes left"),
    "notice.factor-added": N_("A second factor was added"),
    "notice.factor-removed": N_("A second factor was removed"),
    "notice.factors-reset": N_("An administrator removed your second factors"),
    "notice.password-set": N_("The password was changed"),
    "notice.link-issued": N_("An administrator gave out a link to set the password"),
    "notice.unlocked": N_("An administrator unlocked the account"),
    "notice.waiting": N_("There is news about your account: look at My account."),
    "notice.news": N_("There is news about your account; see the list below."),
    "passkey.known": N_("This passkey is known already."),
    "passkey.refused": N_("The passkey was not accepted."),
    "passkey.too-many": N_("There are too many passkeys; remove one first."),
    "passkey.unknown": N_("There is no such passkey."),
    "passkey.no-site": N_("Passkeys need the server's name as address, not a number."),
    "provider.linked": N_("You can sign in there from now on."),
    "provider.linked-already": N_("That account there is linked to another one here, or yours is."),
    "provider.not-itself": N_("The identity provider does not describe itself as it should."),
    "provider.of-another-organisation": N_("That identity provider is another organisation's."),
    "provider.refused": N_(
        "Signing in there did not work, or that account is linked to none here. Sign in with your "
        "password and link it under My account."
    ),
    "provider.unknown": N_("There is no such identity provider."),
    "provider.unlinked": N_("You do not sign in there any more."),
    "session.closed": N_("The session is ended."),
    "session.unknown": N_("This session has ended already."),
    "totp.already": N_("An app is set up already; remove it first."),
}


def register() -> None:
    wording.add(TEXTS)
