from pathlib import Path

import pytest

from gateway.core.entry import Report, Scored
from gateway.core.evidence import Basis
from gateway.core.update import AlarmChange, IncidentChange
from gateway.runtime.history import HistoryUnreadable, explain, replay
from gateway.store.journal import Journal
from gateway.store.reader import Reader
from gateway.store.retention import Limits
from tests.runtime.house import KEYS, WireNode, plant, running, until

MODEL = b"m" * 32


async def tell_a_story(folder: Path) -> None:
    """One node claims, the model confirms, an incident follows; many heartbeats around it."""
    the_plant = plant("pump-host", {"pump-host": MODEL})
    async with running(folder, the_plant, snapshot_entries=20) as house:
        node = WireNode(KEYS[0])
        for number in range(30):
            await house.hand_in(node.say_health(number))
        await house.hand_in(node.flag(30, 1, 2, 3))
        await until(lambda: house.decider.engine.waiting)
        (window,) = house.decider.engine.waiting
        await house.decider.put(Scored(window, 900, 100, MODEL))
        for number in range(31, 60):
            await house.hand_in(node.say_health(number))
        await until(lambda: house.verdicts("accepted") == 60)


async def test_an_incident_is_explained_by_its_windows_scores_models_and_configuration(tmp_path: Path) -> None:
    await tell_a_story(tmp_path)
    reader = Reader.open(tmp_path)
    steps = explain(reader, 1)
    with pytest.raises(HistoryUnreadable, match="no incident 2"):
        explain(reader, 2)
    reader.close()
    assert {type(step.change) for step in steps} == {AlarmChange, IncidentChange}
    assert all(step.configuration == 1 and step.plant.site == "works" for step in steps)
    grounds = [ground for step in steps for ground in step.ground]
    assert isinstance(grounds[0].report, Report) and grounds[0].verdict.node == "n1"
    assert grounds[0].verdict.basis is Basis.CLAIM  # so it was at that step; the Score came later, and is shown
    assert grounds[0].scored == Scored(grounds[0].verdict.entry, 900, 100, MODEL)


async def test_a_replay_gives_the_same_bytes_and_says_where_it_does_not(tmp_path: Path) -> None:
    await tell_a_story(tmp_path)
    journal = Journal.open(tmp_path)
    whole = replay(journal)
    assert (whole.first, whole.different) == (1, []) and whole.last == journal.last_id and whole.decisions > 0
    assert replay(journal).digest == whole.digest
    later = replay(journal, from_snapshot=True)
    assert later.different == [] and later.first > 1 and later.last == whole.last
    assert replay(journal, until=5).last == 5
    ((entry, data), *_) = journal.decisions(10, 1)
    journal._db.execute("UPDATE decisions SET updates = ? WHERE entry = ?", (data[:-1] + b"\x01", entry))
    assert replay(journal).different == [entry]
    journal._db.execute("DELETE FROM decisions WHERE entry = ?", (entry,))
    assert replay(journal).different == [entry]
    journal.close()


async def test_a_pruned_journal_says_so_where_it_holds_no_snapshot_to_begin_at(tmp_path: Path) -> None:
    await tell_a_story(tmp_path)
    journal = Journal.open(tmp_path)
    journal._db.execute("DELETE FROM snapshots WHERE entry = (SELECT max(entry) FROM snapshots)")
    while journal.prune(Limits(age_ms=0), never_past=journal.last_id, now_ms=10**15):
        pass
    assert journal.first_id > 1
    with pytest.raises(HistoryUnreadable):
        replay(journal)
    with pytest.raises(HistoryUnreadable):
        explain(journal, 1)
    journal.close()


def test_a_journal_without_entries_replays_to_nothing(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    found = replay(journal)
    assert (found.first, found.last, found.decisions, found.different) == (1, 0, 0, [])
    with pytest.raises(HistoryUnreadable, match="no snapshot"):
        replay(journal, from_snapshot=True)
    journal.close()
