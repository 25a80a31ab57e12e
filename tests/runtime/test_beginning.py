"""Where an engine begins after an upgrade: whatever the versions, the gateway starts and its numbers go on."""

from pathlib import Path

import pytest

from gateway.core import snapshot
from gateway.core.engine import ENGINE_VERSION
from gateway.core.entry import Configured
from gateway.core.update import AlarmState, IncidentChange, decode_updates
from gateway.runtime.beginning import configuration
from gateway.runtime.history import HistoryUnreadable, present, resume
from gateway.store.audit import audit
from gateway.store.journal import Journal
from gateway.store.reader import Reader
from gateway.store.retention import Limits
from tests.runtime.house import KEYS, WireNode, plant, running
from tests.runtime.test_history import tell_a_story

FAR_MS = 10**15


def rename_engine(folder: Path, version: str) -> None:
    """As if everything had been decided by another engine version."""
    journal = Journal.open(folder)
    for entry, state in journal._db.execute("SELECT entry, state FROM snapshots").fetchall():
        journal._db.execute("DELETE FROM snapshots WHERE entry = ?", (entry,))
        journal.save_snapshot(entry, version, state)
    journal.close()


def prune(folder: Path, *, snapshots: bool) -> None:
    """Cut off all that a snapshot covers, and the snapshots, too, unless they are to stay."""
    journal = Journal.open(folder)
    while journal.prune(Limits(age_ms=0), never_past=journal.last_id, now_ms=FAR_MS):
        pass
    assert journal.first_id > 1
    if not snapshots:
        journal._db.execute("DELETE FROM snapshots")
    journal.close()


async def test_the_state_of_another_engine_version_is_taken_over(tmp_path: Path) -> None:
    await tell_a_story(tmp_path)
    reader = Reader.open(tmp_path)
    state = snapshot.take(present(reader))
    rename_engine(tmp_path, "0")
    prune(tmp_path, snapshots=True)
    began = resume(reader)
    assert (snapshot.take(began.engine), began.snapshot, began.note) == (state, 0, "state_taken_over")
    reader.close()
    async with running(tmp_path, began.engine.plant) as house:
        assert house.counted("state_taken_over") == 1
        await house.decider.pulse()
        assert house.journal.newest_snapshot(ENGINE_VERSION)  # at once: the next start need not do it again
        await house.hand_in(WireNode(KEYS[1]).flag())
        await house.answered(1)
    assert audit(tmp_path).ok


async def test_without_any_snapshot_it_begins_anew_at_the_configuration_and_numbers_go_on(tmp_path: Path) -> None:
    await tell_a_story(tmp_path)
    reader = Reader.open(tmp_path)
    before = present(reader)
    (alarm,) = [change for change in before.present_alarms() if not change.acknowledged]
    assert alarm.state is AlarmState.UNACKNOWLEDGED
    prune(tmp_path, snapshots=False)
    began = resume(reader)
    assert began.note == "history_restarted"
    assert began.engine.plant == before.plant
    (kept,) = began.engine.present_alarms()
    assert (kept.alarm, kept.state) == (alarm.alarm, AlarmState.RETURNED)  # a person still has to see it
    async with running(tmp_path, before.plant) as house:
        assert house.counted("history_restarted") == 1
        node = WireNode(KEYS[1])
        await house.hand_in(node.flag())
        await house.answered(1)
    events = [(n, update) for n, _, body in reader.events(0, 1000) for update in decode_updates(body)]
    assert [number for number, _ in events] == [update.event for _, update in events] == list(range(1, len(events) + 1))
    opened = [u.incident for _, u in events if isinstance(u, IncidentChange) and u.transition == "opened"]
    assert opened == [1, 2]
    reader.close()
    assert audit(tmp_path).ok
    async with running(tmp_path, before.plant) as house:
        assert house.counted("history_restarted") == 0


async def test_the_newest_configuration_is_known_wherever_the_journal_begins(tmp_path: Path) -> None:
    async with running(tmp_path) as house:
        await house.decider.configure(lambda: Configured(plant(), "a = 1", ("a: changed",)), {})
        for count in range(5):
            await house.hand_in(WireNode(KEYS[0], count).flag(count))
            await house.answered(count + 1)
        reader = Reader.open(tmp_path)
        assert configuration(reader) == Configured(plant(), "a = 1", ("a: changed",))  # nothing is signed yet
        reader.close()
    prune(tmp_path, snapshots=True)
    journal = Journal.open(tmp_path)
    assert journal.anchor() and configuration(journal) == Configured(plant(), "a = 1", ("a: changed",))
    journal._db.execute("UPDATE anchors SET body = x'00'")
    assert configuration(journal) is None
    journal.close()


def test_a_new_journal_has_no_configuration(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    assert configuration(journal) is None
    journal.close()


async def test_with_neither_snapshot_nor_configuration_it_says_so(tmp_path: Path) -> None:
    await tell_a_story(tmp_path)
    prune(tmp_path, snapshots=False)
    journal = Journal.open(tmp_path)
    journal._db.execute("DELETE FROM anchors")
    with pytest.raises(HistoryUnreadable, match="are gone"):
        resume(journal)
    journal.close()
