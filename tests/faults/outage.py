"""The broker of the MQTT output goes away: for a moment, silently, or for longer than the disk's bound allows. Or it is
the broker through which the nodes report.
"""

from __future__ import annotations

import signal
from pathlib import Path

from gateway.store.reader import Reader
from tests.faults.accountant import Account
from tests.faults.consumers import gaps
from tests.faults.scene import KEEP_EVENTS, Scene, scene

MEANWHILE = 30  # events
NODES, WAKE_MS, LONG_S = 16, 100, 100.0  # of the outage that is too long
SHORT_LIVED = "keep_days = 0.00006\nsnapshot_entries = 100"  # entries are let go after 5 s, behind a snapshot
WAITING = 8  # messages that each node must have and cannot get rid of, before its broker comes back


async def killed(folder: Path, times: int) -> Account:
    """Killed and started again, with alarms all the while."""
    async with scene(folder) as stage:
        for _ in range(times):
            await stage.broker.stop(signal.SIGKILL)
            await stage.events(MEANWHILE)
            await stage.broker.start()
            await stage.events(MEANWHILE)
        return await stage.settle()


async def holding(folder: Path) -> Account:
    """It keeps its connections and does nothing, for longer than the output waits; then goes on."""
    async with scene(folder) as stage:
        stage.broker.send_signal(signal.SIGSTOP)
        await stage.until(lambda: "output down" in stage.gateway.tail(), "end of patience")
        await stage.events(MEANWHILE)
        stage.broker.send_signal(signal.SIGCONT)
        return await stage.settle()


async def longer_than_the_disk(folder: Path, keep_events: int | None = None) -> tuple[Account, int]:
    """Away until the journal has let go of the entries of what happened; the gateway is killed in between. The account,
    and how many events the gateway says to have given up: none, unless `keep_events` is passed.
    """
    kept = keep_events or KEEP_EVENTS
    async with scene(folder, nodes=NODES, wake_ms=WAKE_MS, journal=SHORT_LIVED, keep_events=kept) as stage:
        stage.watch()
        await stage.broker.stop()
        await stage.events((keep_events or 0) + MEANWHILE, timeout_s=LONG_S)
        for how in (signal.SIGTERM, signal.SIGKILL):  # a start is where the journal can be cut
            await stage.gateway.end(how)
            await stage.gateway.start()
            await stage.hearing()
        await _pruned(stage, events=keep_events is not None)
        await stage.broker.start()
        account = await stage.settle()
        return account, sum(gap["last_event"] - gap["first_event"] + 1 for gap in gaps(stage.stream))


async def of_the_nodes(folder: Path, times: int) -> Account:
    """The nodes' own broker is killed, with all that was under way in it, and stays away until every node has news that
    it cannot get rid of.
    """
    async with scene(folder, over_broker=True) as stage:
        assert stage.field_broker
        for _ in range(times):
            await stage.events(MEANWHILE)
            await stage.field_broker.stop(signal.SIGKILL)
            await stage.until(lambda: min(stage.storm.waiting()) >= WAITING, "news that waits at every node")
            await stage.field_broker.start()
            await stage.hearing()
        return await stage.settle()


async def _pruned(stage: Scene, *, events: bool) -> None:
    """Wait until the oldest entries are gone, or the oldest events."""

    def first() -> int:
        reader = Reader.open(stage.gateway.state_dir)
        try:
            return int(reader.events(0, 1)[0][0]) if events else reader.first_id
        finally:
            reader.close()

    await stage.until(lambda: first() > 1, "pruning")


async def all_of_them(folder: Path, times: int) -> Account:
    """Every kind of outage, one after the other."""
    accounts = [await killed(folder / "killed", times), await holding(folder / "holding")]
    accounts.append(await of_the_nodes(folder / "nodes", times))
    accounts.append((await longer_than_the_disk(folder / "longer"))[0])
    return Account.sum(accounts)
