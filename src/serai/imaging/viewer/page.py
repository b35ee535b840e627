"""OHIF's index page, made to live under /viewer and to load nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path

from starlette.responses import HTMLResponse, Response

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


def response(index: Path) -> Response:
    """The page for every address of the viewer that is not a file."""
    content, policy = _rewritten(index, index.stat().st_mtime_ns)
    headers = {"Cache-Control": "private, no-cache", "Content-Security-Policy": policy}
    return HTMLResponse(content, headers=headers)


@lru_cache(maxsize=4)
def _rewritten(index: Path, _changed: int) -> tuple[str, str]:
    content = SERVICE_WORKER.sub("", index.read_text(encoding="utf-8"))
    content = ROOT_ADDRESS.sub(r'\g<attribute>="/viewer/', content)
    content = content.replace('PUBLIC_URL="/"', 'PUBLIC_URL="/viewer/"')
    scripts = " ".join(f"'sha256-{_digest(script)}'" for script in INLINE.findall(content))
    return content, POLICY.format(scripts=scripts)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
