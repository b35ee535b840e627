"""What a reader sees comes from the catalogues; what assistive technology needs is there."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from httpx import AsyncClient

import serai
from serai.web.rendering import ROOMS, environment

TEMPLATES = sorted(Path(serai.__file__).parent.rglob("templates/**/*.html"))
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
SPOKEN = ("title", "alt", "aria-label", "placeholder", "data-label", "data-confirm")
# The product's name, and keys that are printed on every keyboard.
NAMES = {"Serai", "Enter", "j", "k"}
WORD = re.compile(r"[^\W\d_]{1,}")


class _Texts(HTMLParser):
    """Visible texts and spoken attributes of a template without its Jinja parts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.forbidden: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in SPOKEN]
        self.forbidden += [name for name, _ in attrs if name == "style" or name.startswith("on")]
        if tag == "script" and "src" not in dict(attrs):
            self.forbidden.append("inline script")
        if tag == "style":
            self.forbidden.append("inline style")


def _read(template: Path) -> _Texts:
    texts = _Texts()
    texts.feed(JINJA.sub("", template.read_text()))
    return texts


def _id(template: Path) -> str:
    return str(template.relative_to(ROOMS))


@pytest.mark.parametrize("template", TEMPLATES, ids=_id)
def test_no_visible_text_is_hard_coded(template: Path) -> None:
    words = [word for text in _read(template).found for word in WORD.findall(text)]
    assert [word for word in words if word not in NAMES] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=_id)
def test_templates_obey_the_content_security_policy(template: Path) -> None:
    assert _read(template).forbidden == []
    assert "hx-on" not in template.read_text()


@pytest.mark.parametrize("template", TEMPLATES, ids=_id)
def test_every_template_compiles(template: Path) -> None:
    name = _id(template)
    own = name.startswith("web/templates/")
    name = name.replace("/templates/", "/")
    environment().get_template(name.removeprefix("web/") if own else name)


class _Page(HTMLParser):
    """What a screen reader depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.headings = 0
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.landmarks: set[str] = set()
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.headings += tag == "h1"
        if tag == "html":
            self.language = given.get("lang") or ""
        if tag == "label":
            self.labelled.add(given.get("for") or "")
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.fields.append(given)
        if tag in ("main", "nav", "header"):
            self.landmarks.add(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))


@pytest.mark.parametrize("path", ["/signin", "/ward"])
async def test_a_page_is_ready_for_a_screen_reader(doctor: AsyncClient, path: str) -> None:
    if path == "/signin":
        doctor.cookies.clear()
    page = _Page()
    page.feed((await doctor.get(path)).text)
    assert page.language == "en"
    assert page.headings == 1
    assert {"main", "header"} <= page.landmarks
    assert len(page.ids) == len(set(page.ids))
    for field in page.fields:
        assert field.get("aria-label") or field.get("id") in page.labelled
