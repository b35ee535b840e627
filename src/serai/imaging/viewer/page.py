"""OHIF's index page, made to live under /viewer and to load nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import lru_cache
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from serai.imaging.viewer.words import KEPT, said
from serai.kernel.actor import Actor
from serai.web.authentication import require_actor, signed
from serai.web.reader import reading_as

HEAD = "<head>"
ROOT_ADDRESS = re.compile(r'(?P<attribute>src|href|content)="/(?=[^/])')
INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# Registers a service worker from googleapis.com; offline use is not what this page is for.
SERVICE_WORKER = re.compile(r'<script[^>]*init-service-worker\.js"[^>]*></script>')
# The viewer compiles shaders and WebAssembly and starts workers from blobs.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval' blob: {scripts}; "
    "worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' blob: data:; media-src 'self' blob:; "
    "manifest-src 'self'; frame-src 'self' blob:; frame-ancestors 'self'; base-uri 'none'"
)
# Workers started from our own address bring their own policy.
POLICY_OF_FILES = POLICY.format(scripts="")


def response(request: Request, index: Path) -> Response:
    """The page for every address of the viewer that is not a file."""
    content, policy = _rewritten(index, index.stat().st_mtime_ns)
    headers = {"Cache-Control": "private, no-store", "Content-Security-Policy": policy}
    return HTMLResponse(content.replace(HEAD, HEAD + _session(request), 1), headers=headers)


def may_store(actor: Actor) -> bool:
    """Whether what somebody measures can be kept: the rule of STOW-RS."""
    return actor.may("c", "ImagingStudy")


def _session(request: Request) -> str:
    """Who reads, and the secret that a request which stores something must bring along; in the
    page, for a script of its own could be loaded by a foreign site."""
    actor, reader = require_actor(request), signed(request).reader
    with reading_as(reader):
        words = {name: said(key) for name, key in KEPT.items()}
    about = {
        "account": actor.id,
        "csrf": reader.csrf,
        "language": reader.language,
        "store": may_store(actor),
        "words": words,
    }
    content = escape(json.dumps(about), quote=True)
    return (
        f'<meta name="serai-viewer" content="{content}"><script src="/viewer/keeping.js"></script>'
    )


@lru_cache(maxsize=4)
def _rewritten(index: Path, _changed: int) -> tuple[str, str]:
    content = SERVICE_WORKER.sub("", index.read_text(encoding="utf-8"))
    content = ROOT_ADDRESS.sub(r'\g<attribute>="/viewer/', content)
    content = content.replace('PUBLIC_URL="/"', 'PUBLIC_URL="/viewer/"')
    scripts = " ".join(f"'sha256-{_digest(script)}'" for script in INLINE.findall(content))
    return content, POLICY.format(scripts=scripts)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
