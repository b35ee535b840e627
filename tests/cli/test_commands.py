"""The command line as a person or script uses it: real processes, with and without a server."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.serving.conftest import Place

from serai.platform.postgres import Cluster

PASSWORD = "three geese over Qinghai"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A hospital with one organisation and one practitioner; its database is running."""
    place = Place(tmp_path_factory.mktemp("hospital") / "var")
    checked = place.serai("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "PostgreSQL 18, embedded" in checked.stdout
    with Cluster(place.home) as cluster:
        with psycopg.connect(cluster.url) as connection:
            for resource_type, id_ in (("Organization", "county"), ("Practitioner", "li-na")):
                connection.execute(
                    "INSERT INTO fhir_resource (type, id, version, last_updated, method, content)"
                    " VALUES (%s, %s, 1, now(), 'PUT', %s)",
                    (resource_type, id_, f'{{"resourceType":"{resource_type}","id":"{id_}"}}'),
                )
        yield place


def rows(place: Place, query: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(Cluster(place.home).url) as connection:
        return connection.execute(query, values).fetchall()


def add(place: Place, login: str, *more: str, typed: str = PASSWORD) -> str:
    options = ("--name", "Li Na", "--role", "doctor", "--organisation", "county")
    ended = place.serai("user", "add", login, *options, *more, typed=typed + "\n")
    return ended.stdout if ended.returncode == 0 else ended.stderr


def test_a_token_is_printed_and_nothing_else(place: Place) -> None:
    began = time.monotonic()
    ended = place.serai("token", "--scope", "system/*.cruds", "--ttl", "1h")
    assert time.monotonic() - began < 5
    assert (ended.returncode, ended.stderr) == (0, "")
    (secret,) = ended.stdout.splitlines()
    kept = rows(
        place,
        "SELECT scopes, organisation, expires_at - issued_at = '1h' FROM access_token"
        " WHERE secret_sha256 = %s",
        hashlib.sha256(secret.encode()).digest(),
    )
    assert kept == [(["system/*.cruds"], None, True)]
    audited = rows(place, "SELECT actor, outcome FROM audit_event WHERE act = 'token.issue'")
    assert audited == [("serai", "success")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scope", "system/*.read"], "not a SMART v2 scope"),
        (["--scope", ""], "at least one scope"),
        (["--scope", "patient/*.rs"], "need a patient"),
        (["--scope", "system/*.rs", "--ttl", "soon"], "not a lifetime"),
        (["--scope", "system/*.rs", "--ttl", "9999d"], "between a second and 366 days"),
        (["--scope", "system/*.rs", "--organisation", "nowhere"], "no Organization nowhere"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(
    place: Place, options: list[str], said: str
) -> None:
    ended = place.serai("token", *options)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert said in line


def test_a_user_is_added_listed_and_shut_out(place: Place) -> None:
    assert "may sign in" in add(place, "County.Doctor", "--practitioner", "li-na")
    assert "is taken" in add(place, "county.doctor")
    listed = place.serai("user", "list").stdout
    assert "county.doctor\tdoctor\tcounty\tactive\tLi Na" in listed
    assert (
        "new password"
        in place.serai("user", "password", "county.doctor", typed="four cranes over Gansu\n").stdout
    )
    assert place.serai("user", "disable", "county.doctor").returncode == 0
    assert "county.doctor\tdoctor\tcounty\tdisabled" in place.serai("user", "list").stdout
    assert "no account nobody" in place.serai("user", "disable", "nobody").stderr
    acts = rows(place, "SELECT act FROM audit_event WHERE act LIKE 'account.%%' ORDER BY sequence")
    assert acts == [("account.open",), ("account.password",), ("account.disable",)]


def test_a_user_who_makes_no_sense_is_refused(place: Place) -> None:
    assert "12 characters" in add(place, "short.one", typed="short")
    assert "no Organization nowhere" in add(place, "lost.one", "--organisation", "nowhere")
    assert "no Practitioner nobody" in add(place, "lost.one", "--practitioner", "nobody")
    assert "not a role" in add(place, "odd.one", "--role", "janitor")


def test_a_register_is_tried_and_taken(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "staff.csv"
    file.write_text("login,name,role,organisation\nwang.fang,Wang Fang,desk,county\n")
    ended = place.serai("staff", "import", str(file), "--dry-run")
    assert ended.returncode == 0, ended.stderr
    tried = ended.stdout
    assert "join\twang.fang\tdesk\tcounty" in tried
    assert "nothing was changed" in tried
    assert rows(place, "SELECT 1 FROM account WHERE login = 'wang.fang'") == []
    taken = place.serai("staff", "import", str(file)).stdout
    assert "/link/password/" in taken
    assert rows(place, "SELECT role FROM account WHERE login = 'wang.fang'") == [("desk",)]
    file.write_text("login,name,role,organisation\nwang.fang,Wang Fang,emperor,county\n")
    refused = place.serai("staff", "import", str(file))
    assert refused.returncode == 1
    assert "line 2: emperor is not a role" in refused.stderr


def test_a_roles_policy_is_set_and_a_guardian_named(place: Place) -> None:
    said = place.serai("user", "policy", "desk", "--two-factors", "--idle", "10m").stdout
    assert said == "desk: two factors, idle 0:10:00, at most 12:00:00\n"
    with psycopg.connect(Cluster(place.home).url) as connection:
        connection.execute(
            "INSERT INTO fhir_resource (type, id, version, last_updated, method, content)"
            " VALUES ('Patient', 'child', 1, now(), 'PUT', '{\"birthDate\": \"2020-05-23\"}')"
        )
    who = ("zhang.wei", "--name", "Zhang Wei", "--organisation", "county")
    assert "/link/password/" in place.serai("portal", "guardian", *who).stdout
    named = place.serai("portal", "act-for", "zhang.wei", "--patient", "child", "--basis", "minor")
    assert named.stdout == "zhang.wei acts for Patient/child until 2038-05-23.\n"


def test_check_says_what_is_not(tmp_path: Path) -> None:
    place = Place(
        tmp_path / "var", more={"SERAI_DATABASE_URL": "postgresql://serai@127.0.0.1:1/serai"}
    )
    ended = place.serai("check")
    assert ended.returncode == 1
    assert "FAILED  database: the database does not answer" in ended.stdout


def test_the_commands_explain_themselves(place: Place) -> None:
    overview = place.serai("--help").stdout
    for name in ("serve", "demo", "import", "user", "token", "network", "check"):
        assert name in overview
    assert "--scope" in place.serai("token", "--help").stdout
    assert place.serai("no-such-command").returncode == 2


def test_how_long_and_how_many_pictures_are_kept_is_set(place: Place) -> None:
    shown = place.serai("archive", "quota", "county", "500")
    assert (shown.returncode, shown.stdout) == (0, "0.0 MB used, of 500 MB\n")
    assert place.serai("archive", "retention", "30", "--organisation", "county").returncode == 0
    shorter = place.serai("archive", "retention", "29", "--organisation", "county")
    assert shorter.returncode == 1
    assert "longer, never shorter" in shorter.stderr
    assert "queued" in place.serai("archive", "scrub").stdout
    acts = rows(place, "SELECT act, resource FROM audit_event WHERE act LIKE 'imaging.%%'")
    assert acts == [
        ("imaging.quota", "Organization/county"),
        ("imaging.retain", "Organization/county"),
    ]


def test_analysers_are_listed_with_what_is_refused_and_asked_for_by_study(place: Place) -> None:
    (place.home / "models" / "nothing").mkdir(parents=True)
    ended = place.serai("analysis", "list")
    assert ended.returncode == 0, ended.stderr
    names = [line.split("\t")[0] for line in ended.stdout.splitlines()]
    assert names == ["series-quality", "dose", "laa-950", "agatston", "ecg-intervals"]
    assert "refused: nothing: card.yaml is missing." in ended.stderr
    assert place.serai("analysis", "list", "--study", "1.2.3").stdout == ""
    ended = place.serai("analysis", "run", "1.2.3")
    assert (ended.returncode, ended.stdout) == (1, "")


def test_keys_are_listed_rotated_wrapped_anew_and_kept_while_needed(place: Place) -> None:
    home = {"SERAI_BLOB_ENCRYPTION": "sm4-gcm"}
    checked = place.serai("check", **home)
    assert checked.returncode == 0, checked.stdout
    assert "wrapped by aes-256-gcm" in checked.stdout
    listed = place.serai("keys", "list").stdout.splitlines()
    assert [line.split()[1:3] for line in listed[1:] if "objects" in line] == [
        ["objects", "sm4-gcm"]
    ]
    key = next(line.split()[0] for line in listed if " objects " in line)
    rotated = place.serai("keys", "rotate", "--master", **home)
    assert rotated.returncode == 0, rotated.stderr
    assert "new keys for object names, objects" in rotated.stdout
    assert "is queued" in rotated.stdout
    after = place.serai("keys", "list").stdout
    assert key in after
    assert "replaced" in after
    master = after.splitlines()[0].removeprefix("master  ")
    assert master != listed[0].removeprefix("master  ")
    assert after.count(f"wrapped by {master}") == len(after.splitlines()) - 2
    assert after.splitlines()[-1].endswith("under the keys of now: waiting, 0")
    assert len((place.home / "master.key").read_text().splitlines()) == 2
    assert "1 old master keys dropped" in place.serai("keys", "rewrap").stdout
    assert len((place.home / "master.key").read_text().splitlines()) == 1
    refused = place.serai("keys", "destroy", key)
    assert (refused.returncode, "in use" in refused.stderr) == (1, True)
    audited = rows(place, "SELECT act FROM audit_event WHERE act LIKE 'keys.%%' ORDER BY act")
    assert audited == [("keys.rewrap",), ("keys.rotate",)]


def test_an_app_and_an_identity_provider_are_registered_and_ended(place: Place) -> None:
    facts = ("--scopes", "launch patient/*.read openid", "--organisation", "county")
    wrong = place.serai("app", "register", "Growth", *facts, "--redirect", "http://far.example/x")
    assert wrong.returncode == 1
    assert "an address must be https" in wrong.stderr
    back = ("--redirect", "https://growth.example/back", "--method", "client_secret_basic")
    made = place.serai("app", "register", "Growth charts", *facts, *back)
    id, secret = (line.partition(": ")[2] for line in made.stdout.splitlines())
    kept = rows(place, "SELECT scopes, secret_sha256 FROM app WHERE id = %s", id)
    assert kept == [
        (["launch", "openid", "patient/*.rs"], hashlib.sha256(secret.encode()).digest())
    ]
    assert place.serai("app", "revoke", id).returncode == 0
    assert f"{id}  revoked" in place.serai("app", "list").stdout
    assert "no app" in place.serai("app", "revoke", id).stderr
    assert place.serai("app", "rotate-key").returncode == 0

    named = ("--issuer", "https://idp.example", "--client-id", "serai", "--name", "County")
    added = place.serai("provider", "add", "county", *named, "--secret", typed="hush\n")
    provider, address = added.stdout.splitlines()
    assert address.endswith(f"/signin/with/{provider}/back")
    (box,) = rows(place, "SELECT sealed FROM identity_provider")[0]
    assert isinstance(box, bytes)
    assert b"hush" not in box
    assert provider in place.serai("provider", "list").stdout
    assert place.serai("provider", "remove", provider).returncode == 0
    assert place.serai("provider", "list").stdout == ""
