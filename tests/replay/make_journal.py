"""Make the journal of a release: a fixed script, played through a real engine into a real journal.

    python -m tests.replay.make_journal VERSION

Run once for each release, and never again for it: what it wrote is what later releases have to decide alike. The key
that signed it is thrown away; reading needs the public half only, which is in the journal.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from gateway.core import entry as entries
from gateway.core import snapshot
from gateway.core.command import CommandKind
from gateway.core.engine import ENGINE_VERSION
from gateway.core.entry import Configured, Noticed
from gateway.core.plant import AlarmKind, Rule
from gateway.core.update import AlarmChange, IncidentChange, decode_decision, encode_updates
from gateway.runtime import history
from gateway.store.journal import FILE_NAME, Group, Journal, Row
from gateway.wire.messages import Result
from tests.core.plants import Bench, anomaly, birth, code_of, flag, health, ms, plant, window

HERE = Path(__file__).parent
DIGESTS = "digests.txt"
PUMP = str(anomaly("pump"))


def script(bench: Bench, keep: Journal) -> None:
    """A day at the works, and now and then what has happened is kept."""
    works = plant(model="m", on_delay_s=2, off_delay_s=5)
    bench.restarts(-1)
    bench.at(0, Configured(works))
    for index, node in enumerate("abcde"):
        bench.says(1 + index, node, birth(60))
        bench.says(2 + index, node, health(score=90 + index))
    commit(bench, keep)

    # Three claims: one confirmed, one refuted, one that hears nothing; the neighbour joins.
    for second, node in ((20, "a"), (21, "b"), (22, "c"), (40, "d"), (41, "e")):
        bench.says(second, node, flag(150, 64, features=True))
        entry = bench.entries[-1].id
        if node in "ad":
            bench.scored(second + 0.5, entry, 180)
        if node == "c":
            bench.scored(second + 0.5, entry, 60)
    bench.asks(50, CommandKind.ACKNOWLEDGE, PUMP, comment="on my way")
    bench.asks(51, CommandKind.SHELVE, str(anomaly("fan")), comment="door is open", until_s=120)
    bench.says(60, "a", Result(9, 0, 1, 0))
    bench.says(61, "b", window())
    bench.scored(62, bench.entries[-1].id, 0, failure="does not fit")
    commit(bench, keep)
    keep_snapshot(bench, keep)

    # Power cut; nodes come back late, one with a sensor that is stuck, and one not at all.
    bench.restarts(90)
    bench.says(95, "a", health())
    bench.says(96, "b", health(why=4))
    bench.says(128, "c", flag(140, 1, age_code=code_of(64)))
    bench.says(130, "d", birth(30))
    bench.until(500)
    commit(bench, keep)
    keep_snapshot(bench, keep)

    # The gateway itself: the disk is nearly full, and has room again.
    bench.at(501, Noticed(AlarmKind.JOURNAL_SPACE, True, ms(500), "12 MiB free"))
    bench.at(505, Noticed(AlarmKind.JOURNAL_SPACE, False, ms(504)))

    # Another configuration, data of the past, a node's claim alone.
    bench.at(510, Configured(plant({"pump": "abc", "fan": "de", "mill": "f"}, feeds={"mill": ("pump",)}, model="m")))
    bench.says(512, "a", flag(200, 65, age_code=code_of(480), features=True))
    bench.says(513, "b", flag(200, 65, age_code=code_of(480)))
    bench.asks(520, CommandKind.OUT_OF_SERVICE, PUMP, comment="overhaul")
    bench.flags((530, "a"), (531, "b"))
    bench.asks(540, CommandKind.IN_SERVICE, PUMP)
    bench.asks(541, CommandKind.UNSHELVE, PUMP)
    bench.at(550, Configured(plant({"pump": "ab", "mill": "f"}, rule=Rule(1, 30_000, 60_000))))
    bench.until(1000)
    commit(bench, keep)


def commit(bench: Bench, journal: Journal) -> None:
    """Keep what has happened since the last time, in groups as the gateway would."""
    new = [
        (entry, data) for entry, data in zip(bench.entries, bench.decisions, strict=True) if entry.id > journal.last_id
    ]
    for start in range(0, len(new), 7):
        rows, decisions, events = [], [], []
        for entry, data in new[start : start + 7]:
            kind, version, body = entries.encode(entry.body)
            rows.append(Row(entry.id, entry.at_ms, str(kind), version, body))
            if data != NOTHING:
                decisions.append((entry.id, data))
            for index, update in enumerate(decode_decision(data)):
                if isinstance(update, AlarmChange | IncidentChange):
                    events.append((update.event, entry.id, index, encode_updates([update])))
        journal.commit(Group(rows, decisions, events))


NOTHING = bytes.fromhex("828080")  # a decision without Updates and without Windows that wait


def keep_snapshot(bench: Bench, journal: Journal) -> None:
    journal.save_snapshot(bench.engine.last_id, ENGINE_VERSION, snapshot.take(bench.engine))


def digests(journal: Path) -> str:
    """What a replay says of the journal in a folder, from its beginning and from its oldest snapshot."""
    reader = history.Reader.open(journal)
    try:
        found = {"start": history.replay(reader), "snapshot": history.replay(reader, from_snapshot=True)}
    finally:
        reader.close()
    return "".join(
        f"{where} entries {f.first}..{f.last} decisions {f.decisions} different {f.different} sha256 {f.digest}\n"
        for where, f in found.items()
    )


def main(version: str) -> None:
    target = HERE / f"release-{version}"
    target.mkdir()  # fails where there is one: a release's journal is never made again
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder))
        script(Bench(), journal)
        journal.close()
        shutil.copy(Path(folder) / FILE_NAME, target)
        (target / DIGESTS).write_text(digests(Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
