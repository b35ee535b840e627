"""What runs inside a part's process: ``python -m serai.serving.part web | dicom | jobs``."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from importlib import import_module

from serai.serving.lean import load_less

load_less()

from serai.kernel.errors import SeraiError
from serai.platform.logs import configure
from serai.platform.settings import Settings

# Each part loads only its own code: a module with `serve(settings, listening, ready)`.
PARTS = {
    "web": "serai.serving.web",
    "dicom": "serai.serving.dicom",
    "jobs": "serai.serving.jobs",
}

LONGEST_ORDER = 1 << 16
# The web's, and DICOM's without and with TLS.
MOST_SOCKETS = 3
COLLECT_AFTER = 20_000


def main() -> None:
    # Until the part has its own way to stop, stopping is easy.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Loading makes a million objects that all stay: the collector need not look for garbage
    # among them, now or ever.
    gc.disable()
    serve = import_module(PARTS[sys.argv[1]]).serve
    gc.freeze()
    # A resource is read into a few thousand objects that soon go without the collector's help.
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    gc.enable()
    supervisor = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    order, handles, _, _ = socket.recv_fds(supervisor, LONGEST_ORDER, MOST_SOCKETS)
    if not order:
        return
    settings = Settings.model_validate_json(order)
    configure(settings.log_format)
    threading.Thread(target=_die_with, args=[supervisor], daemon=True).start()

    def ready() -> None:
        _answer(supervisor, {})

    try:
        with ExitStack() as open_sockets:
            listening = [open_sockets.enter_context(socket.socket(fileno=each)) for each in handles]
            serve(settings, listening, ready)
    except SeraiError as error:
        _answer(supervisor, {"error": error.key, "details": error.details})
        sys.exit(1)


def _die_with(supervisor: socket.socket) -> None:
    """The supervisor's end closes with it, even after kill -9."""
    while supervisor.recv(1):
        pass
    os._exit(1)


def _answer(supervisor: socket.socket, said: dict[str, object]) -> None:
    supervisor.sendall(json.dumps(said, default=str).encode() + b"\n")


if __name__ == "__main__":
    main()
