"""`stethos node show`: what a node has told of itself, for people."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gateway.cli import said
from gateway.core.nodes import NOTICES
from gateway.store.reader import Reader
from gateway.wire.messages import EnergyUc, Flag, Health, HealthMore, LearnerBrief
from tests.runtime.house import KEYS, WireNode, running

HINDERED = 15


def health(seq: int, learner: LearnerBrief | None) -> Health:
    more = HealthMore(None, 0, 0, 0)
    return Health(seq, 0, 90, 0, 3000, None, None, 1, 1, 0, 0, 0, 0, EnergyUc(0, 0, 0, 0), more, learner)


def of_late(folder: Path, node: str) -> list[str]:
    with closing(Reader.open(folder)) as reader:
        return [line[26:] for line in said.of_late(reader, node)]  # behind the time


async def test_a_learner_that_learns_nothing_is_shown_and_why(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        one, other = map(WireNode, KEYS)
        for number, message in enumerate(
            (
                health(0, LearnerBrief(1, 3, 0, 0, 1)),
                health(1, LearnerBrief(1, 5, 0, 0, 1)),
                Flag(2, 0, 90, HINDERED, 0),
            ),
            1,
        ):
            await house.hand_in(one.say(message))
            await house.answered(number)
        await house.hand_in(other.say(health(0, None)))
        await house.answered(4)
    told, noticed = of_late(tmp_path, KEYS[0].name)
    assert told == "learner learns, 5 windows, similarity 0"
    assert noticed.startswith("gave notice: it learns nothing, because its model or its limits")
    assert of_late(tmp_path, KEYS[1].name) == []


def test_each_notice_has_words() -> None:
    assert said._NOTICED.keys() == NOTICES.keys()
