"""Narrative text: XHTML that can be shown without harm (R4 §2.4.0, invariants txt-1 and txt-2)."""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

from serai.fhir.validation.findings import Findings, Place

XHTML = "http://www.w3.org/1999/xhtml"


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# HTML 4.0 chapters 7-11 (but not ins and del, §9.4) and 15, links and images; no script, form,
# frame, object or style sheet.
TAGS: Final = words(
    "a abbr acronym address area b bdo big blockquote br caption center cite code col colgroup "
    "dd dfn div dl dt em font h1 h2 h3 h4 h5 h6 hr i img kbd li map ol p pre q s samp small span "
    "strike strong sub sup table tbody td tfoot th thead tr tt u ul var"
)
ATTRIBUTES: Final = words(
    "abbr accesskey align alt axis bgcolor border cellpadding cellspacing char charoff cite class "
    "clear color cols colspan compact coords dir face frame headers height href hreflang hspace id "
    "ismap lang longdesc name noshade nohref nowrap rel rev rowspan rules scope shape size span "
    "src start style summary tabindex target title type usemap valign value vspace width xml:lang "
    "xml:space xmlns"
)
ADDRESSES: Final = frozenset({"href", "src", "cite", "longdesc", "usemap"})
SAFE_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel", "ftp", "urn", "cid"})
SCHEME: Final = re.compile(r"([a-z][a-z0-9+.\-]*):")
PICTURE: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp|bmp)[;,]")
# Browsers skip these inside an address, so java\nscript: would otherwise pass.
SKIPPED: Final = re.compile(r"[\s\x00-\x20]+")
STYLE_PICTURE: Final = re.compile(
    r"url\((?P<quote>['\"]?)data:image/(?:png|jpeg|gif);base64,[a-z0-9+/=]*(?P=quote)\)"
)
UNSAFE_STYLE: Final = re.compile(
    r"expression|javascript|@import|behaviou?r|-moz-binding|position:|\\|url\("
)


class Refused(Exception):
    """Carries the key of what is wrong with the text."""


class _Reader:
    """Watches the parser go by; refuses the first thing that has no place in a narrative."""

    def __init__(self) -> None:
        self.depth = 0
        self.has_content = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.depth == 0 and (tag != "div" or attributes.get("xmlns") != XHTML):
            raise Refused("fhir.narrative-not-a-div")
        if tag not in TAGS:
            raise Refused("fhir.narrative-unsafe")
        for name, value in attributes.items():
            require_safe(tag, name, value)
        self.depth += 1
        self.has_content |= tag == "img"

    def end(self, _tag: str) -> None:
        self.depth -= 1

    def text(self, content: str) -> None:
        self.has_content |= not content.isspace()

    def refuse(self, *_: object) -> None:
        raise Refused("fhir.narrative-unsafe")


def require_safe(tag: str, name: str, value: str) -> None:
    """An attribute may neither run code, nor load anything but a named picture or page."""
    if name not in ATTRIBUTES or (name == "xmlns" and value != XHTML):
        raise Refused("fhir.narrative-unsafe")
    if name == "style" and UNSAFE_STYLE.search(
        STYLE_PICTURE.sub("", SKIPPED.sub("", value).lower())
    ):
        raise Refused("fhir.narrative-unsafe")
    if name in ADDRESSES and not is_safe_address(tag, value):
        raise Refused("fhir.narrative-unsafe")


def is_safe_address(tag: str, value: str) -> bool:
    address = SKIPPED.sub("", value).lower()
    scheme = SCHEME.match(address)
    if scheme is None or scheme[1] in SAFE_SCHEMES:
        return True
    return tag == "img" and PICTURE.match(address) is not None


def problem(div: str) -> str | None:
    """The key of what is wrong with a narrative's div, or None."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.ProcessingInstructionHandler = reader.refuse
    try:
        parser.Parse(div, True)  # noqa: FBT003 expat names no parameters
    except Refused as refused:
        return str(refused)
    except (expat.ExpatError, UnicodeEncodeError):
        return "fhir.narrative-malformed"
    return None if reader.has_content else "fhir.narrative-empty"


def check_div(value: object, place: Place, findings: Findings) -> None:
    if type(value) is not str:
        findings.add("structure", "fhir.bad-value", place, type="xhtml")
    elif key := problem(value):
        findings.add("invalid", key, place)
