"""English in the source, everything in Chinese too, and nothing lost on the way."""

from __future__ import annotations

import importlib
import re

import pytest
from babel.messages.pofile import read_po
from tools.catalogues import extracted, unfinished, updated

from serai.web import wording
from serai.web.catalogues import compile_all, po_file, translations
from serai.web.languages import N_, choose, gettext
from serai.web.reader import LANGUAGES, LOCALES, TAGS, Reader, reading_as
from serai.web.rendering import ROOMS

OTHERS = sorted(set(LANGUAGES) - {"en"})
RAISED = re.compile(
    r"(?:Malformed|Invalid|Unauthenticated|Forbidden|NotFound|Gone|Conflict|Stale|TooLarge"
    r"|Unsupported|RateLimited|Unavailable|refuse|see_other)"
    r"\(\s*(?:\"[a-z_]+\",\s*)?\"([a-z0-9-]+\.[a-z0-9.-]+)\""
)
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@pytest.mark.parametrize("language", OTHERS)
def test_every_marked_string_is_translated(language: str) -> None:
    missing = unfinished(updated(language, extracted()))
    assert [one.id for one in missing] == []


@pytest.mark.parametrize("language", OTHERS)
def test_translations_keep_the_blanks_that_facts_fill(language: str) -> None:
    with po_file(language).open("rb") as file:
        catalogue = read_po(file, locale=language)
    for message in catalogue:
        sources = message.id if isinstance(message.id, (list, tuple)) else [message.id]
        texts = message.string if isinstance(message.string, (list, tuple)) else [message.string]
        blanks = set(PLACEHOLDER.findall(sources[-1]))
        for text in filter(None, texts):
            assert set(PLACEHOLDER.findall(text)) <= blanks | {"num"}, message.id
            assert text == text.strip() or message.id == "", message.id


def test_every_language_has_a_name_a_tag_and_a_locale() -> None:
    assert LANGUAGES.keys() == TAGS.keys() == LOCALES.keys()


def test_compiling_twice_writes_nothing_the_second_time() -> None:
    compile_all()
    assert compile_all() == []


def test_a_missing_translation_falls_back_to_english() -> None:
    with reading_as(Reader("zh")):
        assert gettext("never marked") == "never marked"
        assert gettext("") == ""
    assert translations("en").gettext("Sign in") == "Sign in"


@pytest.mark.parametrize(
    ("chosen", "accept", "expected"),
    [
        ([None, None], "", "en"),
        ([None, "zh"], "en", "zh"),
        (["en", "zh"], "zh", "en"),
        (["xx"], "fr, zh-TW;q=0.8, en;q=0.5", "zh"),
        ([], "en;q=0, zh;q=0.1", "zh"),
        ([], ";;;q=x,,zh;q=nonsense", "en"),
        ([], "zh-Hans-CN,zh;q=0.9", "zh"),
    ],
)
def test_the_language_is_chosen_by_account_then_cookie_then_browser(
    chosen: list[str | None], accept: str, expected: str
) -> None:
    assert choose(chosen, accept) == expected


def test_one_key_has_one_sentence() -> None:
    wording.add({"test.same": N_("Sign in")})
    wording.add({"test.same": N_("Sign in")})
    with pytest.raises(ValueError, match=r"test\.same"):
        wording.add({"test.same": N_("Sign out")})


@pytest.mark.parametrize("room", ["care", "deidentify", "network", "web"])
def test_every_key_that_pages_can_meet_has_a_sentence(room: str) -> None:
    importlib.import_module("serai.app")
    source = "\n".join(file.read_text() for file in (ROOMS / room).rglob("*.py"))
    assert sorted({key for key in RAISED.findall(source) if not wording.known(key)}) == []


def test_details_fill_the_sentence_and_missing_ones_do_not_break_it() -> None:
    assert wording.text("form.too-long", {"longest": 5}) == "Too long: at most 5 characters."
    assert "%(longest)s" in wording.text("form.too-long", {"other": 5})
    assert wording.text("unknown.key") == "unknown.key"
