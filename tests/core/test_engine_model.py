"""Whatever the entries: what must be true of the engine after every one of them."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.core import assets, snapshot
from gateway.core.command import Command, CommandKind
from gateway.core.entry import Body, Commanded, Configured, Report, Scored, Started, Tick
from gateway.core.plant import Plant, Rule, TagId
from gateway.core.update import AlarmChange, AlarmState, IncidentChange, TagChange, encode_decision
from tests.core.plants import MODEL, Bench, birth, flag, health, ms, plant, report, window

ASSETS = {"mill": ("a", "b", "c"), "pump": ("d", "e"), "fan": ("f", "g")}
FEEDS = {"mill": ("pump",), "pump": ("fan",)}
NODES = tuple("abcdefg")

messages = st.one_of(
    st.builds(birth, st.integers(5, 100)),
    st.builds(health, st.integers(0, 200), st.sampled_from((0, 0, 0, 4, 5))),
    st.builds(flag, st.integers(129, 200), st.sampled_from((1, 1, 1, 65, 4)), st.integers(0, 80), st.booleans()),
    st.builds(window, st.integers(0, 128), st.integers(0, 40)),
)
rules = st.builds(Rule, st.integers(1, 3), st.integers(1, 60_000), st.integers(0, 90_000))
plants = st.builds(
    plant,
    st.sampled_from((ASSETS, {**ASSETS, "mill": ("a", "b")}, {"mill": ("a", "b", "c"), "fan": ("f", "d")})),
    feeds=st.sampled_from((FEEDS, {})),
    rule=rules,
    model=st.sampled_from(("", "m")),
    models=st.sampled_from(({"m": MODEL}, {})),
    on_delay_s=st.sampled_from((0, 7)),
    off_delay_s=st.sampled_from((0, 9)),
    correlate_s=st.integers(0, 100),
)
gaps_s = st.one_of(st.integers(0, 3), st.integers(0, 200))


class Played(RuleBasedStateMachine):
    """Entries as they may come, with time passing between them."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.seconds = 0.0
        self.checked = 0

    @initialize(configured=plants)
    def configure(self, configured: Plant) -> None:
        self.play(0, Configured(configured))

    def play(self, gap_s: float, body: Body) -> None:
        self.seconds += gap_s
        self.bench.at(self.seconds, body)

    @rule(gap_s=gaps_s, node=st.sampled_from(NODES), message=messages)
    def hear(self, gap_s, node, message):
        self.play(gap_s, report(node, message, ms(self.seconds + gap_s)))

    @rule(spoken=st.lists(st.tuples(st.sampled_from(NODES), st.integers(0, 3)), min_size=2, max_size=6))
    def storm(self, spoken):
        for node, gap_s in spoken:
            self.play(gap_s, report(node, flag(features=True), ms(self.seconds + gap_s)))

    @rule(gap_s=gaps_s, value=st.integers(0, 200), which=st.integers(0, 9), failure=st.sampled_from(("", "", "broken")))
    def score(self, gap_s, value, which, failure):
        waiting = list(self.bench.engine.waiting) or [1]
        self.play(gap_s, Scored(waiting[which % len(waiting)], value, 100, MODEL, failure))

    @rule(
        gap_s=gaps_s,
        kind=st.sampled_from(CommandKind),
        which=st.integers(0, 30),
        event=st.integers(0, 40),
        shelf_s=st.integers(-1, 60),
    )
    def command(self, gap_s, kind, which, event, shelf_s):
        names = [str(alarm) for alarm in self.bench.engine.plant.alarm_ids()] + ["", "nonsense"]
        until_ms = ms(self.seconds + gap_s + shelf_s)
        self.play(gap_s, Commanded(Command(kind, "ann", "bench", names[which % len(names)], event, "why", until_ms)))

    @rule(configured=plants)
    def reconfigure(self, configured):
        self.play(1, Configured(configured))

    @rule(away_s=st.integers(0, 300))
    def restart(self, away_s):
        self.seconds += away_s
        self.bench.restarts(self.seconds)

    @rule(gap_s=st.integers(0, 500))
    def wait(self, gap_s):
        self.seconds += gap_s
        self.bench.until(self.seconds)

    @rule()
    def carry_on_from_a_snapshot(self):
        state = snapshot.take(self.bench.engine)
        self.bench.engine = snapshot.restore(state)
        assert snapshot.take(self.bench.engine) == state

    @invariant()
    def events_are_numbered_without_a_gap(self):
        events = [u.event for u in self.bench.updates if not isinstance(u, TagChange)]
        assert events == list(range(1, len(events) + 1))

    @invariant()
    def what_is_present_is_what_was_said(self):
        if self.bench.engine.plant is None:
            return
        said = {u.tag: u for u in self.bench.updates if isinstance(u, TagChange)}
        assert all(said[change.tag] == change for change in self.bench.engine.present_tags())
        alarms = {u.alarm: u for u in self.bench.updates if isinstance(u, AlarmChange)}
        assert all(alarms[change.alarm] == change for change in self.bench.engine.present_alarms())

    @invariant()
    def gateway_counters_are_a_recount(self):
        engine = self.bench.engine
        if engine.plant is None:
            return
        heard = [a for a in engine.present_alarms() if a.state not in (AlarmState.SHELVED, AlarmState.OUT_OF_SERVICE)]
        newest = {u.incident: u.open for u in self.bench.updates if isinstance(u, IncidentChange)}
        liveness = [engine.ledger.tags[TagId.parse(f"node/{name}/liveness")].value for name in engine.plant.nodes]
        counts = {
            "alarms_active": sum(a.active for a in heard),
            "alarms_unacknowledged": sum(not a.acknowledged for a in heard),
            "incidents_open": sum(newest.values()),
            "nodes_lost": liveness.count(5),
        }
        for name, count in counts.items():
            assert self.bench.tag(f"gateway/gateway/{name}").value == count, name

    @invariant()
    def what_goes_on_at_an_asset_is_what_its_alarm_and_tags_say(self):
        engine = self.bench.engine
        if engine.plant is None:
            return
        for name in engine.plant.assets:
            bouts = [b for i in engine.incidents.incidents.values() for b in i.bouts if b.asset == name]
            active = [b for b in bouts if not b.over]
            going_on = list(engine.incidents.unfinished(name))  # several only where late news are a last word
            assert sorted(map(id, active)) == sorted(map(id, going_on))
            assert engine.incidents.active(name) is (going_on[-1] if going_on else None)
            reachable = {id(bout) for bout in engine.incidents.bouts.get(name, ())}
            assert {id(bout) for bout in bouts if bout.reachable} == reachable
            assert self.bench.tag(f"asset/{name}/incident").value == (going_on[-1].incident if going_on else 0)
            alarm = next((a for a in engine.alarms.alarms.values() if a.last.alarm.name == name), None)
            assert (alarm is not None and alarm.condition) == bool(active)
        for incident in engine.incidents.incidents.values():
            assert incident.open == incident.said_open
            assert incident.open or any(b.reachable for b in incident.bouts)
            assert all(b.incident == incident.id for b in incident.bouts)
            assert all(b.episode.onset_ms <= b.episode.decided_ms <= b.episode.last_ms for b in incident.bouts)
            assert incident.origin in incident.assets

    @invariant()
    def alarms_are_consistent(self):
        for alarm in self.bench.engine.alarms.alarms.values():
            if not alarm.delay_ends_ms:
                assert alarm.condition == alarm.last.active
            assert not alarm.last.event or alarm.last.event == alarm.events[-1]
        new = self.bench.updates[self.checked :]
        self.checked = len(self.bench.updates)
        for change in new:
            if isinstance(change, AlarmChange):
                if change.transition == "raised":
                    assert change.active
                    assert not change.acknowledged
                if change.transition == "returned":
                    assert not change.active

    def teardown(self):
        bench = self.bench
        tags: dict[TagId, list[TagChange]] = {}
        for update in bench.updates:
            if isinstance(update, TagChange):
                tags.setdefault(update.tag, []).append(update)
        configured = sum(isinstance(e.body, Configured) for e in bench.entries)
        if configured == 1:  # a Tag that went away and came back begins anew
            for changes in tags.values():
                assert all(
                    a.source_ms <= b.source_ms or a.quality.name == "NO_DATA" for a, b in pairwise(changes)
                )  # fmt: skip
        again = Bench()
        for entry in bench.entries:
            decision = again.engine.apply(entry)
            again.decisions.append(encode_decision(decision.updates, decision.waiting))
        assert again.decisions == bench.decisions  # however often it was carried on from a snapshot


TestPlayed = Played.TestCase
TestPlayed.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class Crowded(Played):
    """The same with hardly any room for what was: what is forgotten was said before, and all else still agrees."""

    def __init__(self) -> None:
        super().__init__()
        self.patched = pytest.MonkeyPatch()
        self.patched.setattr(assets, "MAX_VERDICTS", 6)
        self.patched.setattr(assets, "MAX_BOUTS", 1)

    @invariant()
    def what_is_remembered_is_bounded(self):
        engine = self.bench.engine
        for bouts in engine.incidents.bouts.values():
            assert sum(bout.over for bout in bouts) <= 1
        assert all(len(evidence.verdicts) <= 6 for evidence in engine.assets.evidence.values())

    def teardown(self):
        super().teardown()
        self.patched.undo()


TestCrowded = Crowded.TestCase
TestCrowded.settings = TestPlayed.settings


@settings(max_examples=60, deadline=None)
@given(
    spoken=st.lists(st.tuples(st.integers(0, 400), st.sampled_from(NODES)), min_size=2, max_size=14),
    rule=rules,
    correlate_s=st.integers(0, 60),
    data=st.data(),
)
def test_the_order_of_arrival_does_not_matter_in_the_end(spoken, rule, correlate_s, data):
    """Event times kept, arrival permuted: the same incidents stand open, on the same ground."""

    def end_of(order: list[tuple[int, str]]) -> object:
        bench = Bench.of(plant(ASSETS, feeds=FEEDS, rule=rule, correlate_s=correlate_s))
        for index, (second, node) in enumerate(order):
            bench.at(401 + index / 1000, report(node, flag(), ms(second)))
            bench.at(401 + index / 1000, report(node, health(), ms(second) + 1))
        bench.until(402)
        alarms = {a.alarm: a.active for a in bench.engine.present_alarms() if a.active}
        return sorted((sorted(i.assets), i.nodes, i.origin, i.onset_ms) for i in bench.open()), alarms

    assert end_of(spoken) == end_of(data.draw(st.permutations(spoken)))


@settings(max_examples=40, deadline=None)
@given(spoken=st.lists(st.tuples(st.integers(0, 400), st.sampled_from(NODES)), min_size=2, max_size=14), rule=rules)
def test_late_data_ends_like_data_in_time(spoken, rule):
    """What stands open after a backlog is what would stand open had each message come at once."""

    def configured() -> Bench:
        return Bench.of(plant(ASSETS, feeds=FEEDS, rule=rule))

    in_time, late = configured(), configured()
    for second, node in sorted(spoken):
        in_time.says(second, node, flag())
    for second, node in spoken:
        late.at(401, report(node, flag(), ms(second)))
        late.at(401, report(node, health(), ms(second) + 1))
    ends = [
        sorted((i.assets[0] and sorted(i.assets), i.nodes, i.origin, i.onset_ms) for i in bench.until(402).open())
        for bench in (in_time, late)
    ]
    assert ends[0] == ends[1]


SCRIPT = """
import hashlib
from gateway.core.entry import Configured
from tests.core.plants import Bench, birth, flag, health, plant
bench = Bench.of(plant({f"asset-{i}": (f"n{i}", f"m{i}") for i in range(12)}, model="m",
                       feeds={f"asset-{i}": (f"asset-{i + 1}",) for i in range(11)}), born=50)
for second in range(0, 900, 3):
    i = second * 7 % 12
    bench.says(second, f"n{i}", flag(features=second % 2 == 0))
    bench.says(second, f"m{i}", flag() if second % 5 else health(why=4))
    if second % 11 == 0 and bench.engine.waiting:
        bench.scored(second, next(iter(bench.engine.waiting)), second % 200)
    if second == 600:
        bench.at(600, Configured(plant({f"asset-{i}": (f"n{i}",) for i in range(3, 12)})))
bench.until(2000)
print(hashlib.sha256(b"".join(bench.decisions)).hexdigest())
"""


def test_the_hash_seed_decides_nothing():
    digests = set()
    for seed in ("0", "1", "4711"):
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True, timeout=60,
        )  # fmt: skip
        digests.add(ran.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_entries_come_in_order():
    bench = Bench.of(plant())
    with pytest.raises(ValueError, match="entry 1 after entry 1"):
        bench.engine.apply(bench.entries[-1])


@pytest.mark.parametrize("body", [Report("a", "l", 1, 0, 0, b"", flag()), Scored(1, 1, 1, b"")])
def test_nothing_is_decided_before_there_is_a_plant(body):
    with pytest.raises(ValueError, match="before any configuration"):
        Bench().at(0, body)


def test_a_start_may_come_before_the_configuration():
    bench = Bench()
    assert not bench.at(0, Started("1")).updates
    assert not bench.at(0, Tick()).updates
    assert snapshot.restore(snapshot.take(bench.engine)).last_id == 2
