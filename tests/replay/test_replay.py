"""Every release's journal decides alike today, byte for byte, and still tells its reasons."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.core.entry import EntryKind
from gateway.core.update import AlarmChange, IncidentChange, TagChange, decode_decision, decode_updates
from gateway.runtime import history
from gateway.store import schema
from gateway.store.audit import audit
from gateway.store.journal import FILE_NAME
from gateway.store.reader import Reader
from tests.core.plants import MODEL
from tests.replay.make_journal import DIGESTS, HERE

RELEASES = sorted(path for path in HERE.glob("release-*") if (path / FILE_NAME).is_file())

ADDED_AFTER = {"release-0.1.0": {EntryKind.NOTICED, EntryKind.POSTED, EntryKind.OFFERED, EntryKind.LEARNED}}
"""Kinds of entries that the release did not have."""


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request) -> Path:
    return request.param


@pytest.fixture
def copy(release, tmp_path) -> Path:
    shutil.copy(release / FILE_NAME, tmp_path)
    schema.open_writer(tmp_path / FILE_NAME).close()  # as the first start of a newer gateway does
    return tmp_path


@pytest.fixture
def reader(copy):
    reader = Reader.open(copy)
    yield reader
    reader.close()


def test_there_is_a_journal_to_replay():
    assert RELEASES


@pytest.mark.parametrize("seed", ["0", "1"])
def test_byte_identical_in_another_process(release, copy, seed):
    script = (
        "import pathlib, sys; from tests.replay.make_journal import digests; print(digests(pathlib.Path(sys.argv[1])))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, copy],
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == (release / DIGESTS).read_text(encoding="utf-8").strip()
    assert ran.stdout.count("different []") == 2


def test_a_single_byte_of_a_decision_is_noticed(copy):
    db = sqlite3.connect(copy / FILE_NAME)
    ((entry, kept),) = db.execute("SELECT entry, updates FROM decisions ORDER BY entry DESC LIMIT 1").fetchall()
    db.execute("UPDATE decisions SET updates = ? WHERE entry = ?", (kept[:-2] + b"\x00" + kept[-1:], entry))
    db.commit()
    db.close()
    reader = Reader.open(copy)
    assert history.replay(reader).different == [entry]
    reader.close()


def test_the_chain_holds(copy):
    """But for the seals of events: those need the key, which is gone."""
    assert [fault.what for fault in audit(copy).faults if "no seal" not in fault.what] == []


def test_every_event_carries_its_update(reader):
    decided = {
        update.event: update
        for _, data in reader.decisions(0, 10_000)
        for update in decode_decision(data)
        if not isinstance(update, TagChange)
    }
    kept = {number: decode_updates(body) for number, _, body in reader.events(0, 10_000)}
    assert kept == {number: [update] for number, update in decided.items()}
    assert kept


def test_the_script_has_everything(release, reader):
    rows = reader.read(0, 10_000)
    assert {row.kind for row in rows} == {str(kind) for kind in EntryKind} - ADDED_AFTER[release.name]
    updates = [u for _, data in reader.decisions(0, 10_000) for u in decode_decision(data)]
    assert {str(u.transition) for u in updates if isinstance(u, AlarmChange)} == {
        "raised", "returned", "acknowledged", "shelved", "unshelved", "out_of_service", "in_service", "revised",
    }  # fmt: skip
    assert {str(u.transition) for u in updates if isinstance(u, IncidentChange)} >= {"opened", "grown", "closed"}
    assert {u.quality.name for u in updates if isinstance(u, TagChange)} >= {
        "GOOD", "STALE", "RESTARTED", "UNSCORED", "NO_DATA", "LOST", "SENSOR", "CONFIGURATION",
    }  # fmt: skip


def test_the_reasons_of_an_incident(reader):
    steps = history.explain(reader, 1)
    opened = steps[0]
    assert isinstance(opened.change, IncidentChange)
    assert (opened.change.transition, opened.change.assets) == ("opened", ("pump",))
    assert opened.configuration == 2
    assert opened.plant.assets["pump"].rule.k == 2
    assert {ground.verdict.node for ground in opened.ground} == {"a", "b"}
    confirmed = next(ground for ground in opened.ground if ground.scored)
    assert (confirmed.scored.value, confirmed.scored.model) == (180, MODEL)
    assert confirmed.report.message.features.values == (1, 2, 3)
    actors = {step.change.actor for step in steps if isinstance(step.change, AlarmChange)}
    assert "ann" in actors


def test_every_incident_can_be_explained(reader):
    numbers = {
        u.incident for _, data in reader.decisions(0, 10_000) for u in decode_decision(data)
        if isinstance(u, IncidentChange)
    }  # fmt: skip
    for number in numbers:
        assert {step.plant.site for step in history.explain(reader, number)} == {"works"}


def test_what_the_journal_does_not_hold(reader):
    with pytest.raises(history.HistoryUnreadable, match="no incident 4711"):
        history.explain(reader, 4711)
