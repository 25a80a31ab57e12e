"""The house of a bench: mosquitto, the gateway, and the three clients of mix M, each a real process on loopback."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.demo.plant import Ports
from gateway.store.keys import NodeKey
from tests.bench import processes
from tests.bench.carriers import Carrier, Mqtt, Udp
from tests.bench.fleet import Fleet
from tests.bench.plant import SITE, BenchPlant, make_models
from tests.bench.poller import Poller
from tests.bench.processes import Gateway
from tests.system.broker import mosquitto
from tests.system.clients import Line, Stream, streaming
from tests.system.plants import free_ports, metrics

SCORES_MS = 500
"""Publishing interval of the client that is subscribed to every score."""
BROKER = ("allow_anonymous true", "max_queued_messages 100000")
BUDGET = (
    f"{os.cpu_count()} cores for all: gateway, mosquitto, clients, generator; Python {platform.python_version()}, "
    f"{platform.python_compiler()}"
)
_MEMORY = Path("/dev/shm")


@dataclass(slots=True)
class House:
    """What runs, and where. `folder` holds configuration, state and logs; `messages` what the MQTT client got."""

    plant: BenchPlant
    ports: Ports
    folder: Path
    fleet: Fleet
    gateway: Gateway
    messages: Path
    scores: Stream | None = None
    poller: Poller | None = None
    pids: dict[str, int] = field(default_factory=dict)

    @property
    def keeps_messages(self) -> bool:
        """Whether the MQTT client's messages are kept, with the time of each."""
        return self.messages.is_file()

    def carrier(self, link: str) -> Carrier:
        """What the nodes send on."""
        return Udp(self.ports.udp) if link == "udp" else Mqtt(self.ports.mqtt, self.fleet.kids)

    def metrics(self) -> dict[tuple[str, ...], float]:
        """The gateway's, as Prometheus reads them."""
        return metrics(self.ports.metrics)

    def cpu_s(self) -> dict[str, float]:
        """CPU time so far of each process."""
        return {name: processes.cpu_s(pid) for name, pid in self.pids.items()}

    async def restart(self, how: signal.Signals) -> None:
        """End the gateway and start it again."""
        await self.gateway.end(how)
        await self.gateway.start()
        self.pids["gateway"] = self.gateway.pid

    async def seen(self) -> Line:
        """What the OPC UA client has got so far."""
        assert self.scores is not None
        before = len(self.scores.lines)
        self.scores.tell({})
        return await self.scores.first(lambda line: "values" in line, "counts", before)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on disk for the gateway's state, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="stethos-bench-") as folder:
        yield Path(folder)


def prepare(plant: BenchPlant, ports: Ports, folder: Path, links: Sequence[str], more: str = "") -> list[NodeKey]:
    """Configuration and keys. The registry is made in memory: it is durable node by node, which takes its time."""
    make_models()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stethos.toml").write_text(plant.configuration(ports, tuple(links), more), encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as quick:
        made = Path(quick) / "state"
        keys = plant.register(made)
        shutil.copytree(made, folder / "state")
    (folder / "state").chmod(0o700)
    return keys


@asynccontextmanager
async def running(
    plant: BenchPlant, *, link: str = "udp", clients: bool = True, keep_messages: bool = False,
    module: Sequence[str] = ("gateway",), more: str = "",
) -> AsyncIterator[House]:  # fmt: skip
    """Everything, while the context lasts. `clients`: those of mix M. `keep_messages`: with time and text."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(scratch())
        pid_file = folder / "mosquitto.pid"
        broker = await stack.enter_async_context(mosquitto(folder, lines=(*BROKER, f"pid_file {pid_file}")))
        ports = replace(free_ports(), mqtt=broker.port)
        keys = prepare(plant, ports, folder, (link,), more)
        memory = stack.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None))
        gateway = Gateway(folder / "stethos.toml", module)
        stack.push_async_callback(gateway.end)
        await gateway.start()
        messages = Path(memory) / "messages" if keep_messages else Path(os.devnull)
        house = House(plant, ports, folder, Fleet(keys), gateway, messages)
        house.pids = {"gateway": gateway.pid, "mosquitto": int(pid_file.read_text())}
        if clients:
            await _bring_clients(house, stack, keep_messages)
        yield house


async def _bring_clients(house: House, stack: AsyncExitStack, keep_messages: bool) -> None:
    """The three of mix M, or two where nobody can poll."""
    ports, plant = house.ports, house.plant
    subscriber = await _subscribe(ports.mqtt, house.messages, keep_messages)
    stack.push_async_callback(_end, subscriber)
    watch = ("-m", "tests.bench.watch_opcua", endpoint(ports), str(SCORES_MS), str(plant.nodes))
    house.scores = await stack.enter_async_context(streaming(sys.executable, *watch))
    ready = await house.scores.first(lambda line: "ready" in line, "subscription", timeout_s=120)
    if plant.modbus:
        house.poller = Poller(ports.modbus, plant.assets)
        stack.callback(house.poller.stop)
    house.pids |= {"mosquitto_sub": subscriber.pid, "opcua client": ready["pid"]}


def endpoint(ports: Ports) -> str:
    """Of the gateway's OPC UA server."""
    return f"opc.tcp://127.0.0.1:{ports.opcua}/stethos"


async def _subscribe(port: int, messages: Path, keep: bool) -> Process:
    form = ("-F", "%U %t %p") if keep else ()
    with messages.open("ab") as out:
        return await asyncio.create_subprocess_exec(
            "mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", f"stethos/{SITE}/#", *form,
            stdin=DEVNULL, stdout=out, stderr=DEVNULL,
        )  # fmt: skip


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()


async def settle(house: House, carrier: Carrier, seconds: float = 120.0) -> None:
    """Wait until nothing comes down any more and no Output is behind. TimeoutError if that does not happen."""
    end = time.monotonic() + seconds
    while (answers := carrier.answers()) or any(lags(house.metrics()).values()):
        house.fleet.answer(answers)
        if time.monotonic() > end:
            raise TimeoutError(f"still not settled after {seconds:.0f} s: {lags(house.metrics())}")
        await asyncio.sleep(0.5)


def lags(figures: dict[tuple[str, ...], float]) -> dict[str, float]:
    """Output -> how much it has not delivered yet, in its own measure (entries, events)."""
    return {key[1]: value for key, value in figures.items() if key[0].startswith("stethos_output_lag")}
