import asyncio
from collections import Counter, deque
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.links import Address, Frame, LinkFailed
from gateway.runtime.intake import BITMAP_BITS, session, spans
from gateway.runtime.outbox import WAITING, Outbox
from gateway.wire.messages import EnergyUc, Flag, Health, HealthMore, LearnerBrief
from tests.runtime.house import KEYS, WireNode, running, until


@given(st.sets(st.integers(0, 300), max_size=80), st.integers(0, 2**32 - 301))
def test_every_number_is_acknowledged_and_no_other(offsets: set[int], start: int) -> None:
    numbers = sorted(start + offset for offset in offsets)
    acknowledged = []
    for base, bitmap in spans(numbers):
        assert 0 <= base <= 0xFFFF and 0 <= bitmap < 1 << BITMAP_BITS
        acknowledged += [base, *((base + 1 + i) & 0xFFFF for i in range(BITMAP_BITS) if bitmap >> i & 1)]
    assert acknowledged == [number & 0xFFFF for number in numbers]


@given(st.sets(st.integers(0, 300), min_size=1, max_size=80))
def test_no_fewer_acknowledgements_would_do(offsets: set[int]) -> None:
    left, least = sorted(offsets), 0
    while left:
        least += 1
        left = [number for number in left if number > left[0] + BITMAP_BITS]
    assert len(spans(sorted(offsets))) == least


class Line:
    """A Link in memory that can be stuck while sending, or fail."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[Frame | None] = asyncio.Queue()
        self.sent: list[tuple[Address, bytes]] = []
        self.unstuck = asyncio.Event()
        self.unstuck.set()
        self.refuses = False
        self.log: list[str] = []

    async def open(self) -> None:
        self.log.append("open")

    async def receive(self) -> list[Frame]:
        frame = await self.incoming.get()
        if frame is None:
            raise LinkFailed("the line was cut")
        return [frame]

    async def send(self, address: Address, data: bytes) -> None:
        await self.unstuck.wait()
        if self.refuses:
            raise LinkFailed("cannot send")
        self.sent.append((address, data))

    async def close(self) -> None:
        self.log.append("close")


async def test_a_link_that_is_stuck_holds_up_no_others_answers(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        stuck, free = Line(), Line()
        stuck.unstuck.clear()
        counts: Counter[str] = Counter()
        sessions = [
            asyncio.create_task(session(name, line, house.decider, lambda name: counts.update([name])))
            for name, line in (("stuck", stuck), ("free", free))
        ]
        nodes = [WireNode(key) for key in KEYS]
        for round_ in range(20):
            stuck.incoming.put_nowait(Frame(nodes[0].flag(), "a", 0))
            free.incoming.put_nowait(Frame(nodes[1].flag(), "b", 0))
            await until(lambda: len(free.sent) > round_)  # noqa: B023 - waited for at once
        assert not stuck.sent
        stuck.unstuck.set()
        await until(lambda: len(stuck.sent) >= 1)
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        assert free.log == ["open", "close"]


async def test_a_link_that_fails_says_so_and_is_closed_with_its_answers_counted(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        line, counts = Line(), Counter[str]()
        line.unstuck.clear()
        work = asyncio.create_task(session("line", line, house.decider, lambda name: counts.update([name])))
        node = WireNode(KEYS[0])
        for _ in range(3):
            line.incoming.put_nowait(Frame(node.flag(), "a", 0))
            await until(lambda: house.verdicts("accepted") == house.decider.engine.last_id - 1)
            await house.decider.view()
        line.incoming.put_nowait(None)
        with pytest.raises(LinkFailed, match="the line was cut"):
            await asyncio.wait_for(work, 10)
        assert line.log == ["open", "close"]
        assert counts["answer_late"] == 2  # the third one was on its way


class WideLine(Line):
    """One that takes all answers at once, up to the third of which it fails."""

    async def send_many(self, answers: deque[tuple[Address, bytes]]) -> None:
        await self.unstuck.wait()
        while answers:
            if self.refuses and len(self.sent) == 2:
                raise LinkFailed("cannot send")
            self.sent.append(answers.popleft())

    async def send(self, address: Address, data: bytes) -> None:
        raise AssertionError("one by one")


async def test_a_link_that_takes_many_is_given_them_at_once_and_each_is_accounted_for() -> None:
    line, counts = WideLine(), Counter[str]()
    outbox = Outbox(line, lambda name: counts.update([name]))
    sending = asyncio.create_task(outbox.run())
    line.unstuck.clear()
    for i in range(2):
        outbox.put("a", bytes([i]))
        await asyncio.sleep(0)  # the first is on its way when the second comes
    line.unstuck.set()
    await until(lambda: line.sent == [("a", b"\0"), ("a", b"\1")])
    line.refuses = True
    for _ in range(3):
        outbox.put("a", b"x")
    await until(lambda: counts == {"answer_failed": 3})
    line.refuses = False
    outbox.put("a", b"again")
    await until(lambda: line.sent[2:] == [("a", b"again")])
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_answers_that_cannot_be_sent_are_counted_by_reason() -> None:
    line, counts = Line(), Counter[str]()
    outbox = Outbox(line, lambda name: counts.update([name]))
    for _ in range(WAITING + 3):
        outbox.put("a", b"x")
    assert counts == {"answer_overflow": 3}
    line.refuses = True
    sending = asyncio.create_task(outbox.run())
    await until(lambda: counts["answer_failed"] == WAITING)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    outbox.close()
    outbox.put("a", b"x")
    assert counts["answer_late"] == 1


async def test_messages_of_one_group_share_an_answer_for_each_node_and_address(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node, other = WireNode(KEYS[0]), WireNode(KEYS[1])
        put = partial(house.hand_in)
        for _ in range(40):
            await put(node.flag())
        await put(other.flag(), "n2")
        await put(node.flag(), "moved")
        answers = await house.answered(4)
        acks = [node.hear(a)[2] for (address, a) in house.wire.sent if address == "n1"]
        assert [(a.base, a.bitmap) for a in acks] == [(0, 2**32 - 1), (33, 2**6 - 1)]
        assert len(answers) == 4 and {address for address, _ in house.wire.sent} == {"n1", "n2", "moved"}


async def test_what_cannot_be_placed_is_not_acknowledged_until_a_birth_has_come(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        await house.hand_in(node.birth(50_000))
        await house.answered(1)
        node.skip(40_000)
        flag = node.flag(90_001)
        await house.hand_in(flag)
        ack = node.hear((await house.answered(2))[1])[2]
        assert (ack.base, ack.bitmap, ack.birth_wanted) == (None, 0, True)
        assert house.verdicts("unplaceable") == 1
        before = house.decider.committed_id
        await house.hand_in(node.birth(90_000))
        await house.hand_in(node.flag(90_001))
        await until(lambda: house.decider.committed_id == before + 2)
        await house.answered(3)
        await house.hand_in(node.flag(90_001))
        assert node.hear((await house.answered(len(house.wire.sent) + 1))[-1])[2].base == 90_001 & 0xFFFF
        assert (house.verdicts("accepted"), house.verdicts("resent")) == (3, 1)


async def test_a_birth_that_came_in_the_same_group_is_not_asked_for_again(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        await house.hand_in(node.birth(50_000))
        await house.answered(1)
        node.skip(40_000)
        early, birth = node.flag(90_001), node.birth(90_000)
        for envelope in (early, birth):
            await house.hand_in(envelope)
        acks = [node.hear(answer)[2] for answer in (await house.answered(3))[1:]]
        assert {(ack.base, ack.birth_wanted) for ack in acks} == {(90_000 & 0xFFFF, False), (None, False)}


async def test_numbers_that_come_twice_are_named_and_not_acknowledged(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node, clone = WireNode(KEYS[0]), WireNode(KEYS[0])
        with capture_logs() as logs:
            await house.hand_in(node.flag(7))
            await house.hand_in(clone.flag(8), "elsewhere")  # the same partial IV
            await house.hand_in(clone.flag(7, 1, 2, 3), "elsewhere")  # the same number
            await until(lambda: house.verdicts("cloned") == 2)
            await house.answered(1)
        assert len(house.wire.sent) == 1
        named = [line for line in logs if "two nodes have it" in line["event"]]
        assert [(line["node"], line["log_level"]) for line in named] == [("n1", "warning")] * 2


async def test_what_a_node_has_counted_can_be_seen(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.hand_in(WireNode(KEYS[1]).say_health(1))
        await house.answered(1)
        reported = house.metrics.registry.get_sample_value
        assert reported("stethos_node_reported", {"node": "n2", "name": "wakes"}) == 1
        assert reported("stethos_node_reported", {"node": "n2", "name": "ring_drops"}) == 0
        assert reported("stethos_node_reported", {"node": "n1", "name": "wakes"}) is None


async def test_so_can_its_energy_and_its_learner_where_it_tells_of_them(tmp_path: Path) -> None:
    more, learner = HealthMore(None, 3, 2, 1), LearnerBrief(2, 400, 71, 90, 1_000_000)
    counted = (3000, 2000, -60, 1, 1, 0, 0, 0, 0)
    async with running(tmp_path) as house:
        node = WireNode(KEYS[1])
        await house.hand_in(node.say(Health(1, 0, 100, 0, *counted, EnergyUc(4, 5, 6, 7), more, learner)))
        await house.answered(1)
        reported = house.metrics.registry.get_sample_value
        assert reported("stethos_node_energy_microcoulombs", {"node": "n2", "state": "radio"}) == 7
        assert reported("stethos_node_reported", {"node": "n2", "name": "deferred"}) == 3
        assert reported("stethos_node_reported", {"node": "n2", "name": "battery_load_mv"}) is None
        assert reported("stethos_node_learner", {"node": "n2", "name": "similarity"}) == 71
        await house.hand_in(node.say(Health(2, 0, 100, 0, *counted, EnergyUc(4, 5, 6, 8))))  # with older firmware
        await house.answered(2)
        assert reported("stethos_node_energy_microcoulombs", {"node": "n2", "state": "radio"}) == 8
        assert reported("stethos_node_learner", {"node": "n2", "name": "similarity"}) is None


async def test_a_notice_is_logged_with_the_name_of_the_node(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[1])
        with capture_logs() as logs:
            flag = node.say(Flag(1, 0, 90, 9, 1))
            await house.hand_in(flag)
            await house.answered(1)
            await house.hand_in(node.say(Flag(1, 0, 90, 9, 1)))  # again, as if the answer had been lost
            await house.answered(2)
        given = [line for line in logs if line["event"] == "a node gives notice"]
        assert [(line["node"], line["notice"], line["log_level"]) for line in given] == [("n2", "moved", "warning")]
