import logging
import os

import pytest
import structlog

from gateway.runtime import journald
from gateway.runtime.logs import set_up


def test_an_event_becomes_an_entry_with_fields() -> None:
    event = {
        "event": "incident opened", "level": "warning", "incident": 3, "assets": ["pump-1", "fan-2"],
        "timestamp": "now",
        "Odd key!": "x",
    }  # fmt: skip
    assert journald.fields(event) == [
        "MESSAGE=incident opened incident=3 assets=pump-1,fan-2 Odd key!=x",
        "SYSLOG_IDENTIFIER=stethos",
        "PRIORITY=4",
        "STETHOS_INCIDENT=3",
        "STETHOS_ASSETS=pump-1",
        "STETHOS_ASSETS=fan-2",
        "STETHOS_ODD_KEY_=x",
    ]
    assert journald.fields({"event": "x", "level": "error", "exception": "Traceback"})[0] == "MESSAGE=x\nTraceback"
    (long,) = journald.fields({"event": "x", "level": "info", "k" * 100: 1})[3:]
    assert long == "STETHOS_" + "K" * 56 + "=1"


def test_the_journal_is_where_its_variable_says() -> None:
    reading, writing = os.pipe()
    there = os.fstat(writing)
    try:
        assert journald.connected({"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}, writing)
        assert not journald.connected({"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino + 1}"}, writing)
        assert not journald.connected({}, writing)
    finally:
        os.close(reading)
        os.close(writing)


def test_ours_and_the_libraries_messages_become_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    entries: list[tuple[str, ...]] = []
    there = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
    monkeypatch.setattr(journald, "sender", lambda: lambda *fields: entries.append(fields))
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        set_up("info", lambda *kind: None)
        structlog.get_logger("named").info("alarm raised", asset="pump-1")
        structlog.get_logger().debug("not at this level")
        try:
            raise ValueError("no")
        except ValueError:
            structlog.get_logger().exception("a part has failed", part="pump")
            logging.getLogger("a.library").exception("peer %s fell over", "x")
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
    ours, failed, theirs = entries
    assert ours == (
        "MESSAGE=alarm raised asset=pump-1", "SYSLOG_IDENTIFIER=stethos", "PRIORITY=6", "STETHOS_ASSET=pump-1",
    )  # fmt: skip
    assert failed[0].startswith("MESSAGE=a part has failed part=pump\nTraceback") and "PRIORITY=3" in failed
    assert theirs[0].startswith("MESSAGE=peer x fell over logger=a.library\nTraceback")
    assert "STETHOS_LOGGER=a.library" in theirs and "PRIORITY=3" in theirs
