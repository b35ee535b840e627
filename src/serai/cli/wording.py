"""What the command line says about a refusal: one line that tells what to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from importlib import import_module

from serai.kernel.errors import SeraiError

SENTENCES = {
    "option.no-such-record": "there is no {type} {id}.",
    "settings.invalid": "{setting}: {reason}.",
    "home.in-use": "{path} is in use by another server (process {process}). Stop it first, or set "
    "SERAI_HOME to another folder.",
    "home.unusable": "cannot use the state folder {path}: {reason}. Set SERAI_HOME to a folder "
    "you may write to.",
    "home.unreadable": "cannot read the state folder {path}: {reason}.",
    "home.not-ours": "{path} belongs to another account; start Serai as that account.",
    "home.closed-to-database": "the database's account cannot reach {path}, because a folder "
    "above it is closed. Set SERAI_HOME to a folder outside it, or do not start as root.",
    "port.taken": "port {port} on {host} is taken. Stop what uses it, or choose another: "
    "--port or SERAI_PORT for the web, SERAI_DIMSE_PORT for DICOM.",
    "dimse.port-taken": "port {port} for DICOM is taken. Stop what uses it, or set "
    "SERAI_DIMSE_PORT.",
    "dimse.tls-unusable": "the certificates for DICOM with TLS cannot be used: {reason}. Look at "
    "the SERAI_DIMSE_TLS_ settings.",
    "port.no-such-address": "this machine has no address {host} to listen on.",
    "port.refused": "cannot listen on {host} port {port}: {reason}.",
    "storage.full": "the disk is full. Free some space and start again; nothing acknowledged "
    "is lost.",
    "storage.unwritable": "cannot write objects: {reason}.",
    "storage.unreachable": "the object store does not answer. Check SERAI_BLOBS and its "
    "credentials.",
    "imaging.rule-stands": "a retention rule may be made longer, never shorter.",
    "imaging.rule-out-of-range": "the number is out of range.",
    "storage.address-malformed": "SERAI_BLOBS is not an object store's address.",
    "database.unreachable": "the database does not answer. Check SERAI_DATABASE_URL.",
    "database.newer-than-code": "the database belongs to a newer version of Serai (it knows "
    "{migrations}). Install that version, or restore a backup made with this one.",
    "database.does-not-start": "the embedded database does not start: {said} (more in {log})",
    "database.remains": "processes of an earlier PostgreSQL still use {path}; stop them first.",
    "database.binaries-missing": "PostgreSQL's programs are missing; run `make setup`.",
    "database.no-account-for-root": "started as root, and there is no account to run the "
    "database as; create one of {accounts}.",
    "keys.box-damaged": "a sealed secret does not open: it was changed, or moved to another row.",
    "keys.command-failed": "the program of SERAI_KEY_COMMAND does not do what it should: called "
    "with wrap or unwrap, it reads base64 and writes base64.",
    "keys.master-elsewhere": "the master key is not in a file that this command may change; make "
    "a new one where it is kept, then run `serai keys rewrap`.",
    "keys.master-missing": "a key is wrapped by a master key that is not here. Bring back "
    "SERAI_MASTER_KEY_FILE, SERAI_MASTER_KEY or SERAI_KEY_COMMAND as it was.",
    "keys.master-unreadable": "the master keys cannot be read: one a line, as algorithm:hex.",
    "keys.no-such-signature": "signatures by {algorithm} are not to be had here; SM2 takes the "
    "program openssl, 3.0 or newer.",
    "keys.still-needed": "key {id} is unknown, in use, or not known to be needed by nothing; "
    "see `serai keys list`.",
    "keys.unknown": "something is sealed with a key that is not in the table of keys, or was "
    "destroyed.",
    "keys.unknown-algorithm": "{algorithm} is not a cipher; there are aes-256-gcm and sm4-gcm.",
    "keys.wrapped-damaged": "a wrapped key does not open: it was changed.",
    "demo.not-loaded": "the demonstration could not be loaded.",
    "demo.database-in-use": "this database holds patients already, and fictional ones have no "
    "place among them. Start without --demo, or set SERAI_HOME to another folder.",
    "part.does-not-start": "the {part} process does not start; its messages are above.",
    "scope.malformed": "{scope} is not a SMART v2 scope such as system/Patient.rs or "
    "system/*.cruds.",
    "scope.missing": "a token needs at least one scope, for example system/*.rs.",
    "send.no-answer": "the server does not answer. It keeps what it has: run the same command "
    "again to go on.",
    "send.token": "the server does not take this token; it needs system/ImagingStudy.cr.",
    "send.refused": "the server refused the request (HTTP {status}).",
    "token.ttl-malformed": "{ttl} is not a lifetime such as 30m, 1h or 7d.",
    "token.ttl-out-of-range": "a token lives between a second and {days} days.",
    "token.patient-scope-without-patient": "scopes that start with patient/ need a patient who "
    "signs in; machines use system/ or user/.",
    "token.feed-without-organisation": "a token for a register of staff needs --organisation.",
    "account.login-taken": "the login {login} is taken.",
    "account.login-malformed": "a login has two or more letters, digits or . _ @ + -",
    "account.name-missing": "the account needs a person's name: --name.",
    "account.unknown-role": "{role} is not a role; there are {known}.",
    "account.unknown": "there is no account {login}.",
    "account.password-too-short": "the password needs at least {minimum} characters.",
    "account.password-too-long": "the password may have at most {maximum} characters.",
    "account.password-too-simple": "the password is too easy to guess.",
    "account.password-common": "many people use this password, so it is tried first.",
    "app.address": "an address must be https (or http on this machine), without a fragment: "
    "{address}.",
    "app.keys": "give --jwks FILE or --jwks-uri ADDRESS with public keys, for private_key_jwt "
    "alone.",
    "app.method": "{method} is not a way to prove itself; there are {known}.",
    "app.name": "the app needs a name of at most 200 characters.",
    "app.no-redirect": "the app needs an address to be sent back to: --redirect.",
    "app.service-needs-key": "scopes that start with system/ need --method private_key_jwt.",
    "app.unknown": "there is no app {id}.",
    "identity.address": "the server may not call this address; see SERAI_IDENTITY_HOSTS.",
    "identity.no-answer": "{host} does not answer as it should.",
    "provider.issuer": "give a name, a client id and the issuer's https address.",
    "provider.linked-already": "that subject, or the account, is linked there already.",
    "provider.of-another-organisation": "the account is of another organisation.",
    "provider.unknown": "there is no such identity provider.",
    "policy.time-out-of-range": "idle time goes from 1m to 24h, lifetime from 5m to 7d.",
    "guardian.unknown-basis": "{basis} is not a basis; there are {known}.",
    "guardian.no-birth-date": "the patient has no birth date, so nobody knows whether they are a "
    "minor.",
    "guardian.over": "it would be over already: {ends}.",
    "guardian.not-a-guardian": "{login} is not the account of a guardian.",
    "guardian.not-a-day": "{day} is not a day such as 2030-05-23.",
    "account.passwords-differ": "the two passwords differ.",
}


def explained(error: SeraiError) -> str:
    """One line, and one more for each finding; the key and its facts where nothing is worded."""
    first = _sentence(error.key, error.details)
    findings = [f"{found.path}: {_sentence(found.key, found.details)}" for found in error.issues]
    return "\n".join([first, *findings])


def _sentence(key: str, details: Mapping[str, object]) -> str:
    facts = {name: _listed(value) for name, value in details.items()}
    if key in SENTENCES:
        return SENTENCES[key].format_map(defaultdict(lambda: "?", facts))
    # The rooms' own sentences load slowly; here something has failed and there is time.
    rooms = import_module("serai.web.wording")
    if rooms.known(key):
        return str(rooms.text(key, facts))
    return " ".join([key, *(f"{name}={value}" for name, value in facts.items())])


def _listed(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
