"""What the gateway replaces on an L4 board through the node's mail: firmware behind the boot stub's rules, models,
configurations. What is new has three starts to prove itself; then the board goes back by itself.

The stub itself cannot run here (tests/nodes/test_boot.py has it in QEMU): the bench makes its choice of a slot.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.provision.stm32_config import CHIPS, slot
from gateway.wire.messages import Birth, Result
from tests.nodes import slot_flash
from tests.nodes.model_images import image
from tests.nodes.slot_flash import CONFIG, FIRMWARE, MODEL, PUBLIC, REPLIES, manifest
from tests.nodes.stm32_bench import NODE, PLAIN, POWER_CUT, RESTARTED, Bench, provision
from tests.nodes.stm32_gateway import DONE, FAILED, KID, SECRET, Gateway, Transfer
from tests.nodes.test_boot import slot_bytes

RUNNING, NO_SENSOR = 100, 4
NOTHING_STARTS = -100
NO_CUT = 0xFFFF_FFFF
FIRMWARE_AT = 0x8000
OLD, NEW = bytes(range(256)) * 8, bytes(range(255, -1, -1)) * 9
DEADLINE_S = 2 * 3600  # two heartbeats


@pytest.fixture
def bench(node_build) -> Iterator[Bench]:
    bench = Bench(node_build)
    yield bench
    bench.close()


@pytest.fixture
def gateway(bench: Bench, tmp_path: Path) -> Gateway:
    """At the line of a board that lies there provisioned, with its first firmware in slot A."""
    load(bench, tmp_path)
    bench.write(FIRMWARE_AT, slot_bytes(OLD, 1, 0))
    bench.call("stub", PUBLIC)
    return Gateway(bench)


def options(*more: str) -> list[str]:
    return ["--samples", "64", "--wake-ms", "30000", *more]


def load(bench: Bench, folder: Path, *more: str) -> None:
    key, out = folder / "node.key", folder / "node.hex"
    key.write_text(f"{KID.hex()} {SECRET.hex()}\n")
    provision(out, key, *options(*more))
    bench.load(out)


def program() -> ModuleType:
    """ports/stm32/provision.py."""
    spec = importlib.util.spec_from_file_location("provision", NODE / "ports" / "stm32" / "provision.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def configuration(folder: Path, *more: str, key: str = f"{KID.hex()} {SECRET.hex()}") -> bytes:
    module = program()
    (folder / "other.key").write_text(key)
    words = [
        "--board",
        "stm32l4",
        "--key-file",
        str(folder / "other.key"),
        *PLAIN,
        *options(*more),
        "--hardware",
        "over air",
    ]
    chosen: Namespace = module.arguments().parse_args([*words, "none.hex"])
    chosen.window_every = 1
    return module.configuration(chosen)


def send(gateway: Gateway, number: int, payload: bytes, counter: int, **more: Any) -> tuple[int, Result | None]:
    return Transfer(gateway, number, manifest(payload, counter, **more) + payload).run()


def restarted(bench: Bench) -> int:
    return bench.reset(1 << 28).boot()


def wakes(bench: Bench, seconds: int) -> int:
    """Steps for so long; what ended the last one."""
    end_us = bench.now_us + seconds * 1_000_000
    ended = 0
    while ended == 0 and bench.now_us < end_us:
        ended = bench.call("step")
    return ended


def starts_until_it_goes_back(bench: Bench, gateway: Gateway, store: int, slot: int) -> int:
    """Nothing is heard: starts that the image on trial has, each to its deadline."""
    gateway.answers = False
    for starts in range(10):
        assert restarted(bench) == RUNNING
        if bench.call("used", store) != slot:
            return starts
        assert wakes(bench, DEADLINE_S - 60) == 0, "not before its time"
        assert wakes(bench, 300) == RESTARTED
    raise AssertionError("it never goes back")


def test_a_signed_firmware_is_taken_started_and_confirmed_by_the_first_ack(bench: Bench, gateway: Gateway) -> None:
    assert bench.boot() == RUNNING
    assert bench.call("used", FIRMWARE) == 0
    ended, result = send(gateway, 9, NEW, 2, slot=1)
    assert ended == RESTARTED and result is not None and result.code == DONE
    assert restarted(bench) == RUNNING
    assert bench.call("used", FIRMWARE) == 1
    assert not bench.call("confirmed", FIRMWARE, 1)
    births = len(gateway.of(Birth))
    assert bench.call("step") == 0
    assert bench.call("confirmed", FIRMWARE, 1)
    birth = gateway.of(Birth)[births]
    assert (birth.more.slot, birth.more.firmware_counter, birth.reset_cause) == (1, 2, 2)
    for _ in range(5):
        assert restarted(bench) == RUNNING and bench.call("used", FIRMWARE) == 1


def test_a_firmware_that_is_never_heard_has_three_starts_and_its_deadline_each_time(bench: Bench, gateway: Gateway):
    assert bench.boot() == RUNNING
    assert send(gateway, 9, NEW, 2, slot=1)[0] == RESTARTED
    assert starts_until_it_goes_back(bench, gateway, FIRMWARE, 1) == 3
    gateway.answers = True
    assert wakes(bench, 3 * DEADLINE_S) == 0
    assert send(gateway, 10, NEW, 2, slot=1)[0] == RESTARTED, "its counter is not burnt: it may come again"


def test_a_firmware_that_hangs_is_the_watchdogs_and_has_three_starts(bench: Bench, gateway: Gateway) -> None:
    assert bench.boot() == RUNNING
    assert send(gateway, 9, NEW, 2, slot=1)[0] == RESTARTED
    for _ in range(3):
        assert bench.reset(1 << 29).boot() == RUNNING and bench.call("used", FIRMWARE) == 1
    assert bench.reset(1 << 29).boot() == RUNNING and bench.call("used", FIRMWARE) == 0


def test_a_firmware_that_goes_is_not_given_up_because_the_gateway_is_away_for_a_while(bench: Bench, gateway: Gateway):
    assert bench.boot() == RUNNING
    assert send(gateway, 9, NEW, 2, slot=1)[0] == RESTARTED
    gateway.answers = False
    assert restarted(bench) == RUNNING
    assert wakes(bench, DEADLINE_S - 600) == 0
    gateway.answers = True
    assert wakes(bench, 600) == 0
    assert bench.call("confirmed", FIRMWARE, 1)


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "not signed": ("not_signed", {"key": None}),
    "another key's": ("signature", {"key": slot_flash.Ed25519PrivateKey.from_private_bytes(bytes(32))}),
    "linked for the slot in use": ("other_slot", {"slot": 0}),
    "for another board": ("other_board", {"board": b"stm32f4"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_firmware_that_breaks_the_rules_is_refused_before_anything_is_erased(
    bench: Bench, gateway: Gateway, case: str
) -> None:
    reply, more = REFUSED[case]
    assert bench.boot() == RUNNING
    erased = bench.seen("erases")
    _, result = send(gateway, 9, NEW, 2, **{"slot": 1, **more})
    assert result is not None and (result.code, REPLIES[result.detail or 0]) == (FAILED, reply)
    assert bench.seen("erases") == erased


def test_the_same_counter_is_not_taken_twice(bench: Bench, gateway: Gateway) -> None:
    assert bench.boot() == RUNNING
    _, result = send(gateway, 9, NEW, 1, slot=1)
    assert result is not None and (result.code, REPLIES[result.detail or 0]) == (FAILED, "counter")


def test_power_that_fails_in_a_transfer_costs_no_firmware_and_it_goes_on(bench: Bench, gateway: Gateway) -> None:
    assert bench.boot() == RUNNING
    cuts = 0
    for number in range(9, 99):
        bench.fault("seed", number)
        bench.fault("cut", 60 + 53 * (cuts % 5))
        ended, result = send(gateway, number, NEW, 2, slot=1)
        if ended == RESTARTED:
            break
        assert ended == POWER_CUT, result
        cuts += 1
        bench.fault("cut", NO_CUT)
        gateway.mail.clear()
        bench.call("forget")
        assert bench.reset(1 << 27).boot() == RUNNING
        assert bench.call("used", FIRMWARE) == 0
    assert cuts > 4
    bench.fault("cut", NO_CUT)
    assert restarted(bench) == RUNNING and bench.call("used", FIRMWARE) == 1


def test_without_a_stub_no_firmware_is_taken(bench: Bench, tmp_path: Path) -> None:
    load(bench, tmp_path)
    gateway = Gateway(bench)
    assert bench.boot() == RUNNING
    _, result = send(gateway, 9, NEW, 2)
    assert result is not None and (result.code, REPLIES[result.detail or 0]) == (FAILED, "signature")


def test_without_a_firmware_that_is_good_nothing_starts(bench: Bench, gateway: Gateway) -> None:
    bench.write(FIRMWARE_AT + 0x800, b"\0" * 8)
    assert bench.boot() == NOTHING_STARTS


def test_a_model_comes_over_the_air_and_one_that_fails_its_self_test_does_not(bench: Bench, tmp_path: Path) -> None:
    load(bench, tmp_path, "--samples", "0")
    gateway = Gateway(bench)
    good, bad = image((9, 6, 9)), bytearray(image((9, 5, 9)))
    bad[-1] ^= 1  # the error that the self-test must give
    assert bench.boot() == RUNNING
    assert send(gateway, 9, good, 1, store=MODEL, key=None)[0] == RESTARTED
    assert restarted(bench) == RUNNING
    assert bench.call("step") == 0
    assert gateway.of(Birth)[-1].model == hashlib.sha256(good).digest()[:8]
    assert bench.call("confirmed", MODEL, bench.call("used", MODEL))
    _, result = send(gateway, 10, bytes(bad), 2, store=MODEL, key=None)
    assert result is not None and (result.code, REPLIES[result.detail or 0]) == (FAILED, "self_test")
    assert restarted(bench) == RUNNING
    assert bench.call("step") == 0
    assert gateway.of(Birth)[-1].model == hashlib.sha256(good).digest()[:8]


def test_the_set_of_features_is_the_models(bench: Bench, tmp_path: Path) -> None:
    load(bench, tmp_path, "--features", "invariant")
    gateway = Gateway(bench)
    assert bench.boot() == RUNNING
    assert bench.call("step") == 0
    assert gateway.of(Birth)[-1].feature_set == 2
    load(bench, tmp_path, "--samples", "0", "--features", "invariant", "--model", str(written(tmp_path)))
    bench.call("forget")
    assert restarted(bench) == RUNNING
    bench.call("step")
    assert gateway.of(Birth)[-1].feature_set == 1


def written(folder: Path) -> Path:
    (folder / "model").write_bytes(image((9, 6, 9)))
    return folder / "model"


def test_a_configuration_comes_over_the_air(bench: Bench, gateway: Gateway, tmp_path: Path) -> None:
    assert bench.boot() == RUNNING
    page = configuration(tmp_path, "--wake-ms", "60000", "--sensor", "lis2dw12", "--channels", "3")
    assert send(gateway, 9, page, 2, store=CONFIG, key=None)[0] == RESTARTED
    assert restarted(bench) == RUNNING
    assert bench.call("step") == 0
    birth = gateway.of(Birth)[-1]
    assert (birth.hardware, birth.channels) == ("over air", 3)
    assert bench.call("confirmed", CONFIG, 1)


@pytest.mark.parametrize(
    ("key", "more"),
    [(f"{KID.hex()} {bytes(16).hex()}", ()), (f"00000001 {SECRET.hex()}", ())],
    ids=["another secret", "another node"],
)
def test_a_configuration_never_makes_another_node_of_it(
    bench: Bench, gateway: Gateway, tmp_path: Path, key: str, more: tuple[str, ...]
) -> None:
    assert bench.boot() == RUNNING
    _, result = send(gateway, 9, configuration(tmp_path, *more, key=key), 2, store=CONFIG, key=None)
    assert result is not None and (result.code, REPLIES[result.detail or 0]) == (FAILED, "self_test")


def test_a_configuration_by_which_nothing_is_heard_any_more_is_given_up(
    bench: Bench, gateway: Gateway, tmp_path: Path
) -> None:
    assert bench.boot() == RUNNING
    page = configuration(tmp_path, "--line", "lpuart")  # to which nobody is connected
    assert send(gateway, 9, page, 2, store=CONFIG, key=None)[0] == RESTARTED
    heard = len(gateway.received)
    assert starts_until_it_goes_back(bench, gateway, CONFIG, 1) == 3
    assert len(gateway.received) == heard
    gateway.answers = True
    assert wakes(bench, 60) == 0
    assert gateway.of(Birth)[-1].hardware == "b-l475e-iot01a"


def test_a_configuration_that_no_board_can_run_by_gives_way(bench: Bench, gateway: Gateway, tmp_path: Path) -> None:
    assert bench.boot() == RUNNING
    page = configuration(tmp_path, "--sensor", "none")
    assert send(gateway, 9, page, 2, store=CONFIG, key=None)[0] == RESTARTED
    for _ in range(3):
        assert restarted(bench) == NO_SENSOR
        assert bench.call("give_way") == RESTARTED
    assert restarted(bench) == RUNNING
    assert bench.call("give_way") == 0, "what has proved itself does not"


def test_whoever_provisions_a_board_has_the_last_word(bench: Bench, gateway: Gateway, tmp_path: Path) -> None:
    assert bench.boot() == RUNNING
    assert send(gateway, 9, configuration(tmp_path), 2, store=CONFIG, key=None)[0] == RESTARTED
    load(bench, tmp_path)
    assert restarted(bench) == RUNNING
    assert bench.call("used", CONFIG) == 0
    assert bench.call("step") == 0
    assert gateway.of(Birth)[-1].hardware == "b-l475e-iot01a"


def test_a_page_of_an_earlier_release_is_read_and_one_that_says_more_than_there_is_is_not(bench, gateway, tmp_path):
    whole = configuration(tmp_path)
    earlier = whole[:6] + (88).to_bytes(2, "little") + whole[8:88]
    for page, used in ((earlier, 0), (whole[:88], -1), (earlier[:80], -1)):
        bench.write(0x72000, slot(CHIPS["stm32l4"], CONFIG, page))
        assert (bench.boot() == RUNNING) == (used == 0)
        bench.reset(1 << 26)
