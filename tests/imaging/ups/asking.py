"""UPS-RS as a plain HTTP client speaks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from tests.imaging.serving import Server

JSON = "application/dicom+json"
LOCK = "2.25.111"
START = "20261201080000+0000"


def element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def code(value: str, scheme: str = "DCM", meaning: str = "") -> dict[str, Any]:
    return {
        "00080100": element("SH", value),
        "00080102": element("SH", scheme),
        "00080104": element("LO", meaning or value),
    }


def a_workitem(**changed: Any) -> dict[str, Any]:
    """Everything that N-CREATE requires and no more; `t00741204=None` leaves one out."""
    data_set = {
        "00081080": element("LO"),
        "00081084": element("SQ"),
        "00100010": element("PN", {"Alphabetic": "Li^Wei", "Ideographic": "李^伟"}),
        "00100020": element("LO", "P1"),
        "00100021": element("LO"),
        "00100024": element("SQ"),
        "00100030": element("DA", "19700101"),
        "00100040": element("CS", "M"),
        "00101002": element("SQ"),
        "00380010": element("LO"),
        "00380014": element("SQ"),
        "00400400": element("LT"),
        "00404005": element("DT", START),
        "00404018": element("SQ", code("110005", meaning="Interpretation")),
        "00404021": element("SQ"),
        "00404025": element("SQ"),
        "00404026": element("SQ"),
        "00404027": element("SQ"),
        "00404041": element("CS", "READY"),
        "0040A370": element("SQ"),
        "00741000": element("CS", "SCHEDULED"),
        "00741200": element("CS", "MEDIUM"),
        "00741202": element("LO", "Reading"),
        "00741204": element("LO", "CT chest"),
        "00741210": element("SQ"),
    }
    data_set |= {name.removeprefix("t"): value for name, value in changed.items()}
    return {tag: attribute for tag, attribute in data_set.items() if attribute is not None}


PERFORMED = {
    "00741216": element(
        "SQ",
        {
            "00404019": element("SQ", code("110005", meaning="Interpretation")),
            "00404028": element("SQ", code("WS1", "99SERAI", "Workstation 1")),
            "00404033": element("SQ"),
            "00404050": element("DT", "20261201081000+0000"),
            "00404051": element("DT", "20261201082000+0000"),
        },
    )
}


@dataclass(frozen=True, slots=True)
class Worklist:
    """The worklist as one organisation meets it, or somebody system-wide."""

    server: Server
    headers: dict[str, str]

    @classmethod
    def of(cls, server: Server, organisation: str | None = None) -> Worklist:
        return cls(server, server.headers(organisation=organisation))

    def ask(
        self, method: str, path: str = "", body: Any = None, kind: str = JSON, accept: str = JSON
    ) -> httpx.Response:
        return httpx.request(
            method,
            f"{self.server.dicomweb}/workitems{path}",
            json=body,
            headers=self.headers | {"Accept": accept} | ({"Content-Type": kind} if body else {}),
        )

    def create(self, uid: str, **changed: Any) -> httpx.Response:
        return self.ask("POST", f"?{uid}", a_workitem(**changed))

    def created(self, uid: str, **changed: Any) -> str:
        answer = self.create(uid, **changed)
        assert answer.status_code == 201, answer.text
        return uid

    def read(self, uid: str) -> dict[str, Any]:
        answer = self.ask("GET", f"/{uid}")
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()
        data_set: dict[str, Any] = found
        return data_set

    def state(self, uid: str) -> str:
        return str(self.read(uid)["00741000"]["Value"][0])

    def update(self, uid: str, changed: dict[str, Any], lock: str = LOCK) -> httpx.Response:
        body = {name.removeprefix("t"): value for name, value in changed.items()}
        if lock:
            body["00081195"] = element("UI", lock)
        return self.ask("POST", f"/{uid}", body)

    def move(self, uid: str, state: str, lock: str = LOCK) -> httpx.Response:
        body = {"00741000": element("CS", state)}
        if lock:
            body["00081195"] = element("UI", lock)
        return self.ask("PUT", f"/{uid}/state", body)

    def bring_to(self, uid: str, state: str) -> None:
        """From SCHEDULED, by what a performer does."""
        if state != "SCHEDULED":
            assert self.move(uid, "IN PROGRESS").status_code == 200
        if state == "COMPLETED":
            assert self.update(uid, PERFORMED).status_code == 200
        if state in ("COMPLETED", "CANCELED"):
            assert self.move(uid, state).status_code == 200

    def found(self, query: str = "") -> list[dict[str, Any]]:
        answer = self.ask("GET", f"?{query}")
        if answer.status_code == 204:
            assert answer.content == b""
            return []
        assert answer.status_code in (200, 206), answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def uids(self, query: str = "") -> list[str]:
        return [each["00080018"]["Value"][0] for each in self.found(query)]


def rows(server: Server, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.database_url) as connection:
        return connection.execute(statement.encode()).fetchall()
