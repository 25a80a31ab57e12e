"""A learner that is told what its machine was doing: a speed that another node measures, the time of day."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.config import CONTEXT, LEARNER, TIME_OF_DAY
from gateway.core.entry import NO_OPINION, Body, Learned, Scored
from gateway.core.rescore import Pending
from gateway.detectors.feature_sets import INVARIANT, SLOW
from gateway.detectors.place import Settings
from gateway.runtime.inbound import Places
from gateway.runtime.learning import NOTHING_ELSE, UNIT, Learners, heard_of
from gateway.runtime.learning_context import HELD, KEY, Readings, hour
from gateway.runtime.learning_how import How, Lessons
from gateway.runtime.learning_place import WEEK_MS, sets_of
from gateway.runtime.rescoring import Rescoring
from gateway.training.judges import PlaceJudge, Seen, Subject
from gateway.wire.messages import Features, Window
from tests.runtime.house import KEYS, WireNode, plant, running, until

LEARN, EVERY_MS, FEATURES = 160, 10_000, 16
WANTED = 100  # false alarms a week
LEARNED = (600, 800, 1000, 1200, 1400)
BETWEEN = (700, 900, 1100, 1300)
SPEED = ("tacho/1",)


def lessons(*context: str, learn: int = LEARN, node: str = "n1") -> Lessons:
    return Lessons(How(LEARN, WANTED), {node: How(learn, WANTED, context=context)})


def learners(*context: str, states: dict[str, bytes] | None = None, node: str = "n1") -> Learners:
    return Learners(states or {}, lambda node: 0, lessons(*context, node=node))


def machine(speeds: np.ndarray, *, seed: int = 1, fault: float = 0.0) -> np.ndarray:
    """Features [n, 16] that bend with the speed, each in its own way, in octaves / 4096. With a fault it sounds as it
    would at a speed so much higher.
    """
    rng = np.random.default_rng(9)
    usual, slope, bend = rng.normal(0, 1, FEATURES), rng.normal(0, 1.5, FEATURES), rng.normal(0, 0.5, FEATURES)
    x = (speeds[:, None] + fault - 1000) / 400
    octaves = usual + slope * x + bend * x**2 + np.random.default_rng(seed).normal(0, 0.05, (len(speeds), FEATURES))
    return (octaves * 4096).round()


def known(*context: str) -> tuple[Learners, list[Learned]]:
    """One that has learned, and what it said. Of the very first window nobody knows yet how often others come."""
    at = learners(*context)
    speeds = np.concatenate([[LEARNED[0]], turning(LEARNED, 8, 4)])
    return at, learned(run(at, speeds, 0, 1))


def turning(speeds: Sequence[float], each: int, rounds: int = 1) -> np.ndarray:
    """So many windows at each speed, so often."""
    return np.tile(np.repeat(np.array(speeds, float), each), rounds)


def windows(
    rows: np.ndarray, speeds: np.ndarray, begin: int = 0, *, told: Sequence[bool] | None = None, late_ms: int = 700
) -> Iterator[tuple[int, Pending]]:
    """Entries: of each moment the speed, if it is told, then the machine, a little later."""
    for i, (row, speed) in enumerate(zip(rows, speeds, strict=True), start=begin):
        if told is None or told[i - begin]:
            level = (round(16 * speed), 0, 16)
            yield 2 * i + 1, Pending("tacho", CONTEXT, EVERY_MS * i, 2**50, SLOW, level, False)
        values = tuple(int(v) for v in row)
        yield 2 * i + 2, Pending("n1", "learner", EVERY_MS * i + late_ms, 2**50, INVARIANT, values, False)


def run(at: Learners, speeds: np.ndarray, begin: int, seed: int, **more: object) -> list[Body | Places]:
    rows = machine(speeds, seed=seed, fault=more.pop("fault", 0.0))  # type: ignore[arg-type]
    return at.score(dict(windows(rows, speeds, begin, **more)))  # type: ignore[arg-type]


def scores(said: Sequence[object]) -> list[Scored]:
    """Of the machine's windows."""
    return [item for item in said if isinstance(item, Scored) and item.window % 2 == 0]


def learned(said: Sequence[object]) -> list[Learned]:
    return [item for item in said if isinstance(item, Learned)]


def alarmed(said: Sequence[object]) -> float:
    return float(np.mean([score.value > UNIT for score in scores(said)]))


@pytest.mark.parametrize("context", [SPEED, ()])
def test_given_the_speed_it_finds_what_it_does_not_find_without(context: tuple[str, ...]) -> None:
    at, (commissioned,) = known(*context)
    assert commissioned.what == "commissioned"
    assert commissioned.told.endswith("; given tacho/1") == bool(context)
    assert alarmed(run(at, turning(LEARNED, 8, 2), 1000, 2)) == 0
    assert alarmed(run(at, turning(BETWEEN, 8, 2), 2000, 3)) == 0, "nobody has seen these speeds"
    learned_speed, other = (alarmed(run(at, turning((at_,), 40), 3000 + at_, 4, fault=200)) for at_ in (800, 1100))
    assert (learned_speed > 0.9, other > 0.3) == ((True, True) if context else (False, False))
    assert context or learned_speed == other == 0


def test_it_judges_as_evaluation_does() -> None:
    speeds = np.concatenate([turning(LEARNED, 8, 4), turning(BETWEEN, 10), turning((800,), 40)])
    rows = machine(speeds)
    rows[-40:, :3] += 3000
    found = scores(learners(*SPEED).score(dict(windows(rows, speeds, late_ms=0))))[LEARN:]
    subject = Subject("n1", "motor", INVARIANT, ("x", "y", "z"), ("speed",))
    judge = PlaceJudge(subject, Settings(events=WANTED * EVERY_MS / WEEK_MS))
    judge.commission(Seen(rows[:LEARN], speeds[:LEARN, None], ()))
    expected = judge.judge(Seen(rows[LEARN:], speeds[LEARN:, None], ()))
    values = [
        max(round(UNIT * score), UNIT + 1) if alarm else min(round(UNIT * score), UNIT)
        for score, alarm in zip(expected.score, expected.alarm, strict=True)
    ]
    assert [score.value for score in found] == values and max(values) > UNIT > min(values)


@pytest.mark.parametrize("cut", [9, 2 * LEARN - 1, 2 * LEARN + 51])
def test_it_goes_on_after_a_restart_as_if_there_had_been_none(cut: int) -> None:
    speeds = np.concatenate([turning(LEARNED, 8, 4), turning(BETWEEN, 10), turning((800,), 20)])
    rows = machine(speeds)
    rows[-20:, :3] += 3000
    entries = [*windows(rows, speeds)]
    whole = scores(learners(*SPEED).score(dict(entries)))
    before = learners(*SPEED)
    first = before.score(dict(entries[:cut]))
    after = learners(*SPEED, states=before.states())
    assert [*scores(first), *scores(after.score(dict(entries[cut:])))] == whole
    assert {score.value > UNIT for score in whole} == {True, False}


def test_without_its_context_nobody_judges_and_it_is_counted_and_said() -> None:
    at, _ = known(*SPEED)
    before = at.without_context
    gone = run(at, turning((800,), 60), LEARN + 1, 2, fault=400, told=[False] * 60)
    judged = [score.threshold != NO_OPINION for score in scores(gone)]
    assert judged == [True] + [False] * 59, "the newest speed is good for one and a half times what is usual"
    assert at.without_context - before == 59
    (waits,) = learned(gone)
    assert (waits.what, waits.told) == (
        "waits", f"{NOTHING_ELSE} windows in a row without tacho/1, which nobody judges or learns from"
    )  # fmt: skip
    back = run(at, turning((800,), 10), LEARN + 61, 3)
    assert {score.threshold for score in scores(back)} == {UNIT} and at.without_context - before == 59


def test_it_learns_only_from_windows_whose_context_is_known() -> None:
    at = learners(*SPEED)
    told = [i % 4 > 1 for i in range(2 * LEARN)]
    speeds = turning(LEARNED, 16, 4)
    (commissioned,) = learned(run(at, speeds, 0, 1, told=told))
    assert commissioned.told.startswith(f"{LEARN} windows") and at.without_context


def test_a_window_that_comes_late_is_judged_by_what_was_then() -> None:
    readings = Readings()
    for i, speed in enumerate((600, 900, 1200)):
        readings.heard("tacho", EVERY_MS * i, Features(SLOW, (16 * speed, 0, 0)))
        readings.heard("n1", EVERY_MS * i, Features(INVARIANT, (0,) * FEATURES))
    assert [readings.about("n1", EVERY_MS * i + 300, SPEED)[0].tolist() for i in range(3)] == [[600], [900], [1200]]
    assert readings.about("n1", 10 * EVERY_MS, SPEED)[1] == ["tacho/1"]
    assert readings.about("n1", 0, ("tacho/2", "nobody/1"))[1] == ["tacho/2", "nobody/1"]
    for i in range(100):
        readings.heard("tacho", EVERY_MS * i, Features(SLOW, (0, 0, 0)))
    assert len(Readings(readings.state()[KEY])._said["tacho"].at_ms) == HELD


def test_who_is_only_context_is_not_judged_and_has_no_place() -> None:
    at = learners(*SPEED)
    said = run(at, turning(LEARNED, 8, 4), 0, 1)
    own = [item for item in said if isinstance(item, Scored) and item.window % 2]
    assert {(item.threshold, item.failure) for item in own} == {(NO_OPINION, "")}
    assert at.states().keys() == {"n1", KEY}
    assert heard_of(at.states()) == {"n1", "tacho"} and sets_of(at.states()) == {"n1": INVARIANT}


def test_what_never_changed_is_not_given_and_what_has_another_context_is_learned_anew() -> None:
    at = learners(*SPEED)
    (still,) = learned(run(at, turning((800,), LEARN + 1), 0, 1))
    assert still.told.endswith("; not given tacho/1: it never turned")
    assert {score.threshold for score in scores(run(at, turning((1400,), 3), LEARN + 1, 1))} == {UNIT}
    at.tune(lessons())
    assert {score.threshold for score in scores(run(at, turning((800,), 3), 1000, 1))} == {NO_OPINION}


def test_what_could_not_be_learned_is_learned_from_the_next_windows() -> None:
    """Three windows in each chunk, and a speed to each of them, tell nothing of what varies while it is the same."""
    at = Learners({}, lambda node: 0, lessons(*SPEED, learn=24))
    (refused,) = learned(run(at, turning((600, 800, 1000), 1, 9)[:25], 0, 1))
    assert (refused.what, refused.told) == ("refused", "24 rows in 3 contexts")
    again = Learners(at.states(), lambda node: 0, lessons(*SPEED, learn=24))
    (commissioned,) = learned(run(again, turning((800,), 24), 25, 1))
    assert commissioned.told.endswith("; not given tacho/1: it never turned")


def room(days: int, *, seed: int = 1, begin: int = 0) -> list[tuple[int, ...]]:
    """Windows of a slow sensor, one an hour: it warms in the morning and cools in the evening."""
    rng = np.random.default_rng(seed)
    at_h = np.array([hour(3_600_000 * (begin + i)) for i in range(24 * days)])
    slope = 800 * np.sin(at_h / 12 * np.pi) + rng.normal(0, 20, len(at_h))
    spread = 2 ** (8 + rng.normal(0, 0.1, len(at_h)))
    return [(300, int(a), int(b)) for a, b in zip(slope, spread, strict=True)]


def hourly(rows: list[tuple[int, ...]], begin: int) -> dict[int, Pending]:
    return {
        2 * (begin + i): Pending("n1", "learner", 3_600_000 * (begin + i), 2**50, SLOW, row, False)
        for i, row in enumerate(rows)
    }


@pytest.mark.parametrize("context", [(TIME_OF_DAY,), ()])
def test_the_time_of_day_tells_a_room_that_warms_at_night(context: tuple[str, ...]) -> None:
    """So small a fault that by day it would be usual."""
    how = How(240, 0.5, context=context)
    at = Learners({}, lambda node: 0, Lessons(how, {"n1": how}))
    (commissioned,) = learned(at.score(hourly(room(10), 0)))
    assert commissioned.told.endswith("; given time of day") == bool(context)
    assert alarmed(at.score(hourly(room(3, seed=2, begin=240), 240))) < 0.1
    heated = [(level, 800, spread) for level, _, spread in room(2, seed=3, begin=312)]
    share = alarmed(at.score(hourly(heated, 312)))
    assert share > 0.7 if context else share == 0


def test_a_machine_does_not_know_the_hour() -> None:
    at = learners(TIME_OF_DAY)
    (refused,) = scores(at.score(dict([*windows(machine(np.array([800.0])), np.array([800.0]))])))
    assert refused.failure == "the time of day is no context of features invariant"
    assert not heard_of(at.states()) - {"n1"}


async def test_of_a_running_gateway_context_and_machine_are_taken_in_the_order_in_which_they_came(
    tmp_path: Path,
) -> None:
    both = {LEARNER: bytes(32), CONTEXT: bytes(32)}
    works = plant(LEARNER, both)
    works = replace(works, nodes={**works.nodes, "n2": replace(works.nodes["n2"], model=CONTEXT)})
    at = Learners({}, lambda node: 0, Lessons(How(LEARN, WANTED), {"n1": How(LEARN, WANTED, context=("n2/1",))}))
    async with running(tmp_path, works) as house:
        nodes, sent = [WireNode(key) for key in KEYS], 0
        for number in range(4):
            for node, features in zip(
                nodes, (Features(INVARIANT, (9,) * FEATURES), Features(SLOW, (16, 0, 0))), strict=True
            ):
                await house.hand_in(node.say(Window(number, 0, 0, 0, features)))
                sent += 1
                await house.answered(sent)
        rescoring = Rescoring(house.decider, {}, house.metrics, lambda: at)
        batch = rescoring._next_batch(house.decider.engine.waiting)
        assert [pending.node for pending in batch.values()] == ["n1", "n2"] * 4
        work = asyncio.create_task(rescoring.run())
        await until(lambda: not house.decider.engine.waiting)
        work.cancel()
        assert house.counted("window_scored") == 4 and house.counted("window_without_context") == at.without_context > 0
        assert at.states().keys() == {"n1", KEY}
