"""The L4 port's console on the fake: a board becomes a node over its serial line, whole or not at all."""

from __future__ import annotations

import functools
import hashlib
import itertools
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.links.serial import Deframer, frame
from gateway.provision import provisioning
from gateway.provision.boards import BoardFailed, Held, Wanted, mark
from gateway.provision.provisioning import Order
from gateway.provision.stm32_console import hello_frame
from gateway.provision.stm32_json import Stm32Json
from gateway.store.keys import NodeKey, Registry
from gateway.wire.envelope import Cipher, parse
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Birth, decode_up
from tests.nodes.model_images import image
from tests.nodes.stm32_bench import POWER_CUT, RESTARTED, Bench, provision
from tests.nodes.stm32_console_bench import BY_HAND, POWERED, provisioned, session
from tests.nodes.stm32_gateway import KID, SECRET, Gateway

RUNNING, NO_CONFIG, NO_RECORD = 100, 3, 6
CONFIG, MODEL = 1, 0
NO_CUT = 0xFFFF_FFFF
NOT_BEGUN, TORN = 1, 2  # seeds by which the fake decides so of the write that is cut (fakes/l4_flash.c)
OLD = NodeKey("old", KID, SECRET, 0, 0)
NEW = NodeKey("new", bytes.fromhex("0badcafe"), bytes(range(100, 116)), 0, 0)
SMALL, OTHER = image((9, 6, 9)), image((9, 5, 9))


@pytest.fixture
def bench(node_build) -> Iterator[Bench]:
    bench = Bench(node_build)
    yield bench
    bench.close()


def wanted(key: NodeKey = OLD, model: bytes | None = None, *, new_key: bool = True, **more: object) -> Wanted:
    said = {"board": "stm32l4", "samples": 64, "channels": 3, "wake_ms": 30_000, "feature_set": 1, "learn": 0, **more}
    return Wanted(Stm32Json.model_validate(said), key, new_key, model)


def restarted(bench: Bench) -> int:
    return bench.reset(1 << 28).boot()


def born(bench: Bench, key: NodeKey, told: int = 0) -> Birth:
    """What the node says of itself in its first wake, which a gateway hears that has said so much, and it hears."""
    gateway = Gateway(bench, key.kid, key.secret)
    gateway.told = told
    bench.call("forget")
    assert restarted(bench) == RUNNING
    assert bench.call("step") == 0
    assert bench.call("acknowledged") == len(gateway.received) > 0
    return gateway.of(Birth)[0]


def make(bench: Bench, order: Wanted) -> None:
    ended, failed, _ = session(bench, provisioned(order))
    assert (ended, failed) == (RESTARTED, [])


def test_a_blank_board_becomes_a_node_and_says_its_birth(bench: Bench) -> None:
    assert bench.boot() == NO_CONFIG
    make(bench, wanted(model=SMALL))
    birth = born(bench, OLD)
    assert (birth.hardware, birth.channels, birth.full_seq) == ("b-l475e-iot01a", 3, 0)
    assert birth.model is not None


def test_it_says_who_it_is_and_never_its_secret(bench: Bench) -> None:
    make(bench, wanted(model=SMALL))
    assert restarted(bench) == RUNNING

    def look(board):
        for store in (CONFIG, MODEL):
            for slot in (0, 1):
                board._console.head(store, slot)
                board._console.whole(store, slot)
        return board.about(), board.held(), board.digest("model")

    ended, (about, held, digest), said = session(bench, look)
    assert ended == RESTARTED  # for whoever has spoken to it takes it that they have changed something
    assert (about.board, about.firmware) == ("b-l475e-iot01a", "Stethos bench")
    assert held == Held(KID, mark(KID, SECRET), counts=True)
    assert digest is not None
    assert all(SECRET[i : i + 4] not in said for i in range(13))


@pytest.mark.parametrize("flags", [1 << 28, 1 << 29], ids=["software", "watchdog"])
def test_it_listens_after_a_reset_by_hand_only(bench: Bench, flags: int) -> None:
    make(bench, wanted())
    bench.reset(flags)
    began = bench.now_us
    bench.say(hello_frame()[1], 0)
    assert bench.boot() == RUNNING
    assert bench.heard() == b""
    assert bench.now_us - began < 500_000
    assert bench.reset(BY_HAND).boot() == RUNNING
    assert 1_000_000 < bench.now_us - began < 2_000_000


def test_another_key_makes_a_new_node_whose_numbers_go_on(bench: Bench) -> None:
    make(bench, wanted(model=SMALL))
    first = [born(bench, OLD, told) for told in (500, 1000, 1500)][-1]
    make(bench, wanted(NEW))
    second = born(bench, NEW)
    assert second.full_seq >= first.full_seq + 1024
    assert (second.skipped, second.model, second.last_command) == (0, None, 0)
    assert SECRET not in bench.flash()
    make(bench, wanted(OLD))
    assert born(bench, OLD).full_seq >= second.full_seq + 1024, "not even a key that comes back uses a number twice"


def test_the_same_key_keeps_its_numbers_and_a_model_that_is_not_given_goes(bench: Bench) -> None:
    make(bench, wanted(model=SMALL))
    first = born(bench, OLD)
    make(bench, wanted(model=OTHER, new_key=False))
    second = born(bench, OLD)
    assert second.model not in (None, first.model)
    assert second.full_seq >= first.full_seq + 1024
    make(bench, wanted(new_key=False, wake_ms=60_000))
    third = born(bench, OLD)
    assert (third.model, third.wake_ms) == (None, 60_000)


def test_what_is_as_it_should_be_is_not_written_again(bench: Bench) -> None:
    make(bench, wanted(model=SMALL))
    assert restarted(bench) == RUNNING
    erased = bench.seen("erases")
    before = bench.flash()[0x60000:0x7E800]
    make(bench, wanted(model=SMALL, new_key=False))
    assert bench.seen("erases") == erased
    assert bench.flash()[0x60000:0x7E800] == before


def test_a_sensor_that_fails_its_test_keeps_the_board_what_it_was(bench: Bench) -> None:
    make(bench, wanted())
    born(bench, OLD)
    bench.fault("weak")
    ended, failed, _ = session(bench, provisioned(wanted(NEW)))
    assert (ended, failed) == (RESTARTED, ["sensor"])
    bench.fault("weak", 0)
    born(bench, OLD)
    _, held, _ = session(bench, lambda board: board.held())
    assert held == Held(NEW.kid, mark(NEW.kid, NEW.secret), counts=True), "what waits is what it will be"
    make(bench, wanted(NEW, new_key=False))
    born(bench, NEW)


def test_records_that_are_broken_are_told_and_a_new_key_makes_new_ones(bench: Bench) -> None:
    make(bench, wanted())
    born(bench, OLD)
    for page in (0x7F000, 0xFF000):
        bench.write(page, bytes(2048))
    bench.call("forget")
    assert restarted(bench) == NO_RECORD
    _, held, _ = session(bench, lambda board: board.held())
    assert held == Held(KID, mark(KID, SECRET), counts=False)
    make(bench, wanted(NEW))
    born(bench, NEW)


def test_a_model_that_the_board_refuses_leaves_it_what_it_was(bench: Bench) -> None:
    make(bench, wanted(model=SMALL))
    before = born(bench, OLD).model
    bad = bytearray(OTHER)
    bad[-1] ^= 1
    ended, failed, _ = session(bench, provisioned(wanted(model=bytes(bad), new_key=False)))
    assert ended == RESTARTED and isinstance(failed, BoardFailed) and "refuses" in str(failed)
    assert born(bench, OLD).model == before


def test_whoever_is_at_the_board_ends_a_trial(bench: Bench, tmp_path: Path) -> None:
    key, out = tmp_path / "key", tmp_path / "out.hex"
    key.write_text(f"{KID.hex()} {SECRET.hex()}\n")
    provision(out, key, "--samples", "64")
    bench.load(out)
    bench.write(0x72000 + 128 + 8 + 2 * 32, b"\xff" * 32)  # its mark of confirmation
    assert bench.boot() == RUNNING and not bench.call("confirmed", CONFIG, 0)
    make(bench, wanted(NEW))
    born(bench, NEW)


@pytest.mark.parametrize("number", [2, 6, 8, 12, 20, 40])
def test_a_question_whose_answer_was_lost_is_not_acted_on_twice(bench: Bench, number: int) -> None:
    lost = []

    def act(board):
        ask, asked = board._console._say, [0]

        def say(*arguments):
            asked[0] += 1
            answer = ask(*arguments)
            if asked[0] == number and not lost:
                lost.append(answer)
                return None
            return answer

        board._console._say = say
        return provisioned(wanted(model=SMALL))(board)

    ended, failed, _ = session(bench, act)
    assert (ended, failed, len(lost)) == (RESTARTED, [], 1)
    born(bench, OLD)


def test_after_ten_seconds_of_silence_it_goes_its_way(bench: Bench) -> None:
    make(bench, wanted())
    began = bench.now_us
    ended, _, _ = session(bench, lambda board: None)
    assert ended == RESTARTED
    assert 10_000_000 < bench.now_us - began < 12_000_000


class Killed(BoardFailed):
    """The workstation, in the midst of it."""


def test_provisioning_that_is_killed_is_run_again_and_leaves_one_node_with_one_key(node_build, tmp_path: Path) -> None:
    order = Order("pump-1", wanted(samples=128).settings, OTHER, None, replace=False)
    killed = 0
    for number in range(1, 60, 7):
        bench, state = Bench(node_build), tmp_path / str(number)
        registry = Registry.open(state)

        def run(board, most: int = 1000, registry: Registry = registry, state: Path = state) -> NodeKey:
            ask, asked = board._console._ask, itertools.count(1)

            def counted(*question):
                if next(asked) > most:
                    raise Killed
                return ask(*question)

            board._console._ask = counted
            return provisioning.provision(board, registry, state, order, now_ms=0, say=lambda text: None)

        _, first, _ = session(bench, functools.partial(run, most=number))
        killed += isinstance(first, Killed)
        ended, key, _ = session(bench, run)
        assert (ended, registry.list()) == (RESTARTED, (key,)), first
        assert born(bench, key).model == hashed(OTHER)
        registry.close()
        bench.close()
    assert killed > 5


def state_of(bench: Bench) -> tuple[str, bytes | None]:
    """Which node the board is after the power has come back, and its model."""
    bench.fault("cut", NO_CUT)
    assert bench.reset(POWERED).boot() == RUNNING
    bench.on_byte(lambda byte: None)
    bench.heard()
    assert bench.call("step") == 0
    sealed = parse(Deframer([].append).feed(bench.heard())[0])
    key = {key.kid: key for key in (OLD, NEW)}[sealed.kid]
    birth = decode_up(Cipher.up(NodeKeys(key.kid, key.secret)).open(sealed))
    assert isinstance(birth, Birth)
    return key.name, birth.model


def operations(bench: Bench) -> int:
    return bench.seen("erases") + bench.seen("programs")


@pytest.mark.parametrize(
    ("old", "new", "every"), [(None, None, 1), (SMALL, OTHER, 23), (SMALL, None, 17)], ids=["key", "model", "none"]
)
def test_wherever_the_power_goes_the_board_is_the_old_node_or_the_new_one_whole(
    node_build, old: bytes | None, new: bytes | None, every: int
) -> None:
    bench = Bench(node_build)
    make(bench, wanted(OLD, old))
    born(bench, OLD)
    base, before = bench.flash(), operations(bench)
    make(bench, wanted(NEW, new))
    assert restarted(bench) == RUNNING
    count = operations(bench) - before
    bench.close()
    found = set()
    for cut in range(0, count, every):
        bench = Bench(node_build)
        bench.write(0, base)
        assert bench.boot() == RUNNING
        bench.fault("seed", NOT_BEGUN if cut // every % 2 == 0 else TORN)
        bench.fault("cut", cut)
        ended, _, _ = session(bench, provisioned(wanted(NEW, new)))
        if ended == RESTARTED:
            ended = restarted(bench)
        assert ended == POWER_CUT, cut
        state = state_of(bench)
        assert state in {("old", hashed(old)), ("new", hashed(new))}, cut
        assert (SECRET in bench.flash()) == (state[0] == "old"), cut
        found.add(state[0])
        if cut % 4 == 0:
            _, held, _ = session(bench, lambda board: board.held())
            make(bench, wanted(NEW, new, new_key=held.kid != NEW.kid))
            assert (born(bench, NEW).model, SECRET in bench.flash()) == (hashed(new), False), cut
        bench.close()
    assert found == {"old", "new"}
    assert count > 70


def hashed(model: bytes | None) -> bytes | None:
    return None if model is None else hashlib.sha256(model).digest()[:8]


question = st.builds(
    lambda number, kind, rest: b"S" + bytes([number, kind]) + rest,
    st.integers(0, 255), st.sampled_from(b"hmkcbwetux"), st.binary(max_size=300),
)  # fmt: skip
addressed = st.builds(
    lambda number, kind, store, slot, rest: b"S" + bytes([number, kind, store, slot]) + rest,
    st.integers(0, 255), st.sampled_from(b"mkcbwetu"), st.integers(0, 2), st.integers(0, 2), st.binary(max_size=60),
)  # fmt: skip
offered = st.builds(
    lambda number, size: b"S" + bytes([number]) + b"b\x01\x00" + struct.pack("<II", size, 9) + bytes(32),
    st.integers(0, 255), st.integers(0, 4096),
)  # fmt: skip


@pytest.fixture(scope="module")
def node(node_build) -> Iterator[Bench]:
    """A board that is a node."""
    bench = Bench(node_build)
    make(bench, wanted(model=SMALL))
    born(bench, OLD)
    yield bench
    bench.close()


def after(bench: Bench, data: bytes) -> tuple[int, bytes]:
    bench.reset(BY_HAND)
    bench.say(data, 1000)
    ended = bench.boot()
    return ended, bench.heard()


@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=700))
def test_what_is_no_question_is_not_answered_and_changes_nothing(node: Bench, data: bytes) -> None:
    before = node.flash()
    node.on_byte(lambda byte: None)
    broken = bytearray(frame(b"S" + data[:500]))
    broken[len(broken) // 2] ^= 0x10
    for sent in (data, bytes(broken), frame(b"\x83" + data[:500]), frame(b"S" + data[:3]), frame(b"S" * 600)):
        assert after(node, sent) == (RUNNING, b"")
    assert node.flash() == before


@settings(max_examples=40, deadline=None)
@given(data=st.lists(st.one_of(question, addressed, offered), min_size=1, max_size=6))
def test_whatever_is_asked_the_node_in_use_stays_whole(node: Bench, data: list[bytes]) -> None:
    before = node.flash()
    node.on_byte(lambda byte: None)
    ended, said = after(node, b"\0".join(frame(one) for one in data))
    assert ended in (RUNNING, RESTARTED)
    assert SECRET not in said
    now = node.flash()
    assert all(now[at : at + 0x1000] == before[at : at + 0x1000] for at in used_pages(node))
    assert restarted(node) == RUNNING


def used_pages(bench: Bench) -> list[int]:
    """Where configuration and model in use lie."""
    return [0x72000 + 0x80000 * bench.call("used", CONFIG), 0x60000 + 0x80000 * bench.call("used", MODEL)]
