"""`kill -9` of the gateway at random moments under a storm of alarms, again and again in one journal: sensors fail, and
motors go wrong, so that incidents open on flags of k of n nodes, are scored again, and close. Snapshots are as frequent
as may be, a share of the kills waits for one, and in the second half entries and events are let go meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

from tests.faults import accountant
from tests.faults.accountant import Account
from tests.faults.scene import Scene, scene
from tests.system.plants import first_models

STARTING = 0.25  # share of kills that come while the gateway is still starting
STARTING_S, RUNNING_S = 4.0, 1.5
IN_SNAPSHOT = 0.15  # share of those that come when a snapshot is due
LOOK_S = 0.005
SNAPSHOT_S = 0.05  # and within so many seconds
SNAPSHOT_ENTRIES, KEEP_EVENTS = 100, 1000  # the least that may be configured
KEPT = f"snapshot_entries = {SNAPSHOT_ENTRIES}"
SHORT_LIVED = f"{KEPT}\nkeep_days = 0.0001\nkeep_events = {KEEP_EVENTS}"  # 8.6 s


async def kill_again_and_again(folder: Path, runs: int, seed: int = 1) -> Account:
    """Kill it `runs` times. Returns the account of the whole journal once everybody has caught up."""
    choose = random.Random(seed)
    async with scene(folder, models=first_models(), journal=KEPT) as stage:
        for run in range(runs):
            if run == runs // 2:
                stage.watch()
                stage.gateway.configure(SHORT_LIVED)  # the next start is with it
                stage.keep_events = KEEP_EVENTS
            await one_kill(stage, choose)
        await stage.pruned()
        return await stage.settle()


async def one_kill(stage: Scene, choose: random.Random) -> None:
    """Let it run or start for a while, kill it, and start it again at once."""
    moment = choose.random()
    if moment < STARTING:
        await asyncio.sleep(choose.uniform(0, STARTING_S))
    elif moment < STARTING + IN_SNAPSHOT:
        await stage.hearing()
        while not accountant.snapshot_due(stage.gateway.state_dir, SNAPSHOT_ENTRIES):
            assert stage.gateway.alive, stage.gateway.tail()
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(choose.uniform(0, SNAPSHOT_S))
    else:
        await stage.hearing()
        await asyncio.sleep(choose.uniform(0, RUNNING_S))
    await stage.gateway.end(signal.SIGKILL)
    await stage.gateway.start()
