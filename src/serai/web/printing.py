"""HTML to paper. A module of its own, loaded with the first document: WeasyPrint loads slowly."""

from __future__ import annotations

from pathlib import Path

from weasyprint import CSS, HTML
from weasyprint.urls import URLFetcher

PAPER = Path(__file__).parent / "static" / "paper.css"


def printed(text: str) -> bytes:
    """Nothing is fetched while printing: a document cannot make the server call out."""
    offline = URLFetcher(allowed_protocols=["data"])
    style = CSS(string=PAPER.read_text(), url_fetcher=offline)
    return bytes(HTML(string=text, url_fetcher=offline).write_pdf(stylesheets=[style]))
