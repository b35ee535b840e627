"""Paper: words of every language, and no call to anywhere while printing."""

from __future__ import annotations

import subprocess
from pathlib import Path

from serai.web.pdf import printed


def _text(content: bytes, folder: Path) -> str:
    file = folder / "printed.pdf"
    file.write_bytes(content)
    told = subprocess.run(["pdftotext", str(file), "-"], check=True, capture_output=True)
    return told.stdout.decode()


def test_a_document_keeps_its_words_in_chinese_and_english(tmp_path: Path) -> None:
    page = '<html lang="zh"><body><h1>会诊意见书</h1><p>No bleeding. 未见出血。</p></body></html>'
    text = _text(printed(page), tmp_path)
    assert "会诊意见书" in text
    assert "No bleeding. 未见出血。" in text
    assert "1/1" in text.replace(" / ", "/")


def test_printing_reads_no_file_and_calls_no_address(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("do not print")
    page = f"""<html><head><link rel="stylesheet" href="http://127.0.0.1:9/x.css"></head>
        <body><p>before</p><img src="file://{secret}" alt="refused"></body></html>"""
    content = printed(page)
    assert content.startswith(b"%PDF")
    assert "do not print" not in _text(content, tmp_path)
