import json
import logging
from collections import Counter

import pytest
import structlog

from gateway.core.plant import AlarmId, AlarmKind, Scope
from gateway.core.update import AlarmChange, AlarmTransition, IncidentChange, IncidentTransition
from gateway.runtime import chronicle
from gateway.runtime.logs import LIBRARY_BURST, MINUTE_S, Collapse, set_up
from tests.runtime.house import plant


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
        logging.getLogger("asyncua.server").error("peer %s fell over", "x")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
    assert [line["event"] for line in lines] == ["incident opened", "peer x fell over"]
    assert (lines[0]["incident"], lines[0]["asset"]) == (3, "pump-1")
    assert lines[1]["logger"] == "asyncua.server" and lines[1]["level"] == "error"


def test_changes_of_alarms_and_incidents_are_told_with_their_fields() -> None:
    lost = AlarmChange(
        7, AlarmId(Scope.NODE, "n2", AlarmKind.NODE_LOST), AlarmTransition.ACKNOWLEDGED, True, True, 0, False, 1, 2, 1,
        0, False, "anna", "opcua 127.0.0.1", "battery is on its way",
    )  # fmt: skip
    opened = IncidentChange(8, 4, IncidentTransition.OPENED, ("pump-1",), ("n1", "n2"), "pump-1", 1, 2, 3, True)
    with structlog.testing.capture_logs() as lines:
        chronicle.tell([lost, opened], plant())
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
    ]  # fmt: skip
