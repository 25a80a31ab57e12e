"""`kill -9` of the gateway at random moments under a storm of alarms, again and again in one journal: sensors fail, and
motors go wrong, so that incidents open on flags of k of n nodes, are scored again, and close.
"""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

from tests.faults.accountant import Account
from tests.faults.scene import Scene, scene
from tests.system.plants import first_models

STARTING = 0.25  # share of kills that come while the gateway is still starting
STARTING_S, RUNNING_S = 4.0, 1.5


async def kill_again_and_again(folder: Path, runs: int, seed: int = 1) -> Account:
    """Kill it `runs` times. Returns the account of the whole journal once everybody has caught up."""
    choose = random.Random(seed)
    async with scene(folder, models=first_models()) as stage:
        for _ in range(runs):
            await one_kill(stage, choose)
        return await stage.settle()


async def one_kill(stage: Scene, choose: random.Random) -> None:
    """Let it run or start for a while, kill it, and start it again at once."""
    if choose.random() < STARTING:
        await asyncio.sleep(choose.uniform(0, STARTING_S))
    else:
        await stage.hearing()
        await asyncio.sleep(choose.uniform(0, RUNNING_S))
    await stage.gateway.end(signal.SIGKILL)
    await stage.gateway.start()
