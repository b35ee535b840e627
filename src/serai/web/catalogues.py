"""The gettext catalogues: one `serai.po` per language under `web/locale`, English in the source."""

from __future__ import annotations

import gettext as gnu
import io
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from serai.web.reader import DEFAULT_LANGUAGE

FOLDER = Path(__file__).parent / "locale"
DOMAIN = "serai"


def po_file(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def compile_all() -> list[Path]:
    """Write every missing or outdated `.mo`; returns those written."""
    written = []
    for source in sorted(FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        target = source.with_suffix(".mo")
        if not _fresh(source, target):
            target.write_bytes(_compiled(source))
            written.append(target)
    return written


@cache
def translations(language: str) -> gnu.NullTranslations:
    """The catalogue of a language; English needs none."""
    source = po_file(language)
    if language == DEFAULT_LANGUAGE or not source.exists():
        return gnu.NullTranslations()
    target = source.with_suffix(".mo")
    content = target.read_bytes() if _fresh(source, target) else _compiled(source)
    return gnu.GNUTranslations(io.BytesIO(content))


def _fresh(source: Path, target: Path) -> bool:
    return target.exists() and target.stat().st_mtime >= source.stat().st_mtime


def _compiled(source: Path) -> bytes:
    with source.open("rb") as file:
        catalogue = read_po(file, locale=source.parent.parent.name)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    return compiled.getvalue()


if __name__ == "__main__":
    compile_all()
