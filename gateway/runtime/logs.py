"""Logs: structlog for us and for the libraries; what a library repeats is collapsed and counted."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

import structlog

LIBRARY_BURST = 5
"""Messages of one kind (logger, level and place in the code) per minute; the rest is counted, not written."""

MINUTE_S = 60.0
KINDS = 1000


class Collapse(logging.Filter):
    """Lets a library say a thing a few times a minute. A fuzzer makes asyncua write megabytes in seconds."""

    def __init__(self, count: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._count = count
        self._clock = clock
        self._seen: dict[tuple[str, int, str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is written."""
        kind = (record.name, record.levelno, record.pathname, record.lineno)
        now = self._clock()
        began, seen = self._seen.get(kind, (now, 0))
        if now - began >= MINUTE_S:
            if seen > LIBRARY_BURST:
                record.msg = f"{record.getMessage()} (and {seen - LIBRARY_BURST} more like the last one)"
                record.args = ()
            began, seen = now, 0
        if len(self._seen) >= KINDS:
            self._seen.clear()
        self._seen[kind] = (began, seen + 1)
        if seen < LIBRARY_BURST:
            return True
        self._count(record.name.partition(".")[0], record.levelname.lower())
        return False


def set_up(level: str, count: Callable[[str, str], None]) -> None:
    """One line per event on standard error: readable on a terminal, JSON elsewhere."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Collapse(count))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(numeric, logging.WARNING))
