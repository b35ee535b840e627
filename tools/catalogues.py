"""Catalogues: collect every marked string, bring the translations up to date, compile them.

.venv/bin/python tools/catalogues.py          extract and update every language, then compile
.venv/bin/python tools/catalogues.py --check  fail when a string is missing or unfinished
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

from serai.web.catalogues import FOLDER, compile_all, po_file
from serai.web.reader import DEFAULT_LANGUAGE, LANGUAGES

ROOT = Path(__file__).parents[1]
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def extracted() -> Catalog:
    """Every string that the source marks for translation."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    catalogue = Catalog(project="Serai", charset="utf-8")
    found = extract_from_dir(
        str(ROOT), methods, options, keywords=KEYWORDS, comment_tags=("Translators:",)
    )
    for file_name, _, message, comments, context in sorted(found, key=lambda one: (one[0], one[1])):
        catalogue.add(message, None, [(file_name, 0)], auto_comments=comments, context=context)
    return catalogue


def updated(language: str, template: Catalog) -> Catalog:
    """The language's catalogue with new strings added and vanished ones dropped."""
    path = po_file(language)
    catalogue = Catalog(locale=language, project="Serai", charset="utf-8")
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    return catalogue


def unfinished(catalogue: Catalog) -> list[Message]:
    return [one for one in catalogue if one.id and (one.fuzzy or not _complete(one))]


HEADER = """# Serai, {language}. Renew with `make i18n`, then translate what is empty.
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plural_forms}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def written(catalogue: Catalog) -> bytes:
    """Without dates and line numbers, which would change the file at every edit elsewhere."""
    text = io.BytesIO()
    write_po(text, catalogue, width=100, sort_output=True, include_lineno=False, omit_header=True)
    header = HEADER.format(
        language=catalogue.locale_identifier, plural_forms=catalogue.plural_forms
    )
    return header.encode() + text.getvalue()


def main(arguments: list[str]) -> int:
    template = extracted()
    status = 0
    for language in sorted(set(LANGUAGES) - {DEFAULT_LANGUAGE}):
        catalogue = updated(language, template)
        if "--check" not in arguments:
            path = po_file(language)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(written(catalogue))
        for message in unfinished(catalogue):
            status = 1
            print(f"{language}: not translated: {message.id!r} ({message.locations[0][0]})")
    print(f"{len(template)} strings; compiled {len(compile_all())} under {FOLDER}")
    return status


def _complete(message: Message) -> bool:
    texts = message.string if isinstance(message.string, (list, tuple)) else [message.string]
    return all(texts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
