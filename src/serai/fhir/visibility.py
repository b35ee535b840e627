"""Who may see which row: one SQL clause on every path, so that a search can never count, sort
or page what the actor may not read.

A row is visible to a system-wide actor; to everybody when its type describes the network
itself rather than a person's care; to the organisation that authored it; to the custodian of
every patient it is about; and to an organisation it is shared with while the reason is open.
What is not visible is not there: 404, never 403. Who holds a link to one resource sees what the
organisation that gave it sees of that resource, and changes nothing. A patient sees the own
record, a guardian that of whom they act for, and they change nothing either. The scopes of a token
may narrow all that further (`granted`).
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import Any

from serai.fhir import granted
from serai.fhir.granted import SHARED_TYPES
from serai.fhir.search.keys import label_key
from serai.kernel.actor import Actor, Kind
from serai.kernel.errors import Forbidden
from serai.platform.access.policy import closed_labels

_SHARED_LIST = granted.SHARED_LIST

# The custodian of a patient is the owner of the Patient row; of a record about several
# patients only somebody who keeps all of them sees everything it says.
_CUSTODIAN = """{r}.patients <> '{{}}' AND NOT EXISTS (
    SELECT 1 FROM unnest({r}.patients) AS about(id)
    WHERE NOT EXISTS (SELECT 1 FROM fhir_resource kept
                      WHERE kept.type = 'Patient' AND kept.id = about.id
                        AND kept.owner = %(visible_to)s))"""

_SHARED_WITH = """EXISTS (
    SELECT 1 FROM fhir_share shared
    WHERE shared.organisation = %(visible_to)s AND shared.type = {r}.type
      AND shared.id = {r}.id AND shared.closed_at IS NULL)"""

_CLOSEST = f"({{r}}.owner IS NOT DISTINCT FROM %(visible_to)s OR ({_CUSTODIAN}))"

_LABELLED = """EXISTS (SELECT 1 FROM fhir_resource labelled
        WHERE labelled.type = {r}.type AND labelled.id = {r}.id
          AND labelled.keys {holds})"""

# A provision matches a row; {x} is the provision, {act} the column of what is done.
_MATCHES = f"""{{x}}.{{act}} AND {{x}}.since <= now() AND now() < {{x}}.until
        AND ({{x}}.purposes IS NULL OR 'TREAT' = ANY ({{x}}.purposes))
        AND ({{x}}.types IS NULL OR {{r}}.type = ANY ({{x}}.types))
        AND ({{x}}.data IS NULL OR {{r}}.type || '/' || {{r}}.id = ANY ({{x}}.data))
        AND CASE WHEN {{x}}.actors IS NULL THEN NOT {_CLOSEST}
            ELSE {{x}}.actors && ARRAY[{{names}}] COLLATE "C" END
        AND ({{x}}.labels = '{{{{}}}}' OR {_LABELLED.replace("{holds}", "@> {x}.labels")})"""

# What a patient refused by Consent, but for whoever must be able to withdraw it.
_NOT_REFUSED = f"""NOT EXISTS (SELECT 1 FROM consent_refusal refused
    WHERE refused.patient = ANY ({{r}}.patients)
        AND NOT ({{r}}.type = 'Consent' AND {_CLOSEST})
        AND {_MATCHES.replace("{x}", "refused")}
        AND NOT EXISTS (SELECT 1 FROM consent_exception excepted
            WHERE excepted.consent = refused.consent AND excepted.provision = refused.provision
            AND {_MATCHES.replace("{x}", "excepted")}))"""  # noqa: S608

_OPEN_LABEL = "NOT " + _LABELLED.replace("{holds}", "&& %(visible_closed)s::bigint[]")

_VISIBLE = f"""({{r}}.type IN ({_SHARED_LIST})
    OR {{r}}.owner = %(visible_to)s
    OR ({_CUSTODIAN})
    OR {_SHARED_WITH})"""

# A patient sees their own record and a guardian that of those they act for: what is about nobody
# else.
_OWN_RECORD = f"""({{r}}.type IN ({_SHARED_LIST})
    OR ({{r}}.patients <> '{{{{}}}}' AND {{r}}.patients <@ %(own_patients)s::text[]))"""

_ONLY = "{r}.type = %(only_type)s AND {r}.id = %(only_id)s AND {visible}"

# Sharing is for reading. An organisation changes what it authored, what is about its own
# patients, and itself; the network's own entries only where it made them.
_CHANGEABLE = f"""({{r}}.owner = %(visible_to)s
    OR ({{r}}.type = 'Organization' AND {{r}}.id = %(visible_to)s)
    OR ({_CUSTODIAN}))"""


__all__ = ["SHARED_TYPES", "Rules", "change_clause", "clause", "require", "rules_of"]

# Everybody of whom `clause` says the same.
Rules = tuple[Hashable, ...]


def rules_of(actor: Actor) -> Rules:
    """What `clause` depends on."""
    return (*_rules_of(actor), *granted.rules_of(actor))


def clause(actor: Actor, alias: str = "r", act: str = "r") -> tuple[str, dict[str, Any]]:
    """SQL condition and its named parameters: rows of `alias` the actor may see. `act` is what
    for: r(ead) or s(earch)."""
    return granted.narrowed(_seen(actor, alias), actor, alias, act)


def _rules_of(actor: Actor) -> Rules:
    if actor.system_wide:
        return ("everything", actor.only)
    if actor.kind is Kind.PATIENT:
        return ("patients", actor.patients)
    return (actor.organisation, actor.role, actor.practitioner, actor.only)


def _seen(actor: Actor, alias: str) -> tuple[str, dict[str, Any]]:
    if actor.kind is Kind.PATIENT:
        return _OWN_RECORD.format(r=alias), {"own_patients": list(actor.patients)}
    visible, values = _for(actor, _VISIBLE, alias, "reads")
    if actor.only is None:
        return visible, values
    names = {"only_type": actor.only[0], "only_id": actor.only[1]}
    return _ONLY.format(r=alias, visible=visible), {**values, **names}


def change_clause(actor: Actor, alias: str = "r") -> tuple[str, dict[str, Any]]:
    """SQL condition: rows of `alias` the actor may also change."""
    if actor.only is not None or actor.kind is Kind.PATIENT:
        return "FALSE", {}
    return _for(actor, _CHANGEABLE, alias, "changes")


def require(actor: Actor, interaction: str, resource_type: str) -> None:
    """The scope gate in front of every interaction: c, r, u, d or s on a type."""
    if not actor.may(interaction, resource_type):
        raise Forbidden("fhir.scope", interaction=interaction, type=resource_type)


def _for(actor: Actor, template: str, alias: str, act: str) -> tuple[str, dict[str, Any]]:
    """What a relation opens, less what a label or a Consent closes."""
    if actor.system_wide:
        return "TRUE", {}
    if actor.organisation is None:
        return "FALSE", {}
    values: dict[str, Any] = {"visible_to": actor.organisation}
    names = "'Organization/' || %(visible_to)s"
    if actor.practitioner is not None:
        values["visible_as"] = f"Practitioner/{actor.practitioner}"
        names += ", %(visible_as)s"
    conditions = [template.format(r=alias), _NOT_REFUSED.format(r=alias, act=act, names=names)]
    closed = _closed(actor.role)
    if closed:
        values["visible_closed"] = closed
        conditions.append(_OPEN_LABEL.format(r=alias))
    return f"({' AND '.join(conditions)})", values


@cache
def _closed(role: str) -> list[int]:
    return sorted(label_key(system, code) for system, code in closed_labels(role))
