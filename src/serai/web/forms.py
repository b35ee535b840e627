"""Forms that were sent: secret checked, values parsed once, refusals noted per field as keys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from serai.kernel.errors import Forbidden, Malformed
from serai.web import wording
from serai.web.authentication import from_this_site, is_form_secret, signed

SECRET_FIELD = "_csrf"  # noqa: S105
LONGEST_LINE = 500
MOST_FIELDS = 1000
MOST_FILES = 2000
LARGEST_FIELD = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a field cannot stay as it is: a message key and what fills it in."""

    key: str
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return wording.text(self.key, self.details)


@dataclass(slots=True)
class Form:
    """A form as sent, or as first shown. Reading a value notes what is wrong with it."""

    data: FormData
    errors: dict[str, Refusal] = field(default_factory=dict)

    @classmethod
    def blank(cls, **values: str | list[str] | None) -> Form:
        """A form to show; the values are what it starts with."""
        pairs: list[tuple[str, str | UploadFile]] = []
        for name, value in values.items():
            several = value if isinstance(value, list) else [value or ""]
            pairs += [(name, one) for one in several]
        return cls(FormData(pairs))

    def refuse(self, name: str, key: str, **details: Any) -> None:
        """Note an error on a field; the first one noted stays."""
        self.errors.setdefault(name, Refusal(key, details))

    def value(self, name: str) -> str:
        """As typed, for showing the form again."""
        value = self.data.get(name, "")
        return value if isinstance(value, str) else ""

    def text(self, name: str, *, required: bool = False, longest: int = LONGEST_LINE) -> str:
        """Trimmed text, '' when empty. NUL, which PostgreSQL text refuses, never comes through."""
        value = self.value(name).replace("\0", "").replace("\r\n", "\n").strip()
        if required and not value:
            self.refuse(name, "form.missing")
        if len(value) > longest:
            self.refuse(name, "form.too-long", longest=longest)
        return value

    def choice(self, name: str, choices: Collection[str], *, required: bool = True) -> str:
        value = self.text(name, required=required)
        if value and value not in choices:
            self.refuse(name, "form.not-a-choice")
            return ""
        return value

    def date(self, name: str, *, required: bool = False) -> date | None:
        value = self.text(name, required=required)
        try:
            return date.fromisoformat(value) if value else None
        except ValueError:
            self.refuse(name, "form.not-a-date")
            return None

    def file(self, name: str) -> UploadFile | None:
        return next(iter(self.files(name)), None)

    def files(self, name: str) -> list[UploadFile]:
        """Files that were really chosen; browsers send a nameless one for an empty field."""
        return [
            value
            for value in self.data.getlist(name)
            if isinstance(value, UploadFile) and value.filename
        ]

    def list(self, name: str) -> list[str]:
        """Every value of a repeated field: checkboxes, multiple choice."""
        return [value for value in self.data.getlist(name) if isinstance(value, str) and value]


def require_header_secret(request: Request) -> None:
    """For what our scripts send and no form: a form of another site must not pass for it."""
    if signed(request).form_secret_pending:
        raise Forbidden("form.expired")


async def parse_form(request: Request) -> Form:
    """The form of this request, its secret checked; the only way to read one."""
    who = signed(request)
    if who.session is None and not from_this_site(request):
        raise Forbidden("form.foreign")
    try:
        data = await request.form(
            max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=LARGEST_FIELD
        )
    except HTTPException as error:
        raise Malformed("form.unreadable") from error
    sent = data.get(SECRET_FIELD)
    if who.form_secret_pending and not (isinstance(sent, str) and is_form_secret(who, sent)):
        raise Forbidden("form.expired")
    who.form_secret_pending = False
    return Form(data)
