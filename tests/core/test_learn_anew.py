"""An acknowledgement that says "this is normal from now on": gateway and nodes learn anew, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import cbor2
import pytest

from gateway.config import LEARNER
from gateway.core import entry as entries
from gateway.core import snapshot
from gateway.core.command import Command, CommandKind, CommandResult, Outcome
from gateway.core.engine import LEARN_WAITS_MS
from gateway.core.entry import Commanded, EntryKind, Posted
from gateway.core.mailbox import Letter, Order
from gateway.core.update import AlarmChange
from gateway.wire.messages import BirthMore, Flag, HealthMore, LearnerBrief
from tests.core.plants import RULE, Bench, birth, flag, health, ms, plant

ALARM = "asset/pump/anomaly"
MOVED = 9
LEARNS = LearnerBrief(2, 240, 90, 0, 200_000)


@pytest.fixture
def bench() -> Bench:
    """a learns itself, as its Birth says, b as its Health; c does not. The anomaly of their pump has been raised."""
    bench = Bench.of(plant(model=LEARNER, models={LEARNER: bytes(32)}), born=600, well=False)
    bench.says(1, "a", birth(600)._replace(more=BirthMore(128, 0, 0, 0, bytes(8))))
    bench.says(1, "b", health()._replace(more=HealthMore(None, 0, 0, 0), learner=LEARNS))
    bench.says(1, "c", health())
    return bench.flags((2, "a"), (3, "b"))


def ask(bench: Bench, at_s: float = 10, alarm: str = ALARM, **more: object) -> CommandResult:
    command = {"kind": CommandKind.ACKNOWLEDGE, "actor": "ann", "origin": "cli uid 0", "learn": True} | more
    result = bench.at(at_s, Commanded(Command(alarm=alarm, **command))).result  # type: ignore[arg-type]
    assert result is not None
    return result


def learns_from(bench: Bench) -> dict[str, tuple[int, bool]]:
    return {name: (node.learn_from, node.learn_ordered) for name, node in bench.engine.nodes.nodes.items()}


def waits(bench: Bench) -> dict[str, list[object]]:
    return {node: list(box.letters) for node, box in bench.engine.mail.boxes.items()}


def test_an_acknowledgement_alone_lets_nobody_learn(bench: Bench) -> None:
    assert ask(bench, learn=False).outcome is Outcome.DONE
    assert set(learns_from(bench).values()) == {(0, False)}
    assert not waits(bench)


def test_with_learn_the_gateway_and_each_node_that_can_learn_anew(bench: Bench) -> None:
    result = ask(bench, comment="new belt")
    assert result.outcome is Outcome.DONE
    assert result.detail == "learns anew: the gateway at a, a, the gateway at b, b, the gateway at c"
    entry = bench.engine.last_id
    assert learns_from(bench) == {**dict.fromkeys("abc", (entry, True)), **dict.fromkeys("de", (0, False))}
    letter = Letter(0, Order.LEARN, 0, ms(10) + LEARN_WAITS_MS)
    assert waits(bench) == {"a": [letter], "b": [letter]}
    (said,) = [u for u in bench.updates if isinstance(u, AlarmChange) and u.event == result.event]
    assert (said.acknowledged, said.actor, said.comment) == (True, "ann", "new belt; normal from now on")


def test_who_learns_on_the_node_only_is_told_and_nobody_where_nobody_learns() -> None:
    for more, told in ((LEARNS, "learns anew: a"), (None, "learns anew: nobody, for nobody learns there")):
        bench = Bench.of(plant({"pump": "a"}, rule=replace(RULE, k=1)), born=600, well=False)
        bench.says(1, "a", health()._replace(more=HealthMore(None, 0, 0, 0), learner=more))
        assert ask(bench.flags((2, "a"))).detail == told


def test_only_an_acknowledgement_of_an_anomaly_lets_learn(bench: Bench) -> None:
    bench.says(4, "c", flag(why=7))
    for more in ({"alarm": "node/c/sensor_fault"}, {"kind": CommandKind.OUT_OF_SERVICE}):
        refused = ask(bench, **more)  # type: ignore[arg-type]
        assert (refused.outcome, "acknowledgement of an anomaly" in refused.detail) == (Outcome.REFUSED, True)
    assert ask(bench, alarm="asset/none/anomaly").outcome is Outcome.UNKNOWN_ALARM
    assert set(learns_from(bench).values()) == {(0, False)}
    assert ask(bench, learn=False).outcome is Outcome.DONE
    again = ask(bench, 11)
    assert (again.outcome, "stethos node tell NODE learn" in again.detail) == (Outcome.ALREADY, True)
    assert not waits(bench)


def test_who_has_said_so_last_counts(bench: Bench) -> None:
    bench.at(10, Posted("c", Order.LEARN, 0, ms(3600), "ann", "cli uid 0"))
    assert learns_from(bench)["c"] == (bench.engine.last_id, True)
    bench.says(11, "c", Flag(9, 0, 0, MOVED, 0))
    entry, ordered = learns_from(bench)["c"]
    assert (entry > 0, ordered) == (True, False), "nobody has said what is there now is normal"


def test_a_node_that_has_a_learner_no_longer_is_told_nothing(bench: Bench) -> None:
    bench.says(5, "b", health()._replace(more=HealthMore(None, 0, 0, 0)))
    ask(bench)
    assert set(waits(bench)) == {"a"}


def test_a_full_mailbox_is_told_of_and_the_gateway_learns_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.core.mailbox.MAX_LETTERS", 0)
    result = ask(bench)
    assert "not a: its mailbox is full" in result.detail
    assert learns_from(bench)["a"][1]


def test_it_is_in_the_state_that_a_start_begins_with(bench: Bench) -> None:
    ask(bench)
    again = snapshot.restore(snapshot.take(bench.engine))
    assert snapshot.take(again) == snapshot.take(bench.engine)
    assert again.nodes.nodes["a"] == bench.engine.nodes.nodes["a"]


def test_a_command_of_an_older_journal_lets_nobody_learn() -> None:
    command = Command(CommandKind.ACKNOWLEDGE, "ann", "cli uid 0", ALARM, 7, "belt", 0)
    kind, version, body = entries.encode(Commanded(command))
    assert (kind, version) == (EntryKind.COMMAND, 2)
    older = cbor2.dumps(cbor2.loads(body)[:-1])
    assert entries.decode(kind, 1, older) == Commanded(command)
