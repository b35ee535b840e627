from __future__ import annotations

from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from tests.imaging.documents.reports import a_paper, a_report, dcm, number, text
from tests.imaging.objects import uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

PAPER = b"%PDF-1.4\n" + b"% a letter\n" * 200 + b"%%EOF"
BROWSER = "text/html,application/xhtml+xml,image/avif,image/webp,*/*;q=0.8"


def address(content: bytes) -> str:
    study, series = uid(content, "StudyInstanceUID"), uid(content, "SeriesInstanceUID")
    return f"/studies/{study}/series/{series}/instances/{uid(content)}/rendered"


def test_a_report_is_shown_as_words_that_do_nothing(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content = a_report(
        generate_uid(),
        dcm("121071", "Finding"),
        [
            text(dcm("121071", "Finding"), "<script>alert(1)</script> 结节"),
            number(Code("410668003", "SCT", "Length"), "18.9", Code("mm", "UCUM", "mm")),
        ],
    )
    client.store(content)
    for accept in ("text/html", BROWSER, "*/*"):
        answer = client.get(address(content), accept=accept)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 结节" in answer.text
    assert "<script" not in answer.text
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "18.9" in answer.text
    assert client.get(address(content), accept="image/png").status_code == 406
    assert client.get(address(content), accept="text/html", window="1,2").status_code == 400


def test_an_enclosed_paper_is_given_as_pdf_to_the_byte(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content = a_paper(generate_uid(), PAPER)
    client.store(content)
    answer = client.get(address(content), accept=BROWSER)
    assert (answer.headers["content-type"], answer.content) == ("application/pdf", PAPER)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    small = a_paper(generate_uid(), b"%PDF-1.4 small")
    client.store(small)
    assert client.get(address(small), accept="*/*").content == b"%PDF-1.4 small"


def test_a_page_that_claims_to_be_a_paper_is_refused(shared_server: Server) -> None:
    client = Client.of(shared_server)
    content = a_paper(generate_uid(), b"<html><script>alert(1)</script></html>")
    client.store(content)
    answer = client.get(address(content), accept="*/*")
    assert (answer.status_code, answer.json()["error"]) == (406, "rendering.no-paper")


def test_another_hospital_sees_no_report(shared_server: Server) -> None:
    content = a_paper(generate_uid(), PAPER)
    Client.of(shared_server, "county").store(content)
    answer = Client.of(shared_server, "township").get(address(content), accept="*/*")
    assert answer.json()["error"] == "wado.nothing-there"
