"""`stethos demo`: the whole house on loopback, with simulated or recorded machines."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import nullcontext
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from gateway.cli.options import faults_to_shell
from gateway.demo import judge, processes
from gateway.demo.broker import BrokerFailed
from gateway.demo.plant import DemoPlant, Ports, built_in, of_recordings
from gateway.demo.recordings import NoRecording, Replay, prepare
from gateway.demo.view import View
from gateway.runtime import logs
from gateway.training.dataset import DatasetBroken

NODE_PROGRAM = Path("build/node/stethos-node")
FOLDER = Path("build/demo")
MODELS = Path("build/models")
SETTLE_S = 3.0  # after the last node of a replay has ended: scores and outputs catch up


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="A folder of recordings.")
@click.option("--speed", type=click.FloatRange(0.1, 100), default=20, show_default=True, help="Of recordings.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
@click.option("--node-program", type=click.Path(path_type=Path), default=NODE_PROGRAM, show_default=True)
@click.option("--seconds", type=float, help="End after so long.")
@click.option("--mqtt-port", type=int, default=Ports.mqtt, show_default=True)
@click.option("--udp-port", type=int, default=Ports.udp, show_default=True)
@click.option("--modbus-port", type=int, default=Ports.modbus, show_default=True)
@click.option("--opcua-port", type=int, default=Ports.opcua, show_default=True)
@click.option("--metrics-port", type=int, default=Ports.metrics, show_default=True)
def demo(
    data: Path | None, speed: float, folder: Path, node_program: Path, seconds: float | None, mqtt_port: int,
    udp_port: int, modbus_port: int, opcua_port: int, metrics_port: int,
) -> None:  # fmt: skip
    """Run a broker, the gateway and C nodes on this machine, with a live view where there is a terminal."""
    logs.set_up("info", lambda logger, level: None)
    ports = Ports(mqtt_port, udp_port, modbus_port, opcua_port, metrics_port)
    with faults_to_shell():
        try:
            replay = None
            if data is None:
                if not MODELS.exists():
                    click.echo("Making the first models from the simulator ...")
                plant = built_in(MODELS)
            else:
                click.echo(f"Learning the healthy part of {data} ...")
                replay = prepare(data, folder / "recordings")
                plant = of_recordings(replay, folder, speed)
            asyncio.run(_show(plant, ports, folder, node_program, seconds, replay))
        except (BrokerFailed, NoRecording, DatasetBroken, processes.DemoFailed) as error:
            raise click.ClickException(str(error)) from error
    if replay is not None:
        click.echo("\n".join(judge.table(judge.summarise(replay, folder / "state"))))


async def _show(
    plant: DemoPlant, ports: Ports, folder: Path, node_program: Path, seconds: float | None, replay: Replay | None
) -> None:
    """Until Ctrl-C, the time is up, or the recordings have been played."""
    view = View(plant, ports, sys.argv[0], folder / processes.CONFIG)
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    console = Console()
    async with processes.running(plant, ports, folder, node_program) as house:
        for name, address in view.addresses():
            console.print(f"{name}: {address}", highlight=False, soft_wrap=True)
        live = Live(view.draw(), console=console, refresh_per_second=4) if console.is_terminal else None
        with live or nullcontext():
            follow = asyncio.create_task(view.follow(live))
            ends: list[asyncio.Task[object]] = [asyncio.create_task(stop.wait())]
            if replay is not None:
                ends.append(asyncio.create_task(_played(house)))
            done, _ = await asyncio.wait([follow, *ends], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in (follow, *ends):
                task.cancel()
            await asyncio.gather(follow, *ends, return_exceptions=True)
            if follow in done:
                follow.result()  # the view failed: say why
    click.echo("Everything is stopped.")


async def _played(house: processes.House) -> None:
    for node in house.nodes.values():
        await node.wait()
    await asyncio.sleep(SETTLE_S)
