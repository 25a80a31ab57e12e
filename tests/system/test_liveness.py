"""A node that dies is missed by its own schedule, and its values say so on every side; then it comes back."""

from __future__ import annotations

import signal
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.demo.processes import running
from tests.system import plants
from tests.system.clients import Stream, mosquitto_sub, opcua, streaming
from tests.system.spine import outputs_up

ROOT = "stethos/works/hall-1/line-1/motor/nodes/mote"
ANONYMOUS = ("", "")
HEARTBEAT_S = 1.0


def told(stream: Stream, after: int, tag: str, key: str) -> list[Any]:
    """What a topic has said since line `after`, each change once."""
    said = [m["payload"][key] for m in stream.lines[after:] if m["topic"] == f"{ROOT}/{tag}"]
    return [value for i, value in enumerate(said) if i == 0 or value != said[i - 1]]


async def test_a_killed_node_becomes_due_late_stale_lost_and_comes_back(
    tmp_path: Path, models: Path, node_program: Path, pki: Path
) -> None:
    mote = plants.motor("mote", "motor", "udp", models, "sim:motor", 7000, round(HEARTBEAT_S * 1000))
    plant = plants.plant((plants.asset("motor", ("mote",), k=1),), (mote,), models)
    ports = plants.free_ports()
    async with running(plant, ports, tmp_path, node_program) as house:
        await outputs_up(house)
        options = ("--policy", "none", "--value", "node.mote.battery", "--count", "9999", "--timeout", "600")
        async with (
            streaming(*mosquitto_sub(ports.mqtt, "-t", "stethos/works/#")) as mqtt,
            streaming(*opcua("opcua_subscribe.mjs", ports.opcua, ANONYMOUS, pki, *options)) as values,
        ):
            await values.first(lambda v: v.get("status") == "Good", "a good value")
            await mqtt.first(
                lambda m: m["topic"] == f"{ROOT}/battery" and m["payload"]["quality"] == "good", "a good value"
            )
            began = len(mqtt.lines)
            await house.end_node("mote", signal.SIGKILL)

            raised = (await mqtt.first(lambda m: is_lost(m, "raised"), "node_lost raised", began))["payload"]
            await values.first(lambda v: v.get("status") == "BadNoCommunication", "a bad value")
            await mqtt.until(lambda: "bad" in told(mqtt, began, "battery", "quality"), "a bad value")
            assert told(mqtt, 0, "liveness", "state")[-5:] == ["on_time", "due", "late", "stale", "lost"]
            assert told(mqtt, 0, "battery", "quality")[-3:] == ["good", "uncertain", "bad"]
            assert told(mqtt, 0, "battery", "reason")[-3:] == [None, "stale", "lost"]
            over_opcua = [(v["is"], v["status"]) for v in values.lines if "status" in v][-3:]
            assert [status for _, status in over_opcua] == ["Good", "UncertainLastUsableValue", "BadNoCommunication"]
            assert over_opcua[0][0] == over_opcua[-1][0]  # the last value is kept, and called what it is
            assert 4 * HEARTBEAT_S < silence_s(mqtt, raised) < 5 * HEARTBEAT_S  # four missed, and the clock's tolerance

            seen, known = len(mqtt.lines), len(values.lines)
            await house.start_node("mote")
            await mqtt.first(lambda m: is_lost(m, "returned"), "node_lost returned", seen)
            await mqtt.until(lambda: told(mqtt, seen, "battery", "quality")[-1:] == ["good"], "a good value")
            assert told(mqtt, seen, "liveness", "state")[0] == "on_time"
            await values.first(lambda v: v.get("status") == "Good", "a good value again", known)


def is_lost(message: dict[str, Any], transition: str) -> bool:
    """Whether an event says so of the node."""
    payload = message["payload"]
    named = message["topic"].endswith("events/alarms") and payload["alarm"] == "node/mote/node_lost"
    return bool(named and payload["transition"] == transition)


def silence_s(mqtt: Stream, raised: dict[str, Any]) -> float:
    """From the newest measurement to the moment the node is called lost."""
    measured = max(m["payload"]["source_time"] for m in mqtt.lines if m["topic"] == f"{ROOT}/battery")
    return (datetime.fromisoformat(raised["source_time"]) - datetime.fromisoformat(measured)).total_seconds()
