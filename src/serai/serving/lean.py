"""Loading less: what libraries would load because it is installed, and no server process needs."""

from __future__ import annotations

import sys

# structlog loads rich for coloured tracebacks and greenlet for logs of green threads, pydicom loads
# requests and tqdm for downloads of test files. Together they are a third of the time a process
# takes to load.
UNNEEDED = ("rich", "greenlet", "requests", "tqdm")


def load_less() -> None:
    """For processes that only serve; to be called before anything else is imported."""
    for name in UNNEEDED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # None refuses the import


def load_after_all(name: str) -> None:
    """For the rare work of a serving process that needs one of them."""
    if name in sys.modules and sys.modules[name] is None:
        del sys.modules[name]
