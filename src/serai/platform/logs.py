"""Logging, set up once per process: events and keys on standard error, never patient data.

What an exception says may quote a record, so the log keeps only its type and where it
happened. Requests are not logged, because their query strings name patients; who did what
is in the audit trail.
"""

from __future__ import annotations

import logging
import sys
import traceback

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from serai.kernel.errors import SeraiError

QUIETER = {
    "uvicorn": logging.WARNING,
    "pynetdicom": logging.ERROR,
    "pydicom": logging.ERROR,
    # It names every address it calls, with whatever is secret or somebody's id in it.
    "httpx": logging.WARNING,
    "yoyo": logging.WARNING,
    "weasyprint": logging.ERROR,
    "fontTools": logging.ERROR,
}


def configure(log_format: str) -> None:
    """`log_format` is ``console`` for people or ``json``, one object per line, for machines."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        place_without_message,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(log_format),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name, level in QUIETER.items():
        logging.getLogger(name).setLevel(level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def place_without_message(_logger: WrappedLogger, _level: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and the lines that raised it."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = _name(error)
        frames = traceback.extract_tb(error.__traceback__)[-12:]
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _name(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"{kind} {error.key}" if isinstance(error, SeraiError) else kind


def _renderer(log_format: str) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
