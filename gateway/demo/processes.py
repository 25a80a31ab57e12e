"""The demo's processes: broker, gateway and nodes, started in order and ended in reverse, each by its own id."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo.broker import broker, mqtt_version
from gateway.demo.plant import DemoNode, DemoPlant, Ports, configuration, tty
from gateway.runtime import control
from gateway.store.keys import NodeKey, Registry

START_S = 30.0
STOP_S = 10.0
CONFIG = "stethos.toml"


class DemoFailed(Exception):  # noqa: N818 - the world's or the operator's fault
    """A part of the demo did not start or ended early; the message says which, and where its log is."""


class House:
    """The gateway and the nodes of one plant, each of which can be ended and started again. Its folder holds the
    configuration, the gateway's state, each node's key and flash, and a log for each process.
    """

    def __init__(self, plant: DemoPlant, ports: Ports, folder: Path, node_program: Path) -> None:
        self.plant = plant
        self.ports = ports
        self.folder = folder
        self.config = folder / CONFIG
        self.state_dir = folder / "state"
        self.keys: dict[str, NodeKey] = {}
        self.nodes: dict[str, Process] = {}
        self.gateway: Process | None = None
        self._program = node_program

    def prepare(self, config: str) -> None:
        """A fresh state with this configuration, and a key for each node. Raises DemoFailed."""
        if not self._program.is_file():
            raise DemoFailed(f"{self._program}: the node's program is not there; `make node` builds it")
        shutil.rmtree(self.state_dir, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(config, encoding="utf-8")
        registry = Registry.open(self.state_dir)
        try:
            now_ms = time.time_ns() // 1_000_000
            self.keys = {n.name: registry.add(n.name, now_ms=now_ms) for n in self.plant.nodes}
        finally:
            registry.close()
        for name, key in self.keys.items():
            key_file = self._file(name, "key")
            key_file.touch(mode=0o600)
            key_file.write_text(f"{key.kid.hex()} {key.secret.hex()}\n", encoding="ascii")
            self._file(name, "flash").unlink(missing_ok=True)

    async def start(self) -> None:
        """Everything, serial nodes first: their lines are there before the gateway opens them. Raises DemoFailed."""
        for node in self.plant.nodes:
            if node.link == "serial":
                await self.start_node(node.name)
        await self.start_gateway()
        for node in self.plant.nodes:
            if node.link != "serial":
                await self.start_node(node.name)

    async def start_gateway(self) -> None:
        """Returns when the gateway takes part in life. Raises DemoFailed."""
        command = (sys.executable, "-m", "gateway", "run", "-c", str(self.config))
        self.gateway = await self._spawn("gateway", command)
        log = self.folder / "gateway.log"
        try:
            async with asyncio.timeout(START_S):
                while not control.answers(self.state_dir):
                    if self.gateway.returncode is not None:
                        raise DemoFailed(f"the gateway ended at once, see {log}")
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise DemoFailed(f"the gateway is not ready after {START_S:.0f} s, see {log}") from error

    async def end_gateway(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Returns its exit code, 0 if there was nothing to end."""
        gateway, self.gateway = self.gateway, None
        return await _end(gateway, how) if gateway else 0

    async def start_node(self, name: str, *more: str) -> None:
        """A node that ran before goes on with its flash, as after a loss of power. `more` arguments come after those of
        the plant and win over them.
        """
        node = next(n for n in self.plant.nodes if n.name == name)
        key, flash = str(self._file(name, "key")), str(self._file(name, "flash"))
        command = (
            str(self._program), "--key-file", key, "--state", flash, "--link", self._link(node), "--listen-ms", "500",
            *node.arguments, *more,
        )  # fmt: skip
        self.nodes[name] = await self._spawn(f"node-{name}", command)

    async def end_node(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """SIGKILL is the battery that falls out."""
        await _end(self.nodes.pop(name), how)

    async def close(self) -> None:
        """End what runs, the nodes first."""
        await asyncio.gather(*(self.end_node(name) for name in list(self.nodes)))
        await self.end_gateway()

    def _file(self, node: str, suffix: str) -> Path:
        return self.folder / f"{node}.{suffix}"

    def _link(self, node: DemoNode) -> str:
        if node.link == "serial":
            return f"serial:{tty(self.folder, node.name)}"
        return f"{node.link}:127.0.0.1:{self.ports.udp if node.link == 'udp' else self.ports.mqtt}"

    async def _spawn(self, name: str, command: Sequence[str]) -> Process:
        """A child that adds to its own log; its session is its own, so that Ctrl-C is the demo's to handle."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


@asynccontextmanager
async def running(
    plant: DemoPlant, ports: Ports, folder: Path, node_program: Path, config: str | None = None
) -> AsyncIterator[House]:
    """A broker, the gateway and all nodes while the context lasts; `config` is the demo's own unless given. Raises
    DemoFailed or BrokerFailed.
    """
    house = House(plant, ports, folder, node_program)
    house.prepare(config or configuration(plant, ports, folder, mqtt_version()))
    async with broker(ports.mqtt):
        try:
            await house.start()
            yield house
        finally:
            await house.close()


async def _end(process: Process, how: signal.Signals) -> int:
    if process.returncode is None:
        process.send_signal(how)
    try:
        return await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        return await process.wait()
