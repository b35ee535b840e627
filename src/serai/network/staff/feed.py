"""A register of staff as a CSV file: read whole, with every mistake at its line.

Columns: login, name, role, organisation; and, where the register has them, email, number (its own
name for the person) and status (active, left). UTF-8, with or without a byte order mark; commas
or semicolons, as spreadsheets write them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from serai.kernel.errors import Invalid, Issue, Malformed, TooLarge
from serai.network.staff.model import Person
from serai.platform.auth.accounts import LOGIN, folded
from serai.platform.auth.roles import ROLES

NEEDED = ("login", "name", "role", "organisation")
OPTIONAL = ("email", "number", "status")
STATUS = {"": True, "active": True, "left": False}
LARGEST = 20 * 1024 * 1024
LONGEST = 200


def read_feed(path: Path) -> list[Person]:
    """Every person of the file; Invalid with all mistakes when there are any."""
    if path.stat().st_size > LARGEST:
        raise TooLarge("staff.feed-too-large")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed("staff.feed-not-utf-8") from error
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return _people(rows)
    except csv.Error as error:
        raise Malformed("staff.feed-unreadable", line=rows.line_num) from error


def _people(rows: csv.DictReader[str]) -> list[Person]:
    _check_columns([name or "" for name in rows.fieldnames or ()])
    people: dict[str, Person] = {}
    issues: list[Issue] = []
    for row in rows:
        place = f"line {rows.line_num}"
        facts = {name: (value or "").strip() for name, value in row.items() if name is not None}
        found = _mistakes(facts, place, whole=None not in row and None not in row.values())
        person = _person(facts)
        if person.login in people:
            found.append(Issue("duplicate", "staff.named-twice", place, details=dict(facts)))
        issues += found
        people[person.login] = person
    if issues:
        raise Invalid("staff.feed-wrong", issues=tuple(issues), count=len(issues))
    return list(people.values())


def _check_columns(names: list[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    unknown = [name for name in names if name not in NEEDED + OPTIONAL]
    if missing or unknown or len(set(names)) != len(names):
        raise Malformed("staff.feed-columns", missing=missing, unknown=[n[:40] for n in unknown])


def _mistakes(facts: Mapping[str, str], place: str, *, whole: bool) -> list[Issue]:
    """Details name what is wrong; a register of staff holds no patient."""
    checks = (
        (whole, "staff.row-torn"),
        (bool(LOGIN.fullmatch(folded(facts["login"]))), "account.login-malformed"),
        (bool(facts["name"]), "staff.name-missing"),
        (facts["role"] in ROLES, "account.unknown-role"),
        (bool(facts["organisation"]), "staff.organisation-missing"),
        (facts.get("status", "") in STATUS, "staff.status-unknown"),
        (all(len(value) <= LONGEST for value in facts.values()), "staff.value-too-long"),
    )
    details = {name: value[:LONGEST] for name, value in facts.items()} | {"known": ROLES}
    return [Issue("value", key, place, details=details) for right, key in checks if not right]


def _person(facts: Mapping[str, str]) -> Person:
    return Person(
        login=folded(facts["login"]),
        name=facts["name"],
        role=facts["role"],
        organisation=facts["organisation"],
        email=facts.get("email") or None,
        feed_id=facts.get("number") or None,
        active=STATUS.get(facts.get("status", ""), True),
    )
