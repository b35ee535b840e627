"""Create, retrieve, update, change state and request cancellation (PS3.18 §11.4 to §11.8)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tests.imaging.serving import Server
from tests.imaging.ups.asking import (
    JSON,
    LOCK,
    PERFORMED,
    Worklist,
    a_workitem,
    code,
    element,
    rows,
)

OTHER_LOCK = "2.25.222"


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_new_workitem_is_scheduled_and_read_as_it_was_sent(
    shared_server: Server, uid: str
) -> None:
    worklist = Worklist.of(shared_server, "county")
    answer = worklist.create(uid)
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{shared_server.dicomweb}/workitems/{uid}"
    assert "Warning" not in answer.headers
    kept, sent = worklist.read(uid), a_workitem()
    assert {tag: kept[tag] for tag in sent} == sent
    assert kept["00080016"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
    assert kept["00080018"]["Value"] == [uid]
    assert kept["00741002"] == kept["00741216"] == {"vr": "SQ"}
    assert kept["00404010"]["Value"][0].endswith("+0000")


def test_the_server_names_a_workitem_that_came_without_uid(shared_server: Server, uid: str) -> None:
    worklist = Worklist.of(shared_server)
    answer = worklist.ask("POST", "", a_workitem())
    uid = answer.headers["Location"].rpartition("/")[2]
    assert uid.startswith("2.25.")
    assert worklist.state(uid) == "SCHEDULED"


@pytest.mark.parametrize("query", ["?workitem=1.2.9", "?AffectedSOPInstanceUID=1.2.9", "?1.2.9"])
def test_the_uid_may_stand_in_the_address(shared_server: Server, query: str) -> None:
    answer = Worklist.of(shared_server, f"county{len(query)}").ask("POST", query, a_workitem())
    assert answer.status_code == 201 or error(answer) == (409, "ups.exists")
    assert Worklist.of(shared_server).state("1.2.9") == "SCHEDULED"


def test_a_uid_is_used_once(shared_server: Server, uid: str) -> None:
    worklist = Worklist.of(shared_server, "county")
    worklist.created(uid)
    assert error(worklist.create(uid)) == (409, "ups.exists")
    assert error(Worklist.of(shared_server, "township").create(uid)) == (409, "ups.exists")


def test_an_unlabelled_worklist_gets_a_label_and_the_sender_is_told(
    shared_server: Server, uid: str
) -> None:
    answer = Worklist.of(shared_server).create(uid, t00741202=element("LO"))
    assert answer.headers["Warning"].endswith(": The Workitem was created with modifications.")
    assert Worklist.of(shared_server).read(uid)["00741202"]["Value"] == ["WORKLIST"]


REQUIRED = [
    "00741200", "00741204", "00741202", "00741210", "00404025", "00404026", "00404027",
    "00404005", "00404018", "00400400", "00404041", "00404021", "00100010", "00100021",
    "00100024", "00101002", "00100030", "00100040", "00380010", "00380014", "00081080",
    "00081084", "0040A370", "00741000",
]  # fmt: skip


@pytest.mark.parametrize("tag", REQUIRED)
def test_what_n_create_requires_must_be_there(shared_server: Server, tag: str) -> None:
    answer = Worklist.of(shared_server).create("1.2.4", **{f"t{tag}": None})
    assert error(answer) == (400, "ups.missing")
    assert answer.json()["details"]["attributes"] == [tag]


CODE, SCHEME, MEANING = "00080100", "00080102", "00080104"
NO_MEANING = element("SQ", {CODE: element("SH", "1"), SCHEME: element("SH", "DCM")})
NO_SCHEME = element("SQ", {CODE: element("SH", "1"), MEANING: element("LO", "One")})
NO_STUDY = element("SQ", {"00080050": element("SH", "A1")})
FAR_ALONG = element("SQ", {"00741004": element("DS", "5")})
ELSEWHERE = {"vr": "LO", "BulkDataURI": "http://x/"}
REFUSED: list[tuple[str, str, Any, str]] = [
    ("a state other than scheduled", "00741000", element("CS", "CANCELED"), "ups.not-scheduled"),
    ("a Transaction uid", "00081195", element("UI", LOCK), "ups.not-at-creation"),
    ("progress", "00741002", FAR_ALONG, "ups.not-at-creation"),
    ("what was performed", "00741216", PERFORMED["00741216"], "ups.not-at-creation"),
    ("an unknown priority", "00741200", element("CS", "ASAP"), "ups.value"),
    ("two priorities", "00741200", element("CS", "LOW", "HIGH"), "ups.value"),
    ("an unknown readiness", "00404041", element("CS", "SOON"), "ups.value"),
    ("another SOP class", "00080016", element("UI", "1.2.840.10008.1.1"), "ups.value"),
    ("another uid", "00080018", element("UI", "1.2.99"), "ups.another-uid"),
    ("a code without meaning", "00404018", NO_MEANING, "ups.missing"),
    ("a code without scheme", "00404018", NO_SCHEME, "ups.missing"),
    ("a request without study", "0040A370", NO_STUDY, "ups.missing"),
    ("the wrong VR", "00741204", element("SH", "CT"), "ups.attribute"),
    ("a number as text", "00741204", element("LO", 5), "ups.attribute"),
    ("no date", "00100030", element("DA", "19701332"), "ups.attribute"),
    ("no moment", "00404005", element("DT", "tomorrow"), "ups.attribute"),
    ("text too long", "00741204", element("LO", "x" * 65), "ups.attribute"),
    ("a NUL", "00741204", element("LO", "x\0"), "ups.attribute"),
    ("bulk data elsewhere", "00741204", ELSEWHERE, "ups.attribute"),
    ("a keyword for a tag", "WorklistLabel", element("LO", "x"), "ups.not-an-attribute"),
    ("file meta", "00020010", element("UI", "1.2"), "ups.not-an-attribute"),
]


@pytest.mark.parametrize(
    ("tag", "given", "key"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_wrong_workitem_is_refused(shared_server: Server, tag: str, given: Any, key: str) -> None:
    answer = Worklist.of(shared_server).create("1.2.5", **{f"t{tag}": given})
    assert error(answer) == (400, key)
    assert "Wei" not in answer.text
    assert Worklist.of(shared_server).ask("GET", "/1.2.5").status_code == 404


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ([a_workitem(), a_workitem()], JSON, 400),
        ("text", JSON, 400),
        (a_workitem(), "application/dicom+xml", 415),
        ({"00741204": element("LO", *("x" * 64,) * 20_000)}, JSON, 413),
    ],
)
def test_only_one_json_data_set_is_read(
    shared_server: Server, body: Any, kind: str, status: int
) -> None:
    answer = Worklist.of(shared_server).ask("POST", "?1.2.6", body, kind)
    assert answer.status_code == status, answer.text


def test_xml_is_refused_honestly_and_unknown_parameters_are_not_ignored(
    shared_server: Server, uid: str
) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    xml = 'multipart/related; type="application/dicom+xml"'
    assert worklist.ask("GET", f"/{uid}", accept=xml).status_code == 406
    assert worklist.ask("GET", "", accept=xml).status_code == 406
    for method, path in (("GET", f"/{uid}?x=1"), ("POST", "?x=1"), ("GET", "?limit=x")):
        body = a_workitem() if method == "POST" else None
        assert worklist.ask(method, path, body).status_code == 400


def test_the_transaction_uid_is_never_told(shared_server: Server, uid: str) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    for state in ("IN PROGRESS", "COMPLETED"):
        worklist.move(uid, "IN PROGRESS")
        if state == "COMPLETED":
            worklist.update(uid, PERFORMED)
            worklist.move(uid, "COMPLETED")
        assert worklist.state(uid) == state
        for path in (f"/{uid}", "", "?includefield=all", "?includefield=00081195"):
            assert LOCK not in worklist.ask("GET", path).text
    assert worklist.ask("GET", f"?00081195={LOCK}").status_code == 400


def test_a_scheduled_workitem_is_changed_without_a_transaction_uid(
    shared_server: Server, uid: str
) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    assert worklist.update(uid, {"00741204": element("LO", "CT abdomen")}, "").status_code == 200
    assert worklist.read(uid)["00741204"]["Value"] == ["CT abdomen"]
    refused = worklist.update(uid, {"00741204": element("LO", "MR")}, LOCK)
    assert error(refused) == (400, "ups.transaction-uid")


def test_a_workitem_in_progress_is_changed_by_its_performer_only(
    shared_server: Server, uid: str
) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    worklist.bring_to(uid, "IN PROGRESS")
    label = {"t00741204": element("LO", "CT abdomen")}
    missing, wrong = worklist.update(uid, label, ""), worklist.update(uid, label, OTHER_LOCK)
    assert error(missing) == (400, "ups.transaction-uid-missing")
    assert missing.headers["Warning"].endswith(": The Transaction UID is missing.")
    assert error(wrong) == (400, "ups.transaction-uid")
    assert wrong.headers["Warning"].endswith(": The Transaction UID is incorrect.")
    body = {"00741204": element("LO", "CT abdomen")}
    assert worklist.ask("POST", f"/{uid}?{LOCK}", body).status_code == 200
    assert worklist.ask("POST", f"/{uid}?transaction-uid={LOCK}", body).status_code == 200
    assert worklist.read(uid)["00741204"]["Value"] == ["CT abdomen"]


@pytest.mark.parametrize("state", ["COMPLETED", "CANCELED"])
def test_what_has_ended_is_not_changed(shared_server: Server, uid: str, state: str) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    worklist.bring_to(uid, state)
    before = worklist.read(uid)
    assert error(worklist.update(uid, {"00741204": element("LO", "x")})) == (400, "ups.ended")
    assert worklist.read(uid) == before


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"t00100010": element("PN", {"Alphabetic": "X"})}, "ups.not-to-be-set"),
        ({"t00741000": element("CS", "COMPLETED")}, "ups.not-to-be-set"),
        ({"t0040A370": element("SQ")}, "ups.not-to-be-set"),
        ({"t00741204": element("LO")}, "ups.missing"),
        ({"t00404018": element("SQ")}, "ups.missing"),
        ({"t00741200": element("CS", "X")}, "ups.value"),
    ],
)
def test_n_set_keeps_to_its_rules(shared_server: Server, changed: dict[str, Any], key: str) -> None:
    worklist = Worklist.of(shared_server)
    worklist.create("1.2.7")
    assert error(worklist.update("1.2.7", changed, "")) == (400, key)


def test_completing_needs_what_was_performed(shared_server: Server, uid: str) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    worklist.bring_to(uid, "IN PROGRESS")
    refused = worklist.move(uid, "COMPLETED")
    assert error(refused) == (409, "ups.final-state")
    assert refused.json()["details"]["attributes"] == ["00741216"]
    (item,) = PERFORMED["00741216"]["Value"]
    for tag in ("00404019", "00404028", "00404050", "00404051", "00404033"):
        incomplete = {name: value for name, value in item.items() if name != tag}
        worklist.update(uid, {"00741216": element("SQ", incomplete)})
        refused = worklist.move(uid, "COMPLETED")
        if tag == "00404033":
            # Without output the item itself is refused nothing; the final state is.
            assert refused.json()["details"]["attributes"] == [f"00741216/0/{tag}"]
        assert error(refused) == (409, "ups.final-state")
    worklist.update(uid, PERFORMED)
    assert worklist.move(uid, "COMPLETED").status_code == 200
    assert worklist.state(uid) == "COMPLETED"


def test_a_cancelled_workitem_says_when_and_why(shared_server: Server, uid: str) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    worklist.bring_to(uid, "CANCELED")
    (progress,) = worklist.read(uid)["00741002"]["Value"]
    assert progress["00404052"]["Value"][0].endswith("+0000")
    (reason,) = progress["0074100E"]["Value"]
    assert reason["00080100"]["Value"] == ["110513"]


def test_of_many_who_claim_a_workitem_exactly_one_wins(shared_server: Server, uid: str) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    with ThreadPoolExecutor(8) as pool:
        locks = [f"2.25.{number}" for number in range(100, 116)]
        answers = list(pool.map(lambda lock: worklist.move(uid, "IN PROGRESS", lock), locks))
    won = [lock for lock, each in zip(locks, answers, strict=True) if each.status_code == 200]
    assert len(won) == 1
    lost = [each for each in answers if each.status_code != 200]
    assert {error(each) for each in lost} == {(400, "ups.transaction-uid")}
    assert worklist.update(uid, {"00741204": element("LO", "mine")}, won[0]).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_is_not_there_is_not_there(shared_server: Server, method: str) -> None:
    worklist = Worklist.of(shared_server)
    asked = {
        "GET": lambda: worklist.ask("GET", "/1.9.9"),
        "POST": lambda: worklist.update("1.9.9", {"00741204": element("LO", "x")}),
        "PUT": lambda: worklist.move("1.9.9", "IN PROGRESS"),
    }[method]()
    assert error(asked) == (404, "ups.no-such-workitem")


def test_cancellation_of_what_nobody_has_begun_is_done_at_once(
    shared_server: Server, uid: str
) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    why = {"00741238": element("LT", "Patient left"), "0074100E": element("SQ", code("110500"))}
    assert worklist.ask("POST", f"/{uid}/cancelrequest", why).status_code == 202
    assert worklist.state(uid) == "CANCELED"
    (progress,) = worklist.read(uid)["00741002"]["Value"]
    assert progress["00741238"]["Value"] == ["Patient left"]
    assert progress["0074100E"]["Value"][0]["00080100"]["Value"] == ["110500"]
    again = worklist.ask("POST", f"/{uid}/cancelrequest")
    assert again.status_code == 202
    assert again.headers["Warning"].endswith(
        ": The UPS is already in the requested state of CANCELED."
    )
    refused = worklist.ask("POST", f"/{uid}/cancelrequest", {"00741204": element("LO", "x")})
    assert error(refused) == (400, "ups.not-of-a-cancellation")


def test_a_performer_who_cannot_be_told_is_not_said_to_have_been(
    shared_server: Server, uid: str
) -> None:
    worklist = Worklist.of(shared_server)
    worklist.created(uid)
    worklist.bring_to(uid, "IN PROGRESS")
    refused = worklist.ask("POST", f"/{uid}/cancelrequest")
    assert error(refused) == (409, "ups.performer-unreachable")
    assert worklist.ask("POST", f"/{uid}/subscribers/READER").status_code == 201
    assert worklist.ask("POST", f"/{uid}/cancelrequest").status_code == 202
    assert worklist.state(uid) == "IN PROGRESS"
    worklist.update(uid, PERFORMED)
    worklist.move(uid, "COMPLETED")
    assert error(worklist.ask("POST", f"/{uid}/cancelrequest")) == (409, "ups.completed-already")


def test_every_change_leaves_its_audit_line_and_a_refusal_none(
    shared_server: Server, uid: str
) -> None:
    worklist = Worklist.of(shared_server, "county")
    worklist.created(uid)
    worklist.move(uid, "COMPLETED")
    worklist.move(uid, "IN PROGRESS")
    worklist.move(uid, "IN PROGRESS", OTHER_LOCK)
    worklist.update(uid, PERFORMED)
    worklist.move(uid, "COMPLETED")
    statement = "SELECT act, resource, organisation FROM audit_event ORDER BY 1, 2"
    audited = [row for row in rows(shared_server, statement) if row[1] == f"Workitem/{uid}"]
    expected = ["ups.completed", "ups.create", "ups.in-progress", "ups.update"]
    assert audited == [(act, f"Workitem/{uid}", "county") for act in expected]
