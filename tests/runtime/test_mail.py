"""Letters go out behind an Ack, one at a time, until the node has said what became of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.command import Outcome
from gateway.core.entry import Posted, Started
from gateway.core.mailbox import Order
from gateway.runtime import intake
from gateway.wire.messages import Ack, Command, DownMessage, Result
from tests.runtime.house import KEYS, House, WireNode, running

FAR_MS = 2**50


async def post(house: House, order: Order, argument: int | None = None, node: str = "n1") -> None:
    answer = await house.decider.post(Posted(node, order, argument, FAR_MS, "ann", "test"))
    assert answer.outcome is Outcome.DONE


async def heard(house: House, node: WireNode, envelope: bytes, answers: int) -> list[DownMessage]:
    """What the gateway answers to one more envelope."""
    before = len(house.wire.sent)
    await house.hand_in(envelope)
    return [node.open(data)[2] for data in (await house.answered(before + answers))[before:]]


def ack(seq: int, mail: int, birth_wanted: bool = False) -> tuple[object, ...]:
    return (seq, 0, 0, mail, birth_wanted)


def plain(message: DownMessage) -> tuple[object, ...]:
    """Without the time."""
    return tuple(f for n, f in zip(message._fields, message, strict=True) if n != "time_ms")


async def test_one_letter_at_a_time_behind_an_ack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAIL_AGAIN_MS", 3_600_000)
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        await post(house, Order.IDENTIFY)
        await post(house, Order.COLLECT, 8)
        (first_of_all,) = await heard(house, node, node.say_health(0), 1)
        assert plain(first_of_all) == ack(0, 0, birth_wanted=True), "its last number is not known"
        first = await heard(house, node, node.birth(1), 2)
        assert (plain(first[0]), first[1]) == (ack(1, 2), Command(1, Order.IDENTIFY))
        (again,) = await heard(house, node, node.say_health(2), 1)
        assert plain(again) == ack(2, 0), "it was sent just now"
        second = await heard(house, node, node.say(Result(3, 0, 1, 0)), 2)
        assert (plain(second[0]), second[1]) == (ack(3, 1), Command(2, Order.COLLECT, 8))
        (last,) = await heard(house, node, node.say(Result(4, 0, 2, 0)), 1)
        assert plain(last) == ack(4, 0)
    async with running(tmp_path) as house:
        assert not house.decider.engine.mail.boxes


async def test_mail_survives_a_restart_and_is_sent_again_until_it_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = WireNode(KEYS[0])
    async with running(tmp_path) as house:
        await post(house, Order.RESTART)
        assert (await heard(house, node, node.birth(1), 2))[1] == Command(1, Order.RESTART)
    async with running(tmp_path) as house:
        await house.decider.put(Started("test"))
        assert len(await heard(house, node, node.say_health(2), 1)) == 1, "its last number is asked for again"
        assert (await heard(house, node, node.birth(3), 2))[1] == Command(1, Order.RESTART)
        monkeypatch.setattr(intake, "MAIL_AGAIN_MS", 0)
        assert (await heard(house, node, node.say_health(4), 2))[1] == Command(1, Order.RESTART)


async def test_nobody_hears_of_a_letter_that_is_not_durable(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        refused = await house.decider.post(Posted("nobody", Order.IDENTIFY, None, FAR_MS, "ann", "test"))
        assert refused.outcome is Outcome.REFUSED
        node = WireNode(KEYS[1])
        await heard(house, node, node.birth(0), 1)
        (answer,) = await heard(house, node, node.say_health(1), 1)
        assert isinstance(answer, Ack) and answer.mail == 0
