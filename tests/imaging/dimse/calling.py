"""Talking to the listener as devices do: dcmtk's programs and pynetdicom's client."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, evt
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import SecondaryCaptureImageStorage

from serai.imaging.dimse import Listener


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def associated(
    listener: Listener, caller: str, *contexts: PresentationContext | str, **options: Any
) -> Iterator[Any]:
    entity = AE(caller)
    wanted = [
        each if isinstance(each, PresentationContext) else build_context(each) for each in contexts
    ]
    association = entity.associate(
        "127.0.0.1", listener.port, contexts=wanted, ae_title="SERAI", **options
    )
    assert association.is_established
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def send(listener: Listener, *contents: bytes, caller: str = "MODALITY") -> list[int]:
    """C-STORE each object in the syntax it is in; the statuses."""
    objects = [dcmread(BytesIO(content)) for content in contents]
    kinds = {(each.SOPClassUID, each.file_meta.TransferSyntaxUID) for each in objects}
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in kinds]
    with associated(listener, caller, *contexts) as association:
        return [association.send_c_store(each).Status for each in objects]


def find(
    listener: Listener, model: str, keys: dict[str, Any], caller: str = "STATION"
) -> list[tuple[int, Dataset | None]]:
    """Every response to a C-FIND: status and identifier."""
    with associated(listener, caller, model) as association:
        responses = association.send_c_find(as_data_set(keys), model)
        return [(status.Status, found) for status, found in responses]


def matches(
    listener: Listener, model: str, keys: dict[str, Any], caller: str = "STATION"
) -> list[Dataset]:
    answers = find(listener, model, keys, caller)
    assert answers[-1][0] == 0x0000, hex(answers[-1][0])
    return [found for status, found in answers if found is not None]


def as_data_set(keys: dict[str, Any]) -> Dataset:
    data_set = Dataset()
    for keyword, value in keys.items():
        setattr(data_set, keyword, value)
    return data_set


@contextmanager
def receiving(port: int, title: str = "RECEIVER", **options: Any) -> Iterator[list[bytes]]:
    """A storage receiver: what it got, as the bytes of the data set."""
    got: list[bytes] = []

    def keep(event: evt.Event) -> int:
        got.append(event.request.DataSet.getvalue())
        return int(options.get("status", 0x0000))

    entity = AE(title)
    entity.require_called_aet = True
    for syntax in options.get("syntaxes", [None]):
        entity.add_supported_context(SecondaryCaptureImageStorage, *([syntax] if syntax else []))
    server = entity.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)]
    )
    try:
        yield got
    finally:
        server.shutdown()


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(each) for each in command],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        cwd=cwd,
        timeout=60,
    )


def soon(holds: Callable[[], bool], within_s: float = 10) -> bool:
    """What an association brings about is seen a moment after its end."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
