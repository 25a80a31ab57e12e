"""The demo's processes: broker, gateway and nodes, started in order and ended in reverse, each by its own id."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from gateway.demo.broker import broker, mqtt_version
from gateway.demo.plant import DemoNode, DemoPlant, Ports, configuration, tty
from gateway.store.keys import NodeKey, Registry

START_S = 30.0
STOP_S = 10.0
CONFIG = "stethos.toml"


class DemoFailed(Exception):  # noqa: N818 - the world's or the operator's fault
    """A part of the demo did not start or ended early; the message says which, and where its log is."""


@asynccontextmanager
async def running(
    plant: DemoPlant, ports: Ports, folder: Path, node_program: Path
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """The whole demo while the context lasts; yields the nodes' processes. Raises DemoFailed or BrokerFailed."""
    keys = _prepare(plant, ports, folder, node_program)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(broker(ports.mqtt))
        nodes = [
            await stack.enter_async_context(_node(node, keys[node.name], ports, folder, node_program))
            for node in plant.nodes
            if node.link == "serial"  # the serial lines are there before the gateway opens them
        ]
        gateway = (sys.executable, "-m", "gateway", "run", "-c", str(folder / CONFIG))
        process = await stack.enter_async_context(_process("gateway", folder, gateway))
        await _until_ready(process, folder)
        for node in plant.nodes:
            if node.link != "serial":
                nodes.append(await stack.enter_async_context(_node(node, keys[node.name], ports, folder, node_program)))
        yield nodes


def _prepare(plant: DemoPlant, ports: Ports, folder: Path, node_program: Path) -> dict[str, NodeKey]:
    """A folder with a fresh state, the configuration, and a key for each node."""
    if not node_program.is_file():
        raise DemoFailed(f"{node_program}: the node's program is not there; `make node` builds it")
    shutil.rmtree(folder / "state", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(configuration(plant, ports, folder, mqtt_version()), encoding="utf-8")
    return _register(plant, folder / "state")


def _register(plant: DemoPlant, state_dir: Path) -> dict[str, NodeKey]:
    registry = Registry.open(state_dir)
    try:
        return {n.name: registry.add(n.name, now_ms=time.time_ns() // 1_000_000) for n in plant.nodes}
    finally:
        registry.close()


def _node(
    node: DemoNode, key: NodeKey, ports: Ports, folder: Path, program: Path
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    key_file, flash = folder / f"{node.name}.key", folder / f"{node.name}.flash"
    key_file.touch(mode=0o600)
    key_file.write_text(f"{key.kid.hex()} {key.secret.hex()}\n", encoding="ascii")
    flash.unlink(missing_ok=True)
    link = {
        "udp": f"udp:127.0.0.1:{ports.udp}",
        "mqtt": f"mqtt:127.0.0.1:{ports.mqtt}",
        "serial": f"serial:{tty(folder, node.name)}",
    }[node.link]
    command = (
        str(program), "--key-file", str(key_file), "--state", str(flash), "--link", link, "--listen-ms", "500",
        *node.arguments,
    )  # fmt: skip
    return _process(f"node {node.name}", folder, command)


@asynccontextmanager
async def _process(name: str, folder: Path, command: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child with its own log file; its session is its own, so that Ctrl-C is the demo's to handle."""
    with (folder / f"{name.replace(' ', '-')}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _until_ready(gateway: asyncio.subprocess.Process, folder: Path) -> None:
    """The control socket is there when the gateway takes part in life."""
    try:
        async with asyncio.timeout(START_S):
            while not (folder / "state" / "control.sock").exists():
                if gateway.returncode is not None:
                    raise DemoFailed(f"the gateway ended at once, see {folder / 'gateway.log'}")
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise DemoFailed(f"the gateway is not ready after {START_S:.0f} s, see {folder / 'gateway.log'}") from error
