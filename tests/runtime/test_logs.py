import json
import logging
from collections import Counter
from contextlib import suppress

import pytest
import structlog

from gateway.core.plant import AlarmId, AlarmKind, Scope
from gateway.core.update import AlarmChange, AlarmTransition, IncidentChange, IncidentTransition
from gateway.runtime import chronicle, logs
from gateway.runtime.logs import LIBRARY_BURST, MINUTE_S, OWN_BURST, Collapse, Limit, set_up
from tests.runtime.house import plant, until


def record(line: int, text: str = "peer %s fell over", level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord("asyncua.server.tcp", level, "tcp.py", line, text, ("x",) if "%s" in text else (), None)


def test_what_a_library_repeats_is_collapsed_and_counted() -> None:
    now, counts = 0.0, Counter[tuple[str, str]]()
    collapse = Collapse(lambda *kind: counts.update([kind]), lambda: now)
    written = [collapse.filter(record(1)) for _ in range(100)]
    assert written == [True] * LIBRARY_BURST + [False] * (100 - LIBRARY_BURST)
    assert collapse.filter(record(2)) and collapse.filter(record(1, level=logging.WARNING))  # of another kind
    assert counts == {("asyncua", "error"): 100 - LIBRARY_BURST}
    now = MINUTE_S
    later = record(1)
    assert collapse.filter(later)
    assert later.getMessage() == f"peer x fell over (and {100 - LIBRARY_BURST} more like the last one)"
    following = record(1, "100 % more")
    assert collapse.filter(following) and following.getMessage() == "100 % more"


def test_the_memory_of_kinds_is_bounded() -> None:
    collapse = Collapse(lambda *kind: None, lambda: 0.0)
    for line in range(5000):
        assert collapse.filter(record(line))
    assert len(collapse._seen) <= 1000


def test_ours_and_the_libraries_lines_are_json_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        set_up("info", lambda *kind: None)
        structlog.get_logger().info("incident opened", incident=3, asset="pump-1")
        structlog.get_logger().debug("not at this level")
        logging.getLogger("a.library").error("peer %s fell over", "x")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
    assert [line["event"] for line in lines] == ["incident opened", "peer x fell over"]
    assert (lines[0]["incident"], lines[0]["asset"]) == (3, "pump-1")
    assert lines[1]["logger"] == "a.library" and lines[1]["level"] == "error"


def test_changes_of_alarms_and_incidents_are_told_with_their_fields() -> None:
    lost = AlarmChange(
        7, AlarmId(Scope.NODE, "n2", AlarmKind.NODE_LOST), AlarmTransition.ACKNOWLEDGED, True, True, 0, False, 1, 2, 1,
        0, False, "anna", "opcua 127.0.0.1", "battery is on its way",
    )  # fmt: skip
    opened = IncidentChange(8, 4, IncidentTransition.OPENED, ("pump-1",), ("n1", "n2"), "pump-1", 1, 2, 3, True)
    full = AlarmChange(
        9, AlarmId(Scope.GATEWAY, "gateway", AlarmKind.JOURNAL_SPACE), AlarmTransition.RAISED, True, False, 0, False, 1,
        2, 1, 0, False, comment="12 MiB are free",
    )  # fmt: skip
    with structlog.testing.capture_logs() as lines:
        chronicle.tell([lost, opened, full], plant())
    assert lines == [
        {
            "event": "alarm acknowledged", "event_number": 7, "log_level": "info", "alarm": "node/n2/node_lost",
            "state": "acknowledged", "node": "n2", "asset": "pump-1", "actor": "anna", "origin": "opcua 127.0.0.1",
            "comment": "battery is on its way",
        },
        {
            "event": "incident opened", "event_number": 8, "log_level": "info", "incident": 4, "asset": "pump-1",
            "assets": ["pump-1"], "nodes": ["n1", "n2"],
        },
        {
            "event": "alarm raised", "event_number": 9, "log_level": "info", "alarm": "gateway/gateway/journal_space",
            "state": "unacknowledged", "detail": "12 MiB are free",
        },
    ]  # fmt: skip


def passed(limit: Limit, *events: str) -> list[dict[str, object]]:
    """Those of our lines that are written."""
    written = []
    for event in events:
        with suppress(structlog.DropEvent):
            written.append(dict(limit(None, "info", {"event": event})))
    return written


def test_what_we_repeat_is_left_out_counted_and_said_with_the_next_line() -> None:
    now, counts = 0.0, Counter[tuple[str, str]]()
    limit = Limit(lambda *kind: counts.update([kind]), lambda: now)
    assert len(passed(limit, *["alarm raised"] * 1000, "alarm returned")) == OWN_BURST + 1
    assert counts == {("stethos", "info"): 1000 - OWN_BURST}
    now = MINUTE_S
    assert passed(limit, "alarm raised", "alarm raised") == [
        {"event": "alarm raised", "left_out": 1000 - OWN_BURST}, {"event": "alarm raised"},
    ]  # fmt: skip


def test_our_kinds_are_bounded_too() -> None:
    limit = Limit(lambda *kind: None, lambda: 0.0)
    assert len(passed(limit, *map(str, range(5000)))) == 5000
    assert len(limit._seen) <= 1000


async def test_after_a_storm_one_line_tells_how_many_were_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MINUTE_S", 0.05)
    limit = Limit(lambda *kind: None)
    with structlog.testing.capture_logs() as lines:
        passed(limit, *["alarm raised"] * (OWN_BURST + 7))
        await until(lambda: lines)
    assert [(line["event"], line["message"]) for line in lines] == [("log lines were left out", "alarm raised")]
    assert lines[0]["lines"] <= 7


def test_a_storm_of_alarms_leaves_a_log_of_bounded_length(capsys: pytest.CaptureFixture[str]) -> None:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        set_up("info", lambda *kind: None)
        log = structlog.get_logger()
        for event in range(10_000):
            log.info("alarm raised", event_number=event)
        assert len(capsys.readouterr().err.splitlines()) == OWN_BURST
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
