import asyncio
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.core import snapshot
from gateway.core.command import Command, CommandKind, Outcome
from gateway.core.engine import ENGINE_VERSION
from gateway.core.entry import Commanded, Configured, EntryKind, Scored, Started, decode
from gateway.core.update import AlarmChange, AlarmTransition, decode_decision
from gateway.runtime import decider as decider_module
from gateway.runtime.clock import Clock
from gateway.runtime.history import HistoryUnreadable, present, replay, resume
from gateway.store.group import Group
from gateway.store.journal import Journal
from gateway.store.reader import Reader
from gateway.store.retention import Limits
from gateway.store.schema import JournalFull
from gateway.wire.messages import Flag, LearnerState, Sampled
from tests.runtime.house import KEYS, WireNode, plant, running, until

DAY_MS = 86_400_000
ALARM = "asset/pump-1/anomaly"
MODEL = b"m" * 32


class Blocked(Journal):
    """A disk that takes its time: each commit waits for `go`."""

    go: threading.Event
    waiting: threading.Event

    def commit(self, group: Group) -> None:
        self.waiting.set()
        assert self.go.wait(10)
        super().commit(group)


class Failing(Journal):
    """A disk that is full as often as `failures` says."""

    failures = 0

    def commit(self, group: Group) -> None:
        if self.failures:
            self.failures -= 1
            raise JournalFull("full, says the test")
        super().commit(group)


@pytest.fixture(autouse=True)
def _quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decider_module, "RETRY_S", 0.01)


def entries_of(folder: Path, kind: EntryKind) -> int:
    reader = Reader.open(folder)
    rows = reader.read(0, 10_000)
    reader.close()
    return sum(row.kind == kind for row in rows)


def raised_in(folder: Path) -> list[AlarmChange]:
    reader = Reader.open(folder)
    decisions = reader.decisions(0, 10_000)
    reader.close()
    updates = [update for _, data in decisions for update in decode_decision(data)]
    return [u for u in updates if isinstance(u, AlarmChange) and u.transition is AlarmTransition.RAISED]


async def test_nothing_is_told_before_the_commit_is_over(tmp_path: Path) -> None:
    Blocked.go, Blocked.waiting = threading.Event(), threading.Event()
    async with running(tmp_path, kind=Blocked) as house:
        node = WireNode(KEYS[0])
        await house.hand_in(node.flag())
        looking = asyncio.create_task(house.decider.view())
        asking = asyncio.create_task(house.decider.command(Command(CommandKind.ACKNOWLEDGE, "me", "test", ALARM)))
        await until(Blocked.waiting.is_set)
        assert house.decider.engine.last_id > 0  # decided, and not told
        assert house.decider.committed_id == 0 and not house.wire.sent
        assert not looking.done() and not asking.done()
        Blocked.go.set()
        (answer,) = await house.answered(1)
        assert node.hear(answer)[2].base == 0
        assert (await looking).entry <= house.decider.committed_id
        assert (await asking).outcome is Outcome.DONE
    assert entries_of(tmp_path, EntryKind.REPORT) == 1


async def test_a_group_that_cannot_be_kept_has_not_happened(tmp_path: Path) -> None:
    async with running(tmp_path, kind=Failing) as house:
        node = WireNode(KEYS[0])
        await house.hand_in(node.say_health(0))
        await house.answered(1)
        before, windows = snapshot.take(house.decider.engine), house.journal.windows()
        house.journal.failures = 1
        await house.hand_in(node.flag(1))
        await until(lambda: house.counted("message_taken_back"))
        assert not house.decider.accepting
        assert snapshot.take(house.decider.engine) == before and house.journal.windows() == windows
        await house.hand_in(node.flag(1))
        answers = await house.answered(2)
        assert [node.hear(a)[2].base for a in answers] == [0, 1]
        assert house.decider.accepting
        assert house.refreshed.count(True) == 1  # the plant is asked for again, as it may be part of the group
    assert entries_of(tmp_path, EntryKind.REPORT) == 2
    assert len(raised_in(tmp_path)) == 1


@pytest.mark.parametrize("learns", [False, True])
async def test_whether_each_acknowledgement_of_an_anomaly_lets_learn_is_configured_and_journalled(
    tmp_path: Path, learns: bool
) -> None:
    async with running(tmp_path) as house:
        house.decider.tune(0, 1000, acknowledged_learns=learns)
        node = WireNode(KEYS[0])
        await house.hand_in(node.flag())
        await house.answered(1)
        await house.hand_in(node.say(Flag(9, 0, 0, 7, 0)))
        await house.answered(2)
        ask = house.decider.command
        kinds = CommandKind.SHELVE, CommandKind.ACKNOWLEDGE
        shelved, faulty = [
            Command(kind, "me", "opcua 127.0.0.1", alarm, comment="why", until_ms=house.clock.now_ms() + 60_000)
            for kind, alarm in zip(kinds, (ALARM, "node/n1/sensor_fault"), strict=True)
        ]
        assert [(await ask(command)).outcome for command in (shelved, faulty)] == [Outcome.DONE] * 2
        assert not any(node.learn_from for node in house.decider.engine.nodes.nodes.values())
        (event,) = [a.event for a in (await house.decider.view()).alarms if str(a.alarm) == ALARM]
        by_event = Command(CommandKind.ACKNOWLEDGE, "", "modbus 127.0.0.1", event=event)
        assert (await ask(by_event)).outcome is Outcome.DONE
        assert all(bool(node.learn_from) is learns for node in house.decider.engine.nodes.nodes.values())
    reader = Reader.open(tmp_path)
    commands = [decode(r.kind, r.version, r.body) for r in reader.read(0, 1000) if r.kind == EntryKind.COMMAND]
    reader.close()
    assert [c.command.learn for c in commands if isinstance(c, Commanded)] == [False, False, learns]


async def test_commands_and_marks_of_a_failed_group_are_refused_and_views_are_of_the_durable_state(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, kind=Failing) as house:
        first = await house.decider.view()
        house.journal.failures = 10**6
        result = await house.decider.command(Command(CommandKind.ACKNOWLEDGE, "me", "test", ALARM))
        assert result.outcome is Outcome.REFUSED and "full, says the test" in result.detail
        with pytest.raises(JournalFull):
            await house.decider.keep("output/x/fifo", 3)
        await house.hand_in(WireNode(KEYS[0]).flag())
        assert (await house.decider.view()).entry == first.entry
        house.journal.failures = 0
        await house.decider.keep("output/x/fifo", 4)
        assert house.journal.marks()["output/x/fifo"] == 4
        assert house.counted("commit_failed") >= 3


async def test_a_configuration_is_in_force_with_its_marks_or_not_at_all(tmp_path: Path) -> None:
    other = plant(quiet_ms=1)
    async with running(tmp_path, kind=Failing) as house:
        await house.decider.view()
        first, before = house.decider.configured, snapshot.take(house.decider.engine)
        assert isinstance(house.journal, Failing) and first == Configured(house.plant)

        def in_force() -> Configured:
            house.plant = other
            return Configured(other, "a = 1", ("link a: started",))

        house.journal.failures = 1
        with pytest.raises(JournalFull):
            await house.decider.configure(in_force, {"event/a": 7})
        house.plant = plant()
        assert house.decider.configured == first and snapshot.take(house.decider.engine) == before
        assert "event/a" not in await house.decider.marks()
        await house.decider.configure(in_force, {"event/a": 7})
        assert house.decider.configured == in_force() and house.decider.engine.plant == other
        house.decider.mark("event/b", 8)
        marks = await house.decider.marks()
        assert (marks["event/a"], marks["event/b"]) == (7, 8)
    async with running(tmp_path, other) as house:
        assert house.decider.configured == in_force()
    assert entries_of(tmp_path, EntryKind.CONFIGURED) == 2


async def test_what_nobody_hands_in_again_survives_failed_commits(tmp_path: Path) -> None:
    the_plant = plant("pump-host", {"pump-host": MODEL})
    async with running(tmp_path, the_plant, Failing) as house:
        house.journal.failures = 2  # of the first entries of all: configuration and start
        await house.decider.put(Started("test"))
        await until(lambda: house.decider.committed_id >= 1)
        assert house.decider.engine.plant == the_plant
        await house.hand_in(WireNode(KEYS[0]).flag(0, 1, 2, 3))
        await house.answered(1)
        (window,) = house.decider.engine.waiting
        house.journal.failures = 3
        await house.decider.put(Scored(window, 900, 100, MODEL))
        await until(lambda: house.decider.committed_id >= window + 1)
        assert not house.decider.engine.waiting and house.counted("commit_failed") == 5
    assert [entries_of(tmp_path, kind) for kind in (EntryKind.CONFIGURED, EntryKind.STARTED, EntryKind.SCORE)] == [
        1, 1, 1,
    ]  # fmt: skip


async def test_it_ends_on_a_full_disk_too(tmp_path: Path) -> None:
    async with running(tmp_path, kind=Failing) as house:
        await house.decider.view()
        house.journal.failures = 10**6
        await house.hand_in(WireNode(KEYS[0]).flag())
        await until(lambda: house.counted("commit_failed"))
    assert entries_of(tmp_path, EntryKind.REPORT) == 0


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)


async def test_a_disk_that_is_really_full_loses_nothing_and_takes_up_again(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        await house.hand_in(node.flag())
        await house.answered(1)
        with files_no_larger_than((tmp_path / "journal.sqlite3-wal").stat().st_size):
            await house.hand_in(node.flag(1))
            await until(lambda: house.counted("message_taken_back"))
            with pytest.raises(JournalFull):
                await house.decider.prune(Limits(age_ms=0), aged=True)
        assert len(house.wire.sent) == 1
        await house.hand_in(node.flag(1))
        assert node.hear((await house.answered(2))[1])[2].base == 1
    assert entries_of(tmp_path, EntryKind.REPORT) == 2


async def test_a_message_sent_again_is_acknowledged_again_and_acted_on_once(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        for count in (1, 2):
            await house.hand_in(node.flag(5))
            assert node.hear((await house.answered(count))[-1])[2].base == 5
        assert [house.verdicts(v) for v in ("accepted", "resent")] == [1, 1]
    async with running(tmp_path) as house:  # and over a restart
        await house.hand_in(node.flag(5))
        (answer,) = await house.answered(1)
        assert node.hear(answer)[1] >= 2  # a partial IV of its own
        assert house.verdicts("resent") == 1
    assert entries_of(tmp_path, EntryKind.REPORT) == 1
    assert len(raised_in(tmp_path)) == 1


async def test_raw_samples_are_journalled_and_decide_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        for count, seq in ((1, 3), (2, 4)):
            await house.hand_in(node.say(Sampled(seq, 0, 1, 0, 1, 1, 0, bytes(64))))
            assert node.hear((await house.answered(count))[-1])[2].base == seq
        await house.hand_in(node.say(Sampled(4, 1, 1, 0, 1, 1, 0, bytes(64))))
        await house.answered(3)
        assert [house.verdicts("accepted"), house.verdicts("resent")] == [2, 1]
        await house.hand_in(node.say(LearnerState(5, 0, 0, 1, b"learned")))
        await house.answered(4)
        before = house.decider.engine.ledger.event
    assert before == 0 and entries_of(tmp_path, EntryKind.REPORT) == 3


async def test_refused_frames_are_counted_by_name_and_not_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        node = WireNode(KEYS[0])
        good = node.flag()
        for frame in (b"x", good[:-1] + b"\0", good, good):
            await house.hand_in(frame)
        await house.hand_in(WireNode(type(KEYS[0])("x", bytes([9] * 4), b"s" * 16, 0, 0)).flag())
        await house.decider.view()
        assert [house.verdicts(*v) for v in (
            ("malformed", ""), ("bad_tag", ""), ("accepted",), ("replayed",), ("unknown_node", ""),
        )] == [1, 1, 1, 1, 1]  # fmt: skip
        assert len(await house.answered(1)) == 1


async def test_the_state_after_a_crash_is_that_before_it(tmp_path: Path) -> None:
    async with running(tmp_path, snapshot_entries=5, graceful=False) as house:
        node = WireNode(KEYS[0])
        for count in range(60):
            await house.hand_in(node.flag())
            await house.answered(count + 1)
        await house.decider.command(Command(CommandKind.ACKNOWLEDGE, "me", "test", ALARM))
        state = snapshot.take(house.decider.engine)
    reader = Reader.open(tmp_path)
    began = resume(reader)
    engine, began_at = began.engine, began.snapshot
    assert snapshot.take(engine) == state
    assert 0 < began_at < engine.last_id  # a snapshot, then entries
    assert replay(reader).different == []
    reader.close()
    async with running(tmp_path, graceful=False) as house:
        assert snapshot.take(house.decider.engine) == state


async def test_a_graceful_end_keeps_marks_and_a_snapshot(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.hand_in(WireNode(KEYS[0]).flag())
        await house.answered(1)
        house.decider.mark("cursor/mqtt", 17)
        state = house.decider.engine
    reader = Reader.open(tmp_path)
    assert reader.marks()["cursor/mqtt"] == 17
    kept = reader.newest_snapshot(ENGINE_VERSION)
    assert kept == (state.last_id, snapshot.take(state))
    reader.close()


async def test_marks_become_durable_without_any_entry_and_in_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decider_module, "MARKS_S", 0.05)
    commits: list[Group] = []

    class Noting(Journal):
        def commit(self, group: Group) -> None:
            commits.append(group)
            super().commit(group)

    async with running(tmp_path, kind=Noting) as house:
        await house.decider.view()
        commits.clear()
        for cursor in range(1, 6):
            house.decider.mark("cursor/mqtt", cursor)
            house.decider.mark("cursor/opcua", cursor)
        await until(lambda: house.journal.marks().get("cursor/mqtt") == 5)
        assert len(commits) == 1 and commits[0].marks == {"cursor/mqtt": 5, "cursor/opcua": 5}


async def test_a_deadline_brings_a_tick_by_itself_and_no_more_than_needed(tmp_path: Path) -> None:
    the_plant = plant("pump-host", {"pump-host": MODEL}, deadline_ms=200)
    turns = 0
    async with running(tmp_path, the_plant) as house:
        gather = house.decider._gather

        async def counted() -> list[object]:
            nonlocal turns
            turns += 1
            return await gather()

        house.decider._gather = counted  # type: ignore[method-assign]
        await house.hand_in(WireNode(KEYS[0]).flag(0, 1, 2, 3))
        await until(lambda: house.decider.engine.waiting)
        await until(lambda: not house.decider.engine.waiting)
    assert entries_of(tmp_path, EntryKind.TICK) >= 1
    assert turns < 10
    assert len(raised_in(tmp_path)) == 1  # the claim stands


async def test_prune_never_goes_past_the_newest_snapshot(tmp_path: Path) -> None:
    async with running(tmp_path, snapshot_entries=10**6, graceful=False) as house:
        node = WireNode(KEYS[0])
        for count in range(5):
            await house.hand_in(node.flag())
            await house.answered(count + 1)
        await house.decider.prune(Limits(age_ms=-DAY_MS), aged=True)  # no snapshot yet: every entry is needed
        assert not house.counted("entries_let_go")
    async with running(tmp_path) as house:
        await house.decider.pulse()
        await house.decider.prune(Limits(age_ms=-DAY_MS), aged=True)
        assert house.counted("entries_let_go")
        state = snapshot.take(house.decider.engine)
    journal = Journal.open(tmp_path)
    assert snapshot.take(present(journal)) == state
    journal._db.execute("DELETE FROM snapshots")
    journal._db.execute("DELETE FROM anchors")
    with pytest.raises(HistoryUnreadable, match="are gone"):
        present(journal)
    journal.close()


async def test_a_changed_plant_is_an_entry_before_what_is_decided_on_it(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.decider.view()
        house.plant = plant(quiet_ms=1)
        await house.hand_in(WireNode(KEYS[0]).flag())
        await house.answered(1)
    reader = Reader.open(tmp_path)
    kinds = [row.kind for row in reader.read(0, 10)]
    reader.close()
    assert kinds[:3] == ["config", "config", "report"]


async def test_time_never_falls_over_a_restart(tmp_path: Path) -> None:
    ahead_ms = 4_000_000_000_000
    async with running(tmp_path, clock=Clock(ahead_ms)) as house:
        await house.hand_in(WireNode(KEYS[0]).flag())
        await house.answered(1)
    async with running(tmp_path) as house:
        await house.hand_in(WireNode(KEYS[1]).flag(), "n2")
        await house.answered(1)
        assert house.journal.last_at_ms >= ahead_ms


@pytest.mark.parametrize("failures", [0, 2])
async def test_time_that_did_not_pass_is_no_silence_of_a_node(tmp_path: Path, failures: int) -> None:
    offset_ms = 0
    clock = Clock(wall_ns=lambda: time.time_ns() + offset_ms * 1_000_000)
    async with running(tmp_path, kind=Failing, clock=clock) as house:
        node, other = WireNode(KEYS[0]), WireNode(KEYS[1])
        await house.hand_in(node.birth(0))
        await house.hand_in(other.birth(0), "n2")
        await house.answered(2)
        offset_ms = DAY_MS
        assert isinstance(house.journal, Failing)
        house.journal.failures = failures
        flag = node.flag(1)
        while house.verdicts("accepted") < 2 or len(house.wire.sent) < 3:
            await house.hand_in(node.flag(1) if failures else flag)
            await asyncio.sleep(0.01)
        alarms = (await house.decider.view()).alarms
        assert "node/n2/node_lost" not in {str(change.alarm) for change in alarms}
        assert house.counted("clock_leapt") == 1
    assert entries_of(tmp_path, EntryKind.STARTED) == 1
