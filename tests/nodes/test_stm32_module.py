"""The radio module's driver, against a module made here: one that answers, refuses, is silent, or loses bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.energy import Board, Radio, Sensor
from gateway.energy.forecast import currents_na
from gateway.wire.messages import Birth, Health, Window
from tests.nodes.stm32_bench import LPUART1, Bench, provision
from tests.nodes.stm32_gateway import KID, SECRET, Gateway

RUNNING = 100
WAKE_PIN = 0x48000814, 2  # ODR of port C
ANSWER_US, CONNECT_US = 2_000, 300_000
WAKE_S = 30


class Module:
    """As its user's guide has it: `$$$` to command mode, a command a line, `---` back to data; it advertises until the
    gateway connects, and then data passes both ways. Dormant, it hears nothing but its pin.
    """

    def __init__(self, bench: Bench, gateway: Gateway) -> None:
        self.bench, self.gateway = bench, gateway
        self.commands = self.dormant = self.advertises = self.connected = False
        self.line = b""
        self.said: list[str] = []  # commands, in order
        self.refuses = 0  # so many commands from here on
        self.silent = False
        self.nobody = False  # who would connect
        self.loses = 0  # every n-th byte that it sends; 0: none
        self.sent = 0
        bench.on_byte(self.take)
        gateway.send = self.pass_down

    def awake(self) -> bool:
        """The pin is low: the node wants it awake."""
        address, bit = WAKE_PIN
        return not self.bench.peek(address) >> bit & 1

    def say(self, text: bytes, after_us: int = ANSWER_US) -> None:
        kept = bytearray()
        for byte in text:
            self.sent += 1
            if not self.loses or self.sent % self.loses:
                kept.append(byte)
        if not self.silent:
            self.bench.say(bytes(kept), after_us)

    def pass_down(self, data: bytes) -> None:
        if self.connected and not self.commands:
            self.say(data, 20_000)

    def take(self, byte: int) -> None:
        if self.dormant and not self.awake():
            return
        self.dormant = False
        if self.silent:
            return
        if self.commands:
            self.line += bytes([byte])
            if byte == ord("\r"):
                line, self.line = self.line, b""
                self.obey(line)
        elif byte == ord("$"):
            self.line += b"$"
            if self.line == b"$$$":
                self.commands, self.line = True, b""
                self.say(b"CMD> ")
        else:
            data, self.line = self.line + bytes([byte]), b""
            if self.connected:
                self.gateway.take(data)

    def obey(self, line: bytes) -> None:
        command = line.lstrip(b"$").strip().decode("ascii", "replace")
        self.said.append(command)
        known = command in ("A", "---", "O,0") or (command == "K,1" and self.connected)
        if self.refuses > 0 or not known:
            self.refuses -= self.refuses > 0
            self.say(b"Err\r\nCMD> ")
            return
        if command == "---":
            self.commands = False
            self.say(b"END\r\n")
            if self.advertises and not self.nobody:
                self.connected = True
                self.say(b"%CONNECT,0,001122334455%%STREAM_OPEN%", CONNECT_US)
            return
        self.say(b"AOK\r\nCMD> ")
        self.advertises = command == "A"
        if command == "K,1":
            self.connected = False
        if command == "O,0":
            self.connected = self.commands = False
            self.dormant = True


@pytest.fixture
def bench(node_build) -> Iterator[Bench]:
    bench = Bench(node_build)
    yield bench
    bench.close()


@pytest.fixture
def module(bench: Bench, tmp_path: Path) -> Module:
    key, out = tmp_path / "node.key", tmp_path / "node.hex"
    key.write_text(f"{KID.hex()} {SECRET.hex()}\n")
    provision(out, key, "--samples", "64", "--line", "module", "--wake-ms", str(WAKE_S * 1000))
    bench.load(out)
    bench.call("line", LPUART1, 115_200)
    return Module(bench, Gateway(bench))


def wakes(bench: Bench, n: int) -> int:
    began = bench.now_us
    for _ in range(n):
        assert bench.call("step") == 0
    return bench.now_us - began


def test_it_is_woken_for_a_report_and_lies_dormant_else(bench: Bench, module: Module) -> None:
    assert bench.boot() == RUNNING
    assert module.dormant and not module.awake(), "whatever the reset has left it in"
    wakes(bench, 3)
    assert len(module.gateway.of(Window)) == 3
    assert bench.call("acknowledged") == len(module.gateway.received)
    assert module.dormant and not module.awake()
    assert module.said[-4:] == ["A", "---", "K,1", "O,0"]
    assert bench.seen("uart_broken") == bench.seen("unclocked") == 0
    assert bench.stops("entered") > 6


def test_the_supply_is_measured_while_the_radio_runs(bench: Bench, module: Module) -> None:
    bench.fault("supply", 2900)
    assert bench.boot() == RUNNING
    wakes(bench, 2)
    health = module.gateway.of(Health)[-1]
    assert health.more is not None
    assert health.more.battery_load_mv == pytest.approx(2900, abs=3)
    assert module.dormant


def test_a_refusal_is_tried_again(bench: Bench, module: Module) -> None:
    assert bench.boot() == RUNNING
    module.refuses = 2
    wakes(bench, 1)
    assert module.gateway.of(Birth)
    assert bench.call("module_refused") >= 2


@pytest.mark.parametrize("trouble", ["silent", "refuses", "nobody"])
def test_a_module_that_does_not_come_costs_a_bounded_time_and_no_news(
    bench: Bench, module: Module, trouble: str
) -> None:
    assert bench.boot() == RUNNING
    setattr(module, trouble, 1000)
    assert wakes(bench, 2) == pytest.approx(2 * WAKE_S * 1_000_000, rel=0.02), "the schedule stands"
    assert module.gateway.received == []
    assert bench.call("module_silent") + bench.call("module_refused") > 0
    assert not module.awake()
    setattr(module, trouble, 0)
    wakes(bench, 4)
    assert module.gateway.of(Birth) and len(module.gateway.of(Window)) >= 4, "what it had to say comes then"
    assert module.dormant


@pytest.mark.parametrize("every", [7, 23, 61, 200])
def test_lost_bytes_cost_time_and_no_message(bench: Bench, module: Module, every: int) -> None:
    assert bench.boot() == RUNNING
    module.loses = every
    wakes(bench, 3)
    module.loses = 0
    wakes(bench, 6)
    windows = {message.seq for message in module.gateway.of(Window)}
    assert len(windows) == 9
    assert bench.call("acknowledged") == len({message.seq for message in module.gateway.received})
    assert module.dormant


def test_one_that_a_reset_has_left_connected_is_put_to_sleep(bench: Bench, module: Module) -> None:
    assert bench.boot() == RUNNING
    wakes(bench, 1)
    module.dormant, module.connected = False, True
    bench.reset(1 << 29)
    assert bench.boot() == RUNNING
    assert module.dormant and module.said[-2:] == ["K,1", "O,0"]
    wakes(bench, 1)
    assert len(module.gateway.of(Birth)) >= 1


def test_the_ledger_counts_with_the_modules_currents(bench: Bench, module: Module) -> None:
    assert bench.boot() == RUNNING
    table = currents_na(Board.load("stm32l475"), Sensor.load("lsm6dsl"), Radio.load("ble"))
    assert [bench.call("current_na", state) for state in range(4)] == [sum(drawn.values()) for drawn in table.values()]
