"""Documents on paper: the same templates and words, printed as PDF."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from serai.web.rendering import render_text


async def render_pdf(request: Request, template: str, *, filename: str, **context: Any) -> Response:
    """The template, which extends `paper.html`, as a PDF shown in the browser."""
    text = render_text(request, template, **context)
    content = await asyncio.to_thread(printed, text)
    disposition = f"inline; filename*=UTF-8''{quote(filename)}"
    return Response(
        content, media_type="application/pdf", headers={"Content-Disposition": disposition}
    )


def printed(text: str) -> bytes:
    """The document's bytes; what prints is loaded with the first document, not at the start."""
    return bytes(import_module("serai.web.printing").printed(text))
