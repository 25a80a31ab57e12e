"""A gateway restored from a backup, and nodes that slept with the old downward counter: no visit is needed."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from gateway.store.backup import make
from gateway.store.reader import Reader
from gateway.store.restore import DAY_MS, FIRST_DAY, restore
from gateway.wire.envelope import Cipher
from gateway.wire.keys import NodeKeys
from gateway.wire.messages import Ack, encode
from tests.faults.gateway import Gateway
from tests.faults.protocol import Mote, dead, listening, prepared, reports
from tests.nodes.conftest import library, node_build  # noqa: F401 - fixtures
from tests.nodes.core_types import VERDICTS

BAD_TAG = VERDICTS.index("bad_tag")


class Box:
    """A gateway whose state is backed up and restored while its nodes sleep."""

    def __init__(self, folder: Path) -> None:
        self.gateway = prepared(folder, 1)
        self._file = folder / "backup.tar"
        self.made_ms = 0

    async def begin(self) -> None:
        await listening(self.gateway)

    def back_up(self) -> None:
        self.made_ms = time.time_ns() // 1_000_000
        make(
            self.gateway.state_dir, self.gateway.config, self._file, release="test", now_ms=self.made_ms,
            progress=lambda done, total: None,
        )  # fmt: skip

    @property
    def day(self) -> int:
        """On which the backup was made, as an epoch counts it."""
        return self.made_ms // DAY_MS - FIRST_DAY

    async def restore(self, days_later: int = 0) -> int:
        """The old box is gone; a new one starts from the backup. Returns its epoch."""
        await self.gateway.end()
        shutil.rmtree(self.gateway.state_dir)
        now_ms = self.made_ms + days_later * DAY_MS
        restored = restore(self._file, self.gateway.state_dir, self.gateway.config, now_ms=now_ms)
        await self.begin()
        return restored.epoch


def epochs(mote: Mote) -> list[int]:
    """Those that the node has followed, in order."""
    return [value for event, value in mote.station.events if event == "epoch"]


def answered_by(mote: Mote) -> set[int]:
    """The epochs of the answers since they were last forgotten."""
    return {epoch for epoch, _ in mote.station.acks}


def in_journal(gateway: Gateway) -> set[int]:
    return {report.seq for report in reports(gateway)}


async def test_sleeping_nodes_follow_every_restore_without_a_visit(tmp_path: Path, library) -> None:  # noqa: F811
    box = Box(tmp_path)
    await box.begin()
    try:
        mote = Mote(library, box.gateway.keys[0], box.gateway.ports.udp)
        mote.wake(3)
        box.back_up()
        mote.wake(5)  # downward numbers that the backup knows nothing of
        assert answered_by(mote) == {0}
        for days in (0, 3):  # the second time from the same backup
            epoch = await box.restore(days)
            assert epoch == box.day + days
            mote.station.said.clear()
            mote.station.acks.clear()
            mote.wake(3)
            mote.deliver()
            assert answered_by(mote) == {epoch}
            assert {message.seq for message in mote.station.said} <= in_journal(box.gateway)
        assert epochs(mote) == [box.day, box.day + 3]

        mote.station.up = dead
        mote.wake(2)
        waiting = mote.node.flush()
        keys = NodeKeys(mote.key.kid, mote.key.secret)
        for old in (0, box.day, box.day + 2):
            forged = Ack((mote.station.said[-1].seq - 31) & 0xFFFF, 2**32 - 1, 0, 0, 0, False)
            mote.station.events.clear()
            mote.station.inbox.append(Cipher.down(keys, old).seal(100_000, encode(forged)))
            assert mote.node.flush() == waiting, f"an Ack of epoch {old} was believed"
            assert ("refused", BAD_TAG) in mote.station.events
        mote.station.close()
    finally:
        await box.gateway.end()


async def test_a_gateway_that_is_behind_its_nodes_goes_above_them_with_their_birth(tmp_path: Path, library) -> None:  # noqa: F811
    """Its clock was wrong when it was restored again: the nodes already follow a higher epoch."""
    box = Box(tmp_path)
    await box.begin()
    try:
        mote = Mote(library, box.gateway.keys[0], box.gateway.ports.udp)
        mote.wake(2)
        box.back_up()
        assert await box.restore(days_later=5) == box.day + 5
        mote.wake(2)
        assert await box.restore(days_later=0) == box.day
        mote.station.said.clear()
        mote.wake()
        assert mote.node.flush() > 0, "an answer of a lower epoch was believed"
        mote.node.reboot()
        mote.wake(2)
        mote.deliver()
        assert epochs(mote) == [box.day + 5, box.day + 6]
        assert {message.seq for message in mote.station.said} <= in_journal(box.gateway)
        assert await box.gateway.end() == 0
        reader = Reader.open(box.gateway.state_dir)
        assert reader.marks()["epoch"] == box.day + 6
        reader.close()
        mote.station.close()
    finally:
        await box.gateway.end()
