"""Nodes over each link, clients of each protocol, one truth: the same alarms, identities and source times."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.core import entry as entries
from gateway.core.entry import Report, Scored
from gateway.detectors.bundle import ANY
from gateway.detectors.bundle import load as load_bundle
from gateway.store.reader import Reader
from gateway.wire.messages import Flag
from tests.system import spine as house
from tests.system.clients import Line, lines, mbpoll, modbus
from tests.system.plants import stethos
from tests.system.spine import ALARMS, ANOMALIES, LINKS, SENSOR_FAULT, USER, Spine

pytestmark = pytest.mark.asyncio(loop_scope="module")

# As an integrator has copied them from the register map.
FIFO, RECORD_WORDS, RECORDS = 104, 14, 8
TRANSITIONS = (
    "", "raised", "returned", "acknowledged", "shelved", "unshelved", "out_of_service", "in_service", "revised",
)  # fmt: skip
STATES = ("normal", "unacknowledged", "acknowledged", "returned", "shelved", "out_of_service")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spine(
    tmp_path_factory: pytest.TempPathFactory, models: Path, node_program: Path, pki: Path
) -> AsyncIterator[Spine]:
    async with house.running(tmp_path_factory.mktemp("spine"), models, node_program, pki) as running:
        yield running


def ms(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)


def of_mqtt(event: Line) -> tuple[str, int, bool, bool]:
    return event["id"], ms(event["source_time"]), event["active"], event["acknowledged"]


def of_opcua(event: Line) -> tuple[str, int, bool, bool]:
    return event["event"], ms(event["time"]), event["active"], event["acked"]


async def take_fifo(spine: Spine) -> list[Line]:
    """Everything a PLC has taken over the handshake, this time and before."""
    spine.fifo += await lines(*modbus("modbus_follow.mjs", spine.house.ports.modbus))
    return spine.fifo


async def test_every_client_sees_the_same_events_with_the_same_identity_and_source_time(spine: Spine) -> None:
    polled = await mbpoll(spine.house.ports.modbus, FIFO, RECORDS * RECORD_WORDS)
    newest = max([(await spine.event(alarm, "raised"))["event"] for alarm in ALARMS])
    await spine.opcua.first(lambda e: int(e.get("event", "0")[16:] or "0", 16) >= newest, "the newest event")
    taken = await take_fifo(spine)
    over_mqtt = {e["event"]: e for e in spine.alarm_events()}
    over_opcua = {int(e["event"][16:], 16): of_opcua(e) for e in spine.opcua.lines if "event" in e}
    over_modbus = {r["event"]: (r["sourceMs"], TRANSITIONS[r["transition"]], STATES[r["state"]]) for r in taken}
    common = [n for n in over_mqtt if n <= newest]
    assert {n: over_opcua[n] for n in common} == {n: of_mqtt(over_mqtt[n]) for n in common}
    assert {n: over_modbus[n] for n in common} == {
        n: (ms(e["source_time"]), e["transition"], e["state"]) for n, e in over_mqtt.items() if n <= newest
    }
    assert sorted(n for n in over_opcua if n <= newest) == common
    records = [polled[at : at + RECORD_WORDS] for at in range(0, len(polled), RECORD_WORDS)]
    over_mbpoll = {r[0] << 16 | r[1]: (r[8] << 16 | r[9]) * 1000 + r[12] for r in records if r[1]}
    assert over_mbpoll == {n: over_modbus[n][0] for n in over_mbpoll}
    assert len(over_mbpoll) >= len(ALARMS)


async def test_each_link_has_raised_an_alarm_from_its_own_nodes(spine: Spine) -> None:
    metrics = await asyncio.to_thread(house.plants.metrics, spine.house.ports.metrics)
    for link in ("wifi", "field-broker", "tty-serial-1", "tty-serial-2"):
        assert metrics["stethos_link_total", link, "received"] > 0
    incidents = [m["payload"] for m in spine.mqtt.lines if m["topic"].endswith("events/incidents")]
    for link in LINKS:
        mine = [i for i in incidents if i["assets"] == [f"motor-{link}"]]
        assert [f"{link}-1", f"{link}-2"] in [i["nodes"] for i in mine]


async def test_browsing_finds_the_plant_and_refresh_agrees_with_what_is_retained(spine: Spine) -> None:
    with spine.silence():
        seen = await spine.everything()
    line = seen.plant["tree"]["hall-1"]["below"]["line-1"]["below"]
    assert {"motor-udp", "motor-serial", "motor-mqtt", "motor-deaf"} <= set(line)
    assert "udp-1" in line["motor-udp"]["below"]
    assert set(seen.conditions) == set(ALARMS)
    for alarm in ALARMS:
        state, condition = seen.retained[spine.topic(alarm)], seen.conditions[alarm]
        assert (condition["event_id"], ms(condition["time"])) == (state["id"], ms(state["source_time"]))
        assert (condition["active"], condition["acked"]) == (state["active"], state["acknowledged"])
        assert condition["message"].startswith(state["cause"])


async def test_fifty_modbus_reads_at_once_are_all_answered(spine: Spine) -> None:
    answer = await lines(*modbus("modbus_concurrent.mjs", spine.house.ports.modbus, 50))
    assert answer == [{"asked": 50, "right": 50, "errors": []}]


async def acknowledge_all(spine: Spine) -> dict[str, tuple[str, str]]:
    """Acknowledge an alarm from each side, unless it is done; alarm -> (actor, comment). What Modbus and MQTT
    acknowledge is configured to be normal from now on.
    """
    udp, serial, mqtt = ANOMALIES
    done = {e["alarm"]: (e["actor"], e["comment"]) for e in spine.alarm_events() if e["transition"] == "acknowledged"}
    if set(done) == set(ALARMS):
        return done
    options = ("--wait", udp, "--ack", "bolts are loose")
    *_, answer, _ = await spine.desk.run("opcua_alarms.mjs", *options)
    assert answer == {"acknowledge": "Good"}
    config = spine.house.config
    plain = config.read_text()
    config.write_text(f'{plain}\n[learning]\nacknowledged = "learn"\n')
    assert "learning.acknowledged: changed" in await stethos(config, "reload")
    event = (await spine.event(serial, "raised"))["event"]
    [answer] = await lines(*modbus("modbus_acknowledge.mjs", spine.house.ports.modbus, event))
    assert (answer["result"], answer["event"]) == (1, event)
    answer = await spine.command(id="one", kind="acknowledge", actor="bert", alarm=mqtt, comment="on my way")
    assert (answer["outcome"], answer["detail"][:12]) == ("done", "learns anew:")
    config.write_text(plain)
    assert "learning.acknowledged: changed" in await stethos(config, "reload")
    printed = await stethos(spine.house.config, "alarm", "ack", SENSOR_FAULT, "-m", "to be exchanged")
    assert printed.startswith("done")
    events = [await spine.event(alarm, "acknowledged") for alarm in ALARMS]
    return {e["alarm"]: (e["actor"], e["comment"]) for e in events}


async def test_an_acknowledgement_from_any_side_shows_on_all_others(spine: Spine) -> None:
    done = await acknowledge_all(spine)
    udp, serial, mqtt = ANOMALIES
    assert (done[udp], done[serial]) == ((USER, "bolts are loose"), ("modbus", "normal from now on"))
    assert done[mqtt] == ("bert", "on my way; normal from now on")
    assert done[SENSOR_FAULT][1] == "to be exchanged"
    events = {e["alarm"]: e for e in spine.alarm_events() if e["transition"] == "acknowledged"}
    origins = [events[alarm]["origin"].split()[0] for alarm in ALARMS]
    assert origins == ["opcua", "modbus", "mqtt", "cli"]
    told, retained = await spine.conditions(), await spine.retained()
    taken = {r["event"]: (TRANSITIONS[r["transition"]], STATES[r["state"]]) for r in await take_fifo(spine)}
    for alarm in ALARMS:
        assert told[alarm]["acked"]
        assert (told[alarm]["user"], told[alarm]["comment"] or "") == done[alarm]
        assert retained[spine.topic(alarm)]["acknowledged"]
        assert taken[events[alarm]["event"]] == ("acknowledged", "acknowledged")
    [reading] = await lines(*modbus("modbus_read.mjs", spine.house.ports.modbus))
    assert (reading["header"]["alarmsActive"], reading["header"]["alarmsUnacknowledged"]) == (len(ALARMS), 0)
    incident = (await spine.event(udp, "raised"))["incident"]
    reasons = await stethos(spine.house.config, "explain", str(incident))
    assert f"{udp} acknowledged by {USER} (opcua 127.0.0.1): bolts are loose" in reasons
    printed = await stethos(spine.house.config, "alarm", "list")
    assert [line.count(" acknowledged ") for line in printed.splitlines() if "asset/motor-" in line] == [1, 1, 1]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_after_a_restart_everything_is_as_before_and_values_wait_for_their_node(
    spine: Spine, how: signal.Signals
) -> None:
    await acknowledge_all(spine)
    with spine.silence():
        before = await spine.everything()
        code = await spine.restart(how)
        after = await spine.everything()
    assert code == (0 if how is signal.SIGTERM else -how)
    assert after.plant == before.plant
    assert after.conditions == before.conditions
    topics = list(map(spine.topic, ALARMS))
    assert [after.retained[topic] for topic in topics] == [before.retained[topic] for topic in topics]
    tag = "stethos/works/hall-1/line-1/motor-udp/nodes/udp-1/score"
    old, new, score = before.retained[tag], after.retained[tag], after.score
    assert (old["quality"], new["quality"], new["reason"]) == ("good", "uncertain", "restarted")
    assert (new["value"], new["source_time"]) == (old["value"], old["source_time"])
    assert (score["status"], score["value"]) == ("UncertainLastUsableValue", new["value"])
    assert ms(score["source"]) == ms(new["source_time"])
    again = await spine.mqtt.first(
        lambda m: m["topic"] == tag and m["payload"]["quality"] == "good"
        and m["payload"]["source_time"] > new["source_time"], "a new report"
    )  # fmt: skip
    assert again["payload"]["reason"] is None


async def test_flagged_windows_are_rescored_and_the_reasons_name_the_model(spine: Spine, models: Path) -> None:
    model = load_bundle(models / "motor-host", ANY).model_sha256
    raised = await spine.event(ANOMALIES[0], "raised")
    reader = Reader.open(spine.house.state_dir)
    bodies = {row.id: entries.decode(row.kind, row.version, row.body) for row in reader.read(0, 100_000)}
    reader.close()
    flagged = {
        i for i, b in bodies.items() if isinstance(b, Report) and isinstance(b.message, Flag) and b.message.features
    }
    scores = [body for body in bodies.values() if isinstance(body, Scored)]
    assert {score.model for score in scores} == {model}
    assert flagged & {score.window for score in scores if score.value > score.threshold}
    printed = await stethos(spine.house.config, "explain", str(raised["incident"]))
    assert f"incident {raised['incident']} at works" in printed
    assert "2 of 2 nodes within 20 s" in printed
    assert re.search(r"alarm asset/motor-udp/anomaly raised \[entry \d+, configuration of entry \d+\]", printed)
    for node in ("udp-1", "udp-2"):
        assert re.search(rf"node {node}: window of message \d+ \(entry \d+, link wifi\)", printed)
    assert re.search(rf"score \d+ against \d+, model {model.hex()[:16]}", printed)


async def test_the_journal_replays_byte_for_byte_in_other_processes_and_passes_its_audit(spine: Spine) -> None:
    config = spine.house.config
    first = re.search(r"entries 1 to (\d+)", await stethos(config, "replay"))
    assert first
    until = ("--until", first[1])
    told = await asyncio.gather(*(stethos(config, "replay", *until, hash_seed=seed) for seed in ("0", "1")))
    assert told[0] == told[1]
    assert told[0].endswith("byte-identical\n")
    async with asyncio.timeout(60):  # a snapshot comes with the hundredth entry
        while "no snapshot" in (printed := await stethos(config, "replay", "--from-snapshot", ok=(0, 1))):
            await asyncio.sleep(1)
    assert printed.endswith("byte-identical\n")
    assert "entries 1 to" not in printed
    assert re.search(r"^\d+ entries hold$", await stethos(config, "audit"), re.MULTILINE)
