"""Logs: structlog for us and for the libraries. What either repeats is left out, counted, and summed up in one line."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from gateway.runtime import journald

LIBRARY_BURST = 5
"""Messages of one kind (logger, level and place in the code) per minute; the rest is counted, not written."""

OWN_BURST = 60
"""Our own lines of one kind (level and message) per minute: a storm of alarms must not fill the disk. Every change is
in the journal of the gateway all the same.
"""

MINUTE_S = 60.0
KINDS = 1000

log = structlog.get_logger()


class Limit:
    """A processor of structlog that lets us say a thing OWN_BURST times a minute, and then how often it was left out:
    when the minute is over, in a line of its own, or, where no event loop runs, with the next line of its kind.
    """

    def __init__(self, count: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def __call__(self, _logger: object, level: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        """The event as it is; raises structlog.DropEvent for one that is left out."""
        kind, now = (level, str(event["event"])), self._clock()
        began, seen = self._seen.get(kind, (now, 0))
        if now - began >= MINUTE_S:
            if seen > OWN_BURST:
                event["left_out"] = seen - OWN_BURST
            began, seen = now, 0
        if len(self._seen) >= KINDS:
            self._seen.clear()
        self._seen[kind] = (began, seen + 1)
        if seen < OWN_BURST:
            return event
        if seen == OWN_BURST:
            with suppress(RuntimeError):  # no loop runs
                asyncio.get_running_loop().call_later(began + MINUTE_S - now, self._sum_up, kind)
        self._count("stethos", level)
        raise structlog.DropEvent

    def _sum_up(self, kind: tuple[str, str]) -> None:
        _, seen = self._seen.pop(kind, (0.0, 0))
        if seen > OWN_BURST:
            log.warning("log lines were left out", message=kind[1], lines=seen - OWN_BURST)


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
    """One entry with fields per event in systemd's journal if standard error leads there, else one line: readable on a
    terminal, JSON elsewhere.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    factory: Callable[..., object] = structlog.PrintLoggerFactory(sys.stderr)
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    if (send := journald.sender()) and journald.connected(os.environ):
        render = journald.render
        factory = partial(journald.JournalLogger, send)
        handler = journald.JournalHandler(send)
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[Limit(count), *shared, structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    handler.addFilter(Collapse(count))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(numeric, logging.WARNING))
