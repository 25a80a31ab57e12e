"""A node's own ledger against the forecast: C counts, over a day of the host's node, what Python foretells.

The currents are the same table's (gateway/energy); the times are the host's, whose computing takes none, whose sensor
settles at once, and whose line is as slow as the gateway at its other end.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.energy import Battery, Board, Figure, Radio, Schedule, Sensor, forecast
from gateway.energy.forecast import STATES
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Health, decode_up, encode

KID, SECRET = "7f3a01c2", "000102030405060708090a0b0c0d0e0f"
PARTS = Board.load("stm32l475"), Sensor.load("lis2dw12"), Radio.load("lpuart")
WINDOW_MS, EVERY_S, REPORT_S = 640, 60, 3600
ANSWER_S = 0.1
SPEED = 20000
WAKES = 1442  # a day, and the Health at its end
NONE = Figure(0, "the host", True)


class Gateway(threading.Thread):
    """Answers each envelope after ANSWER_S, and keeps what it has opened."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.received: list[object] = []
        self.answering_s: list[float] = []

    @property
    def address(self) -> str:
        return f"udp:127.0.0.1:{self.socket.getsockname()[1]}"

    def run(self) -> None:
        keys = NodeKeys(bytes.fromhex(KID), bytes.fromhex(SECRET))
        up, down = Cipher.up(keys), Cipher.down(keys, 0)
        while True:
            envelope, node = self.socket.recvfrom(600)
            begun = time.monotonic()
            message = decode_up(up.open(parse(envelope)))
            if isinstance(message, Health):
                self.received.append(message)
            ack = Ack(base=message.seq, bitmap=0, time_ms=0, next_s=0, mail=0, birth_wanted=False)
            answer = down.seal(len(self.answering_s), encode(ack))
            time.sleep(ANSWER_S)  # a slow line: what the radio's energy is made of
            self.socket.sendto(answer, node)
            self.answering_s.append(time.monotonic() - begun)


@pytest.fixture(scope="module")
def day(node_build: Path, tmp_path_factory) -> tuple[Gateway, dict]:
    """A day of one node: the gateway, and the node's summary."""
    gateway = Gateway()
    gateway.start()
    command = [
        str(node_build / "stethos-node"), "--id", KID, "--key", SECRET, "--link", gateway.address,
        "--state", str(tmp_path_factory.mktemp("day") / "flash.bin"), "--source", "sim:motor", "--samples", "128",
        "--wake-ms", str(EVERY_S * 1000), "--heartbeat-ms", str(REPORT_S * 1000), "--listen-ms", "2000",
        "--window-every", "0", "--speed", str(SPEED), "--steps", str(WAKES),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=110)
    return gateway, json.loads(done.stdout)


def as_the_host_does(gateway: Gateway, uptime_s: int):
    """The forecast with the host's times, for as long as the node has counted; micro-coulombs by state."""
    board, sensor, radio = PARTS
    board = replace(board, wake_ms=NONE, compute_ms=NONE, seal_ms=NONE)
    sensor = replace(sensor, settle_ms=NONE)
    radio = replace(radio, start_ms=NONE, byte_us=NONE)
    answers = gateway.answering_s
    schedule = Schedule(WINDOW_MS, EVERY_S, REPORT_S, answer_ms=1000 * sum(answers) / len(answers))
    found = forecast(board, sensor, radio, schedule, Battery.load("cr123a"))
    return {state: uc * uptime_s / 86400 for state, uc in found.uc_per_day.items()}


def test_a_day_of_the_nodes_ledger_is_what_was_forecast(day):
    gateway, summary = day
    health = gateway.received[-1]
    assert health.uptime_s >= 86000
    assert summary["wakes"] == WAKES
    expected = as_the_host_does(gateway, health.uptime_s)
    counted = dict(zip(STATES, health.energy_uc, strict=True))
    assert sum(counted.values()) == pytest.approx(sum(expected.values()), rel=0.02)
    assert counted["sleep"] == pytest.approx(expected["sleep"], rel=0.02)
    assert counted["sensor"] == pytest.approx(expected["sensor"], rel=0.02)
    # One answer more than a day's reports is the Birth's; and the computer's own delays are in the node's listening.
    assert counted["radio"] == pytest.approx(expected["radio"], rel=0.25)
    assert counted["compute"] == 0


def test_the_summary_goes_on_from_the_last_health(day):
    gateway, summary = day
    for state, uc in zip(STATES, gateway.received[-1].energy_uc, strict=True):
        assert summary["energy_uc"][state] >= uc


def test_another_table_would_show(day):
    """The comparison can fail: with another sensor in the table it does."""
    gateway, _ = day
    health = gateway.received[-1]
    other = forecast(PARTS[0], Sensor.load("lsm6dsl"), PARTS[2], Schedule(WINDOW_MS, EVERY_S, REPORT_S),
                     Battery.load("cr123a"))  # fmt: skip
    assert health.energy_uc.sensor != pytest.approx(other.uc_per_day["sensor"], rel=0.5)
