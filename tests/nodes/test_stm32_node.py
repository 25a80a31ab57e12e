"""The whole L4 port on the fake: provisioned as a technician does it, a node that samples, sends, hears and sleeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.energy import Board, Radio, Sensor
from gateway.energy.forecast import currents_na
from gateway.wire.messages import Birth, Flag, Health, Window
from tests.nodes.stm32_bench import LPUART1, USART1, Bench, provision
from tests.nodes.stm32_gateway import KID, SECRET, Gateway

LAMP = 0x48000414, 14  # ODR of port B
RUNNING, NO_CONFIG, NO_SENSOR, NO_LINE = 100, 3, 4, 5


@pytest.fixture
def bench(node_build) -> Iterator[Bench]:
    bench = Bench(node_build)
    yield bench
    bench.close()


def provisioned(bench: Bench, folder: Path, *options: str) -> Bench:
    key, out = folder / "node.key", folder / "node.hex"
    key.write_text(f"{KID.hex()} {SECRET.hex()}\n")
    provision(out, key, "--samples", "64", *options)
    bench.load(out)
    return bench


def test_a_provisioned_board_samples_sends_and_hears_and_sleeps_in_stop_2(bench: Bench, tmp_path: Path) -> None:
    provisioned(bench, tmp_path, "--wake-ms", "5000", "--heartbeat-ms", "20000")
    gateway = Gateway(bench)
    assert bench.boot() == RUNNING
    began = bench.now_us
    for _ in range(8):
        assert bench.call("step") == 0
    assert bench.now_us - began == pytest.approx(40_000_000, abs=100_000)
    birth = gateway.of(Birth)[0]
    assert (birth.hardware, birth.channels, birth.model) == ("b-l475e-iot01a", 6, None)
    assert len(gateway.of(Window)) == bench.call("windows") == 8
    assert [health.battery_mv for health in gateway.of(Health)] == [pytest.approx(3300, abs=3)] * 2
    assert gateway.of(Health)[-1].temperature_cdeg == 2300
    assert bench.call("acknowledged") == len(gateway.received)
    assert len({message.seq for message in gateway.received}) == len(gateway.received)  # nothing again
    assert gateway.dropped == []
    assert bench.call("line_lost") == 0
    assert bench.stops("entered") == bench.seen("stop2") > 16
    for what in ("stop1", "stop_ignored", "unclocked", "protected", "too_fast", "unhandled", "no_wake", "uart_lost"):
        assert bench.seen(what) == 0


def test_what_is_not_acknowledged_is_sent_again(bench: Bench, tmp_path: Path) -> None:
    gateway = Gateway(provisioned(bench, tmp_path, "--wake-ms", "5000"))
    gateway.answers = False
    assert bench.boot() == RUNNING
    for _ in range(2):
        assert bench.call("step") == 0
    silent = [message.seq for message in gateway.received]
    assert len(set(silent)) < len(silent)
    gateway.answers = True
    for _ in range(4):
        assert bench.call("step") == 0
    assert bench.call("acknowledged") == len({message.seq for message in gateway.received})


def test_numbers_go_on_after_a_loss_of_power_and_the_first_records_are_made_once(bench: Bench, tmp_path: Path) -> None:
    gateway = Gateway(provisioned(bench, tmp_path))
    for life in range(3):
        assert bench.boot() == RUNNING
        assert bench.call("step") == 0
        assert len(gateway.of(Birth)) == life + 1
        bench.reset(1 << 27)
        bench.call("forget")
    numbers = [birth.full_seq for birth in gateway.of(Birth)]
    assert numbers == sorted(set(numbers))


def test_a_reset_that_keeps_the_memory_is_no_new_birth(bench: Bench, tmp_path: Path) -> None:
    gateway = Gateway(provisioned(bench, tmp_path))
    for _ in range(3):
        assert bench.boot() == RUNNING
        assert bench.call("step") == 0
        bench.reset(1 << 28)
    assert (len(gateway.of(Birth)), len(gateway.of(Window))) == (1, 3)


def test_a_torn_first_start_is_no_lost_key(bench: Bench, tmp_path: Path) -> None:
    provisioned(bench, tmp_path)
    for operation in range(16):
        bench.fault("cut", operation)
        bench.fault("seed", operation)
        if bench.boot() == RUNNING:
            break
        bench.fault("cut", 0xFFFF_FFFF)
        bench.reset(1 << 27)
    bench.fault("cut", 0xFFFF_FFFF)
    gateway = Gateway(bench)
    assert bench.call("step") == 0
    assert len(gateway.of(Birth)) == 1


def test_a_sensor_that_fails_is_a_fault_and_no_window(bench: Bench, tmp_path: Path) -> None:
    gateway = Gateway(provisioned(bench, tmp_path, "--wake-ms", "2000"))
    bench.fault("weak")
    assert bench.boot() == RUNNING
    assert bench.call("step") == 0
    assert [flag.why for flag in gateway.of(Flag)] == [7]
    assert gateway.of(Window) == []
    bench.fault("weak", 0)
    for _ in range(20):
        assert bench.call("step") == 0
    assert gateway.of(Window)


def test_a_board_without_configuration_or_with_an_unknown_sensor_says_so(bench: Bench, tmp_path: Path) -> None:
    assert bench.boot() == NO_CONFIG
    provisioned(bench, tmp_path, "--sensor", "none")
    assert bench.reset(1 << 26).boot() == NO_SENSOR


def test_a_damaged_configuration_is_none(bench: Bench, tmp_path: Path) -> None:
    provisioned(bench, tmp_path)
    text = (tmp_path / "node.hex").read_text().splitlines()
    at = next(i for i, line in enumerate(text) if "53544346" in line)
    flipped = bytearray(bytes.fromhex(text[at][1:]))
    flipped[8] ^= 1
    flipped[-1] = -sum(flipped[:-1]) & 0xFF
    text[at] = f":{flipped.hex()}"
    (tmp_path / "node.hex").write_text("\n".join(text))
    bench.load(tmp_path / "node.hex")
    assert bench.boot() == NO_CONFIG


@pytest.mark.parametrize("windows", [0, 24])
def test_a_learner_is_there_if_the_configuration_says_so(bench: Bench, tmp_path: Path, windows: int) -> None:
    gateway = Gateway(provisioned(bench, tmp_path, "--learn", str(windows), "--wake-ms", "2000"))
    assert bench.boot() == RUNNING
    for _ in range(3):
        assert bench.call("step") == 0
    learner = gateway.of(Health)[-1].learner
    assert (learner is not None) == (windows > 0)


def test_what_is_learned_outlives_a_reset_that_costs_the_learner_its_memory(bench: Bench, tmp_path: Path) -> None:
    gateway = Gateway(provisioned(bench, tmp_path, "--learn", "24", "--wake-ms", "2000", "--heartbeat-ms", "2000"))
    assert bench.boot() == RUNNING
    for _ in range(3):
        assert bench.call("step") == 0
    assert bench.reset(1 << 26).boot() == RUNNING
    assert bench.call("step") == 0
    assert len(gateway.of(Birth)) == 2, "it starts anew, rather than go on with a learner that is none"
    assert gateway.of(Health)[-1].learner is not None


@pytest.mark.parametrize("baud", [9_600, 115_200, 230_400])
@pytest.mark.parametrize("line", ["usart", "lpuart"])
def test_either_serial_port_at_its_rate(bench: Bench, tmp_path: Path, line: str, baud: int) -> None:
    gateway = Gateway(provisioned(bench, tmp_path, "--line", line, "--baud", str(baud), "--wake-ms", "5000",
                                  "--listen-ms", "2000"))  # fmt: skip
    bench.call("line", LPUART1 if line == "lpuart" else USART1, baud)
    assert bench.boot() == RUNNING
    for _ in range(4):
        assert bench.call("step") == 0
    assert len(gateway.of(Window)) == 4
    assert bench.call("acknowledged") == len(gateway.received)
    assert (gateway.dropped, bench.call("line_lost"), bench.seen("uart_broken")) == ([], 0, 0)
    assert bench.stops("entered") == bench.seen("stop2") > 8
    assert bench.seen("unclocked") == bench.seen("forbidden") == bench.seen("unhandled") == 0


def test_at_another_rate_than_the_other_ends_nothing_is_understood(bench: Bench, tmp_path: Path) -> None:
    """The fake's rate is worked out from the divider; what stands above could fail."""
    gateway = Gateway(provisioned(bench, tmp_path, "--line", "lpuart", "--baud", "9600"))
    bench.call("line", LPUART1, 19_200)
    assert bench.boot() == RUNNING
    assert bench.call("step") == 0
    assert gateway.received == []
    assert bench.seen("uart_broken") > 0


@pytest.mark.parametrize(("line", "baud"), [("lpuart", 3_000), ("lpuart", 6_000_000), ("usart", 200)])
def test_a_rate_that_a_port_cannot_run_at_is_no_line(bench: Bench, tmp_path: Path, line: str, baud: int) -> None:
    provisioned(bench, tmp_path, "--line", line, "--baud", str(baud))
    assert bench.boot() == NO_LINE


@pytest.mark.parametrize(
    ("sensor", "channels", "entry"),
    [("lsm6dsl", 6, "lsm6dsl"), ("mpu6050", 6, "mpu6050"), ("mpu6050", 3, "mpu6050-accelerometer"),
     ("lis2dw12", 3, "lis2dw12")],
)  # fmt: skip
def test_the_ledger_counts_with_the_boards_table(
    bench: Bench, tmp_path: Path, sensor: str, channels: int, entry: str
) -> None:
    provisioned(bench, tmp_path, "--sensor", sensor, "--channels", str(channels))
    assert bench.boot() == RUNNING
    table = currents_na(Board.load("stm32l475"), Sensor.load(entry), Radio.load("lpuart"))
    assert [bench.call("current_na", state) for state in range(4)] == [sum(drawn.values()) for drawn in table.values()]


def test_below_its_least_voltage_nothing_is_sent_and_it_comes_afterwards(bench: Bench, tmp_path: Path) -> None:
    gateway = Gateway(provisioned(bench, tmp_path, "--radio-min-mv", "2500", "--wake-ms", "5000"))
    bench.fault("supply", 2300)
    assert bench.boot() == RUNNING
    for _ in range(3):
        assert bench.call("step") == 0
    assert gateway.received == []
    bench.fault("supply", 3000)
    for _ in range(3):
        assert bench.call("step") == 0
    assert gateway.of(Birth)


def test_the_lamp_is_the_alert_output_with_the_policy_of_the_configuration(bench: Bench, tmp_path: Path) -> None:
    def lit() -> bool:
        return bool(bench.peek(LAMP[0]) >> LAMP[1] & 1)

    Gateway(provisioned(bench, tmp_path, "--alert-after", "2", "--clear-after", "1", "--alert-on-fault"))
    assert bench.boot() == RUNNING
    assert bench.call("step") == 0
    assert not lit()
    bench.fault("silent")
    assert (bench.call("step"), lit()) == (0, False)
    assert (bench.call("step"), lit()) == (0, True)
    bench.fault("silent", 0)
    assert (bench.call("step"), lit()) == (0, False)
