"""Logs in systemd's journal with their fields: `journalctl -u stethos STETHOS_ASSET=pump-1`.

systemd-python brings the journal's own protocol, which a plain stream does not have; it is an extra (`systemd`), since
it is compiled against libsystemd's headers. Without it a line of JSON goes to standard error, as everywhere else.
"""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Callable, Mapping

PREFIX = "STETHOS_"
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""syslog(3)."""

MAX_NAME = 64
"""Characters of a field's name that journald takes."""

_OTHER = re.compile(r"[^A-Z0-9_]")


def connected(environment: Mapping[str, str], stream: int = 2) -> bool:
    """Whether a file descriptor leads to the journal: JOURNAL_STREAM, systemd.exec(5)."""
    there = os.fstat(stream)
    return environment.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def sender() -> Callable[..., None] | None:
    """What takes `NAME=value` strings to the journal; None without systemd-python."""
    try:
        from systemd import journal
    except ImportError:
        return None
    send: Callable[..., None] = journal.sendv
    return send


def fields(event: Mapping[str, object]) -> list[str]:
    """A structlog event as a journal entry: MESSAGE for the eye, each key as STETHOS_<KEY> for the search. Items of a
    list become a field each, so that every one of them is found.
    """
    entry = ["SYSLOG_IDENTIFIER=stethos", f"PRIORITY={PRIORITIES[str(event['level'])]}"]
    said = [str(event["event"])]
    for key, value in event.items():
        if key in ("event", "level", "exception", "timestamp"):  # the journal has a time of its own
            continue
        values = list(value) if isinstance(value, list | tuple) else [value]
        said.append(f"{key}={','.join(map(str, values))}")
        name = PREFIX + _OTHER.sub("_", key.upper())
        entry += [f"{name[:MAX_NAME]}={one}" for one in values]
    message = " ".join(said)
    if "exception" in event:
        message += f"\n{event['exception']}"
    return [f"MESSAGE={message}", *entry]


def render(_logger: object, _method: str, event: Mapping[str, object]) -> tuple[tuple[list[str]], dict[str, object]]:
    """The last processor of structlog: what JournalLogger is called with."""
    return (fields(event),), {}


class JournalLogger:
    """structlog's last stage: hands each finished event to the journal."""

    def __init__(self, send: Callable[..., None], *_names: object) -> None:
        """`_names`: what structlog.get_logger was given."""
        self._send = send

    def msg(self, entry: list[str]) -> None:
        """Send one entry."""
        self._send(*entry)

    debug = info = warning = error = critical = exception = fatal = warn = log = msg


class JournalHandler(logging.Handler):
    """The libraries' messages, as entries with STETHOS_LOGGER."""

    def __init__(self, send: Callable[..., None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        event: dict[str, object] = {
            "event": record.getMessage(), "level": record.levelname.lower(), "logger": record.name,
        }  # fmt: skip
        if record.exc_info:
            event["exception"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        self._send(*fields(event))
