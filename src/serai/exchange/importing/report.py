"""What an import did, for people and as a file for programs."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from serai.exchange.importing.ledger import Counts
from serai.exchange.importing.tally import Tally
from serai.kernel.errors import NotFound, Unsupported
from serai.web.languages import N_, gettext, ngettext

SHOWN = 50
FORMS = (".json", ".csv")


def check(path: Path) -> None:
    """Before the work begins: whether the report can be written where and as its name asks."""
    if not path.absolute().parent.is_dir():
        raise NotFound("import.no-such-path", path=str(path.parent))
    if path.suffix.lower() not in FORMS:
        raise Unsupported("import.report-form", forms=", ".join(FORMS))


def write(path: Path, tally: Tally) -> None:
    """Every refusal, and in JSON the counts too."""
    refusals = [asdict(refusal) for refusal in tally.refusals.values()]
    if path.suffix.lower() == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.DictWriter(file, ("file", "place", "key", "reason"))
            lines.writeheader()
            lines.writerows(refusals)
        return
    summary = {
        "files": tally.files,
        "filesDoneBefore": tally.files_before,
        "resources": asdict(tally.resources),
        "pictures": asdict(tally.pictures),
        "before": asdict(tally.before),
        "refused": refusals,
    }
    path.write_text(json.dumps(summary, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def show(console: Console, tally: Tally) -> None:
    """Counts first, then what was refused and why."""
    for label, counts in (
        (gettext(N_("Records")), tally.resources),
        (gettext(N_("Pictures")), tally.pictures),
        (gettext(N_("Done before")), tally.before),
    ):
        if counts.total:
            console.print(f"{label}: {_counted(counts)}")
    said = ngettext("%(count)s file", "%(count)s files", tally.files) % {"count": tally.files}
    if tally.files_before:
        known = gettext(N_("of these %(count)s done before")) % {"count": tally.files_before}
        said = f"{said}, {known}"
    console.print(said)
    if tally.refusals:
        console.print(_refusals(tally))


def _counted(counts: Counts) -> str:
    words = gettext(N_("%(created)s new, %(updated)s changed, %(unchanged)s there already"))
    return words % asdict(counts)


def _refusals(tally: Tally) -> Table:
    count = len(tally.refusals)
    title = ngettext("%(count)s part was refused", "%(count)s parts were refused", count)
    table = Table(title=title % {"count": count}, title_justify="left", expand=True)
    for heading in (gettext(N_("File")), gettext(N_("Place")), gettext(N_("Reason"))):
        table.add_column(heading, overflow="fold")
    for refusal in list(tally.refusals.values())[:SHOWN]:
        table.add_row(Text(refusal.file), Text(refusal.place), Text(refusal.reason))
    if count > SHOWN:
        left = ngettext("and %(count)s more", "and %(count)s more", count - SHOWN)
        table.add_row("…", "", Text(left % {"count": count - SHOWN}))
    return table
