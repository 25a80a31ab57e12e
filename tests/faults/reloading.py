"""SIGHUP in the middle of a storm: good files, and a bad one."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.faults.accountant import Account
from tests.faults.scene import Scene, scene
from tests.system.plants import free_ports

MEANWHILE = 20  # events after each


async def in_the_middle(folder: Path) -> tuple[Account, int]:
    """Another rule, then a file that is broken, then another link and other words, each while alarms come. The account,
    and how many OPC UA subscriptions were set up.
    """
    async with scene(folder) as stage:
        await stage.until(lambda: stage.scada.live, "OPC UA")
        config = stage.gateway.config
        good = config.read_text()
        await _reload(stage, good + "[rule]\nquiet_s = 60\n", "reloaded")
        subscriptions = len(stage.scada.sessions)
        await _reload(stage, good.replace("response_s", "answer_s"), "the configuration is refused")
        link = f'[[link]]\ntype = "udp"\nname = "second"\nbind = "127.0.0.1:{free_ports().udp}"\n'
        await _reload(stage, good + link, "reloaded")
        await _reload(stage, good.replace("is faulty", "is broken"), "reloaded")
        return await stage.settle(), subscriptions


async def _reload(stage: Scene, config: str, answer: str) -> None:
    stage.gateway.config.write_text(config)
    said = stage.gateway.log.read_text().count(answer)
    assert stage.gateway.process
    stage.gateway.process.send_signal(signal.SIGHUP)
    await stage.until(lambda: stage.gateway.log.read_text().count(answer) > said, answer)
    await stage.events(MEANWHILE)
