"""One object without its patient, from bytes to bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final

from serai.deidentify.pixels import cleaning, overlays
from serai.deidentify.pixels.cleaning import Findings
from serai.deidentify.pixels.reading import Reader
from serai.deidentify.profile.options import Option
from serai.deidentify.scrubbing.collecting import collect, readable
from serai.deidentify.scrubbing.identity import Collected, Identity
from serai.deidentify.scrubbing.marking import mark, new_file_meta
from serai.deidentify.scrubbing.plan import Plan
from serai.deidentify.scrubbing.scrub import Scrub, names
from serai.deidentify.scrubbing.subject import Subject
from serai.deidentify.scrubbing.texts import in_utf8
from serai.imaging.dataset import part10
from serai.imaging.dataset.tolerance import pass_values_on
from serai.imaging.rendering.transcoding import transcoded
from serai.kernel.errors import Invalid, Malformed, Unsupported

# A voice is as good as a name.
VOICES: Final = frozenset({"1.2.840.10008.5.1.4.1.1.9.4.1", "1.2.840.10008.5.1.4.1.1.9.4.2"})
NOT_TEXT: Final = frozenset({"UI", "DA", "DT", "TM", "DS", "IS", "AS"})


@dataclass(frozen=True, slots=True)
class Done:
    """The new object, and what was found in its pictures."""

    content: bytes
    findings: Findings


def deidentified(
    content: bytes,
    subject: Subject,
    options: frozenset[Option],
    known: Identity,
    reader: Reader,
    *,
    everything: bool = True,
) -> Done:
    """By the profile and these options; SeraiError says why an object cannot be.

    `known` is what others know of the patient; `everything` paints over all burned-in writing.
    """
    data_set = _read(content)
    _refuse_hopeless(data_set, options)
    plan = Plan(options, str(data_set.get("SOPClassUID") or ""))
    identity = _identity(data_set, plan, known)
    scrub = Scrub.of(plan, subject, identity)
    findings = _pictures(data_set, scrub, reader, everything=everything)
    scrub.data_set(data_set)
    if plan.cleans_graphics:
        lines = overlays.clean_overlays(data_set, reader)
        findings = replace(findings, regions=findings.regions + lines)
    overlays.drop_empty_planes(data_set)
    _last_look(data_set, scrub.rare)
    mark(data_set, options, subject)
    new_file_meta(data_set)
    return Done(_written(data_set), findings)


def _read(content: bytes) -> Any:
    from pydicom import dcmread

    pass_values_on()
    if part10.read(content).transfer_syntax == part10.EXPLICIT_VR_BIG_ENDIAN:
        content = transcoded(content, part10.EXPLICIT_VR_LITTLE_ENDIAN)
    data_set = dcmread(BytesIO(content))
    in_utf8(data_set)
    return data_set


def _refuse_hopeless(data_set: Any, options: frozenset[Option]) -> None:
    """What no rule of this profile makes safe is better left out than let through."""
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        if not data_set.get(keyword):
            raise Malformed("dicom.missing-uid", attribute=keyword)
    if "EncapsulatedDocument" in data_set:
        raise Unsupported("deidentify.document")
    if str(data_set.get("SOPClassUID")) in VOICES:
        raise Unsupported("deidentify.voice")
    if "LABEL" in list(data_set.get("ImageType") or []):
        raise Unsupported("deidentify.label")
    burned_in = str(data_set.get("BurnedInAnnotation") or "").strip() == "YES"
    if burned_in and Option.CLEAN_PIXEL_DATA not in options:
        raise Unsupported("deidentify.burned-in")


def _identity(data_set: Any, plan: Plan, known: Identity) -> Identity:
    found = Collected(set(known.words), set(known.phrases), set(known.dates))
    collect(data_set, plan, found)
    return found.made()


def _pictures(data_set: Any, scrub: Scrub, reader: Reader, *, everything: bool) -> Findings:
    """Before the header is scrubbed: rules by device need what it says of the device."""
    if "PixelData" not in data_set:
        return Findings()
    _cut_off(data_set)
    if overlays.hides_in_pixels(data_set):
        overlays.clear_unused_bits(data_set)
    if Option.CLEAN_PIXEL_DATA in scrub.plan.options:
        findings = cleaning.clean(data_set, scrub.identity, reader, everything=everything)
    else:
        findings = Findings()
    _without_remarks(data_set, scrub.rare)
    return findings


def _without_remarks(data_set: Any, rare: Identity) -> None:
    """Code streams can carry remarks."""
    encapsulated = data_set.file_meta.TransferSyntaxUID.is_encapsulated
    if encapsulated and rare.is_in_bytes(data_set.PixelData):
        cleaning.put_back(data_set, cleaning.decoded(data_set))


def _cut_off(data_set: Any) -> None:
    """What lies behind the last pixel of native frames."""
    expected, pixels = _native_length(data_set), data_set.PixelData
    encapsulated = data_set.file_meta.TransferSyntaxUID.is_encapsulated
    if not encapsulated and 0 < expected < len(pixels):
        data_set.PixelData = pixels[:expected] + bytes(expected % 2)


def _native_length(data_set: Any) -> int:
    from pydicom.pixels.utils import get_expected_length

    try:
        return int(get_expected_length(data_set, unit="bytes"))
    except (AttributeError, KeyError, TypeError, ValueError):
        return 0


def _last_look(data_set: Any, rare: Identity) -> None:
    """Over everything that is left, whatever rule let it stay."""
    for tag in list(data_set.keys()):
        element = readable(data_set, tag)
        if element is None:
            raise Invalid("deidentify.identity-remains")
        if element.VR == "SQ":
            for item in element.value:
                _last_look(item, rare)
        elif element.VR not in NOT_TEXT and names(rare, element):
            raise Invalid("deidentify.identity-remains")


def _written(data_set: Any) -> bytes:
    from pydicom import dcmwrite

    written = BytesIO()
    try:
        dcmwrite(written, data_set, enforce_file_format=True)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        raise Malformed("deidentify.not-writable") from error
    return written.getvalue()
