"""From a template and its facts to an answer: the one place where pages are written."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

import serai
from serai.web import flashes, formats, wording
from serai.web.assets import static
from serai.web.authentication import Signed, signed
from serai.web.languages import gettext, ngettext, npgettext, pgettext
from serai.web.navigation import NavItem
from serai.web.reader import LANGUAGES, Reader, current_reader, reading_as

ROOMS = Path(serai.__file__).parent
COMPRESS_FROM = 600


def _source(template: str) -> tuple[str, str, Callable[[], bool]] | None:
    """`care/chart/show.html` is `serai/care/chart/templates/show.html`; no folder means `web`."""
    room, _, file = template.rpartition("/")
    path = ROOMS / (room or "web") / "templates" / file
    if ".." in template or not path.is_file():
        return None
    changed = path.stat().st_mtime
    return path.read_text(), str(path), lambda: path.stat().st_mtime == changed


@cache
def environment() -> Environment:
    """One Jinja environment; words and zone come from the current reader while rendering."""
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        gettext, ngettext, newstyle=True, pgettext=pgettext, npgettext=npgettext
    )
    made.filters.update(
        when=formats.when,
        day=formats.day,
        ago=formats.ago,
        waited=formats.waited,
        age=formats.age,
        number=formats.number,
    )
    made.globals.update(
        static=static,
        say=wording.text,
        reader=current_reader,
        languages=LANGUAGES,
        territory=formats.territory,
    )
    drawn = made.get_template("icons.html").module.icon  # type: ignore[attr-defined]
    made.globals.update(icon=drawn, _icon=drawn)
    made.globals["ui"] = made.get_template("components.html").module
    made.globals["forms"] = made.get_template("fields.html").module
    return made


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    fragment: str | None = None,
    **context: Any,
) -> Response:
    """The page; or only its block `fragment` when htmx asks for a part of it."""
    partial = fragment is not None and wants_fragment(request)
    with reading_as(signed(request).reader):
        facts = _page_facts(request) | context
        page = environment().get_template(template)
        if partial and fragment:
            text = "".join(page.blocks[fragment](page.new_context(facts)))
        else:
            text = page.render(facts)
    response = HTMLResponse(status_code=status, headers={"Vary": "Cookie, HX-Request"})
    _write(request, response, text)
    if not partial and flashes.COOKIE in request.cookies:
        flashes.clear(response)
    return response


def render_text(request: Request, template: str, **context: Any) -> str:
    """The written page alone, for callers that print it."""
    with reading_as(signed(request).reader):
        return environment().get_template(template).render(_page_facts(request) | context)


def see_other(path: str, *, flash: str | None = None, kind: str = "success") -> Response:
    """303 after a successful POST; `flash` is a message key shown on the next page."""
    response = RedirectResponse(path, status_code=303)
    if flash:
        flashes.put(response, flash, kind)
    return response


def wants_fragment(request: Request) -> bool:
    """htmx asks for a part, and not to rebuild a whole page from history."""
    return (
        request.headers.get("hx-request") == "true"
        and request.headers.get("hx-request-type") != "full"
        and "hx-history-restore-request" not in request.headers
    )


def _page_facts(request: Request) -> dict[str, Any]:
    who: Signed = signed(request)
    navigation: tuple[NavItem, ...] = getattr(request.app.state, "navigation", ())
    reader: Reader = who.reader
    return {
        "request": request,
        "actor": who.actor,
        "language": reader.language,
        "tag": reader.tag,
        "here": request.url.path,
        "here_query": request.url.query,
        "navigation": [item for item in navigation if who.actor and item.shown_to(who.actor)],
        "flash": flashes.take(request),
    }


def _write(request: Request, response: Response, text: str) -> None:
    body = text.encode()
    if len(body) >= COMPRESS_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 5, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] += ", Accept-Encoding"
    response.body = body
    response.headers["Content-Length"] = str(len(body))
