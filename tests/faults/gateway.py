"""The gateway under test: a process of its own, with its folder and ports, killed and started again at will."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path

from gateway.demo import signing
from gateway.demo.plant import Ports
from gateway.runtime import control
from gateway.store.keys import NodeKey, Registry
from tests.faults.machine import HOST_BUNDLE, RULE
from tests.system.plants import free_ports, metrics, until

SITE = "works"
START_S = 60.0
STOP_S = 30.0
NODES_PER_ASSET = 4
MAIN = "from gateway.__main__ import main; main()"

HEAD = """\
[gateway]
site = "{site}"
state_dir = "state"
metrics = "127.0.0.1:{ports.metrics}"

[journal]
{journal}

[alarm.anomaly]
cause = "{{asset}} runs differently"
consequence = "Damage"
action = "Listen at {{asset}}"
priority = "high"
response_s = 3600

[alarm.node_lost]
cause = "{{node}} is silent"
consequence = "{{asset}} is watched by fewer nodes"
action = "Check the battery of {{node}}"
priority = "low"
response_s = 86400

[alarm.sensor_fault]
cause = "The sensor of {{node}} is faulty"
consequence = "{{asset}} is watched by fewer nodes"
action = "Exchange {{node}}"
priority = "medium"
response_s = 86400

[[link]]
type = "udp"
name = "wifi"
bind = "127.0.0.1:{ports.udp}"

[output.mqtt]
broker = "127.0.0.1:{ports.mqtt}"
timeout_s = 2

[output.modbus]
port = {ports.modbus}
writes = true

[output.opcua]
endpoint = "opc.tcp://127.0.0.1:{ports.opcua}/stethos"
none = true
anonymous = true
"""

ASSET = """
[[asset]]
name = "{name}"
area = "hall-1"
line = "line-1"
nodes = [{nodes}]
k = 2
"""


class Gateway:
    """`stethos run` in `folder`. `before` is Python that its process runs first, `env` is added to its environment;
    `models`: a folder of bundles by which it scores again what its nodes flag. `more`: tables of its configuration.
    """

    def __init__(
        self, folder: Path, nodes: int, *, ports: Ports | None = None, journal: str = "", before: str = "",
        env: Mapping[str, str] | None = None, models: Path | None = None, more: str = "",
    ) -> None:  # fmt: skip
        self.folder = folder
        self.ports = ports or free_ports()
        self.state_dir = folder / "state"
        self.config = folder / "stethos.toml"
        self.log = folder / "gateway.log"
        self.process: Process | None = None
        self._before = before
        self._env = dict(env or {})
        self._names = [f"n-{i}" for i in range(nodes)]
        self._models, self._more = models, more
        folder.mkdir(parents=True, exist_ok=True)
        self.configure(journal)
        self.keys = register(self.state_dir, self._names)

    def configure(self, journal: str) -> None:
        """Write its configuration with this table [journal]; in force from the next start on."""
        text = configuration(self.ports, self._names, journal, self._models) + self._more
        self.config.write_text(text, encoding="utf-8")

    async def start(self) -> None:
        """Returns as soon as the process exists."""
        assert self.process is None
        run = ["run", "-c", str(self.config)]
        command = ["-c", f"{self._before}\n{MAIN}", *run] if self._before else ["-m", "gateway", *run]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self._env}, start_new_session=True,
            )  # fmt: skip

    async def running(self) -> None:
        """Wait until it takes part in life."""
        await until(self._answers, f"gateway; see {self.log}", START_S)

    def _answers(self) -> bool:
        assert self.alive, self.tail()
        return control.answers(self.state_dir)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code; 0 if it does not run."""
        process, self.process = self.process, None
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(how)
        try:
            return await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError(f"the gateway did not end: {self.tail()}") from None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.returncode is None

    def tail(self) -> str:
        """The end of what it said, but for the alarms."""
        lines = self.log.read_text(errors="replace").splitlines()[-2000:]
        return "\n".join(line for line in lines if '"event": "alarm ' not in line)[-3000:]

    async def metric(self, *name: str) -> float:
        """One of its counters or gauges: name, then label values in the order of the labels' names; 0 if not there."""
        return (await asyncio.to_thread(metrics, self.ports.metrics)).get(name, 0.0)

    def rss_mb(self) -> float:
        """Resident memory of its process, MiB."""
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def configuration(ports: Ports, nodes: list[str], journal: str, models: Path | None = None) -> str:
    """stethos.toml of a plant with these nodes, four to an asset. `models`: as of Gateway."""
    assets = [nodes[at : at + NODES_PER_ASSET] for at in range(0, len(nodes), NODES_PER_ASSET)]
    model = f'model = "{HOST_BUNDLE}"\n' if models else ""
    rescored = (
        f'{RULE}\n[rescoring]\nbundles = "{models}"\ntrusted_keys = ["{signing.trusted(models)}"]\n' if models else ""
    )
    return (
        HEAD.format(site=SITE, ports=ports, journal=journal)
        + rescored
        + "".join(
            ASSET.format(name=f"motor-{i}", nodes=", ".join(f'"{n}"' for n in of)) + model
            for i, of in enumerate(assets)
        )
    )


def register(state_dir: Path, names: list[str]) -> list[NodeKey]:
    """A key for each node, in the gateway's registry."""
    registry = Registry.open(state_dir)
    try:
        return [registry.add(name, now_ms=time.time_ns() // 1_000_000) for name in names]
    finally:
        registry.close()
