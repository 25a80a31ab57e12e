"""The whole L4 port on the fake: provisioned as a technician does it, a node that samples, sends, hears and sleeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.links.serial import Deframer, frame
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, Birth, Flag, Health, UpMessage, Window, decode_up, encode
from tests.nodes.stm32_bench import Bench, provision

KID, SECRET = bytes.fromhex("7f3a01c2"), bytes(range(16))
RUNNING, NO_CONFIG, NO_SENSOR = 100, 3, 4
STACK_US = 20_000  # what the gateway takes to answer


class Gateway:
    """At the other end of the board's line. Fails if a partial IV comes twice."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.answers = bench, True
        self.received: list[UpMessage] = []
        self.partial_ivs: set[int] = set()
        self.dropped: list[str] = []
        self.told = 0
        self._keys = NodeKeys(KID, SECRET)
        self._deframer = Deframer(self.dropped.append)
        bench.on_frame(self.take)

    def take(self) -> None:
        """A frame has left: the answer is on its way while the node still listens."""
        for envelope in self._deframer.feed(self.bench.heard()):
            sealed = parse(envelope)
            assert sealed.partial_iv not in self.partial_ivs
            self.partial_ivs.add(sealed.partial_iv)
            message = decode_up(Cipher.up(self._keys).open(sealed))
            self.received.append(message)
            if self.answers:
                self.told += 1
                ack = Ack(base=message.seq, bitmap=0, time_ms=1_790_000_000_000 + self.bench.now_ms, next_s=0,
                          mail=0, birth_wanted=False)  # fmt: skip
                self.bench.say(frame(Cipher.down(self._keys, 0).seal(self.told, encode(ack))), STACK_US)

    def of(self, kind: type) -> list:
        return [message for message in self.received if isinstance(message, kind)]


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
