"""The archive's front door for files that may be ECGs in a form of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from serai.imaging.archive import Received
from serai.imaging.archive import receive as receive_object
from serai.imaging.ecg import aecg, schiller, scp
from serai.imaging.ecg.model import Ecg
from serai.imaging.ecg.storage import object_of
from serai.kernel.errors import Malformed

# In the first bytes of a file: the root element comes behind comments at most.
HEAD = 16 * 1024
XML_FORMS = (
    (b"AnnotatedECG", aecg.read),
    (b"com.xiriuz.sema.xml.schillerEDI.SchillerEDI", schiller.read),
)
LARGEST = 64 * 1024 * 1024


def is_ecg(head: bytes) -> bool:
    """Whether a file that begins like this is an ECG that `receive` turns into an object."""
    return scp.is_scp(head) or _xml_form(head[:HEAD]) is not None


def receive(content: bytes | Path) -> Received:
    """The object to keep: the file itself, or what an ECG file was turned into."""
    head = content[:HEAD] if isinstance(content, bytes) else _head(content)
    if not is_ecg(head):
        return receive_object(content)
    whole = content if isinstance(content, bytes) else _whole(content)
    return receive_object(converted(whole))


def converted(content: bytes) -> bytes:
    """The DICOM object of an SCP-ECG, aECG or Schiller file."""
    if scp.is_scp(content):
        return object_of(scp.read(content), content, ".scp")
    read = _xml_form(content[:HEAD])
    if read is None:
        raise Malformed("ecg.no-waveform")
    return object_of(read(content), content, ".xml")


def _xml_form(head: bytes) -> Callable[[bytes], Ecg] | None:
    if not head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return None
    return next((read for root, read in XML_FORMS if b"<" + root in head), None)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _whole(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise Malformed("ecg.too-long")
    return path.read_bytes()
