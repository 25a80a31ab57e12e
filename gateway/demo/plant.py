"""The demo's plants: what is configured, and what each node is started with.

A plant is either the built-in one (12 simulated nodes on 4 assets in 2 lines, one of which goes wrong) or a folder of
recordings, played through the same C nodes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.demo import signing
from gateway.demo.recordings import Replay
from gateway.training import first_bundles

FAULT_AT_S = 20
"""When motor-1 of the built-in plant begins to lose its balance, in seconds after its nodes have started."""


_FAST = ("--wake-ms", "2000", "--heartbeat-ms", "10000")
_SCHEDULES = {
    "motor": _FAST,
    "pump": _FAST,
    "room": ("--wake-ms", "40000", "--heartbeat-ms", "40000"),  # its window of 32 samples lasts 32 seconds
}


@dataclass(frozen=True)
class Ports:
    """Where the demo listens, all on loopback. The defaults are the protocols' own, but for the privileged ones."""

    mqtt: int = 1883
    udp: int = 47808
    modbus: int = 5020
    opcua: int = 4840
    metrics: int = 9464


@dataclass(frozen=True, slots=True)
class DemoNode:
    """One C node: what it watches, through which link, and what its program is given beyond id, key and link."""

    name: str
    asset: str
    link: str  # "udp", "mqtt" or "serial"
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoAsset:
    """One asset of the demo."""

    name: str
    area: str
    line: str
    k: int
    feeds: tuple[str, ...] = ()
    models: tuple[tuple[str, str], ...] = ()  # (node, bundle)


@dataclass(frozen=True, slots=True)
class DemoPlant:
    """Everything that is started."""

    site: str
    assets: tuple[DemoAsset, ...]
    nodes: tuple[DemoNode, ...]
    bundles: Path
    window_s: float
    quiet_s: float


def built_in(bundles: Path) -> DemoPlant:
    """Two motors, a pump and the room they stand in. Makes the first bundles unless `bundles` has them, whole."""
    names = [f"{machine.name}-{role}" for machine in first_bundles.KINDS for role in ("node", "host")]
    if not signing.usable(bundles, names):
        for machine in first_bundles.KINDS:
            first_bundles.make(machine, bundles)
        signing.sign(bundles, names)
    assets = (
        _asset("motor-1", "line-1", "motor", ("de", "nde", "foot"), feeds=("motor-2",)),
        _asset("motor-2", "line-1", "motor", ("de", "nde", "foot")),
        _asset("pump-1", "line-2", "pump", ("inlet", "outlet", "bearing")),
        _asset("room-1", "line-2", "room", ("door", "wall", "ceiling")),
    )
    nodes = []
    for index, (asset, kind) in enumerate(zip(assets, ("motor", "motor", "pump", "room"), strict=True)):
        for place, (name, _) in enumerate(asset.models):
            source = f"sim:{kind}"
            if asset.name == "motor-1":
                source += f"?fault=imbalance&at={FAULT_AT_S}&ramp=10"
            link = ("udp", "mqtt", "serial")[place] if index < 3 else "udp"
            nodes.append(
                DemoNode(
                    name,
                    asset.name,
                    link,
                    (
                        "--source",
                        source,
                        "--model",
                        str(bundles / f"{kind}-node" / "image.cbor"),
                        "--seed",
                        str(5000 + 10 * index + place),
                        *_SCHEDULES[kind],
                    ),
                )
            )
    return DemoPlant("riverside", assets, tuple(nodes), bundles, window_s=20, quiet_s=20)


def of_recordings(replay: Replay, folder: Path, speed: float) -> DemoPlant:
    """One asset for each that was recorded. The nodes play every window once, back to back, `speed` times as fast."""
    bundles = folder / "bundles"
    bundles.mkdir(parents=True, exist_ok=True)
    names = sorted({node.asset for node in replay.nodes})
    assets = []
    for name in names:
        models = []
        for node in replay.nodes:
            if node.asset == name:
                shutil.copytree(node.host.folder, bundles / node.host.name, dirs_exist_ok=True)
                shutil.copy(node.host.folder.parent / signing.PUBLIC_KEY, bundles)
                models.append((node.name, node.host.name))
        assets.append(DemoAsset(name, "recorded", "bench", 1, (), tuple(models)))
    nodes = tuple(
        DemoNode(
            n.name,
            n.asset,
            "udp",
            (
                "--source",
                f"file:{n.samples_file}?contiguous=1",
                "--model",
                str(n.image_file),
                "--wake-ms",
                str(n.wake_ms),
                "--heartbeat-ms",
                "60000",
                "--window-every",
                "1",
                "--speed",
                f"{speed:g}",
            ),
        )
        for n in replay.nodes
    )
    return DemoPlant("recordings", tuple(assets), nodes, bundles, window_s=60 / speed, quiet_s=60 / speed)


def configuration(plant: DemoPlant, ports: Ports, folder: Path, mqtt_protocol: str, *, open_opcua: bool = True) -> str:
    """stethos.toml of a demo plant. `open_opcua`: OPC UA asks for neither encryption nor a user."""
    head = f"""\
# Written by `stethos demo`: everything listens on loopback.
[gateway]
site = "{plant.site}"
state_dir = "state"
metrics = "127.0.0.1:{ports.metrics}"

[rule]
window_s = {plant.window_s}
quiet_s = {plant.quiet_s}

[rescoring]
bundles = "{plant.bundles.resolve()}"
trusted_keys = ["{signing.trusted(plant.bundles)}"]

[alarm.anomaly]
cause = "{{asset}} runs differently from when it was known to be healthy"
consequence = "Damage to {{asset}} and an unplanned stop if it goes on"
action = "Listen at {{asset}}, check fixing bolts, coupling and load; plan a stop if it grows"
priority = "high"
response_s = 3600

[alarm.node_lost]
cause = "Node {{node}} has missed several of its own heartbeats"
consequence = "{{asset}} is watched by fewer nodes"
action = "Check battery and radio of {{node}}"
priority = "low"
response_s = 86400

[alarm.sensor_fault]
cause = "The sensor of {{node}} reports that it is faulty"
consequence = "{{asset}} is watched by fewer nodes"
action = "Check how {{node}} is mounted and wired, or exchange it"
priority = "medium"
response_s = 86400
"""
    return "\n".join(
        [
            head,
            *map(_asset_table, plant.assets),
            _links(plant.nodes, ports, folder, mqtt_protocol),
            _outputs(ports, mqtt_protocol),
            _OPEN_OPCUA if open_opcua else "",
        ]
    )


def tty(folder: Path, node: str) -> Path:
    """The serial line of one node."""
    return folder / f"tty-{node}"


def _asset(name: str, line: str, kind: str, places: Sequence[str], feeds: tuple[str, ...] = ()) -> DemoAsset:
    return DemoAsset(name, "hall-1", line, 2, feeds, tuple((f"{name}-{place}", f"{kind}-host") for place in places))


def _asset_table(asset: DemoAsset) -> str:
    nodes = ", ".join(f'"{node}"' for node, _ in asset.models)
    models = ", ".join(f'{node} = "{model}"' for node, model in asset.models)
    feeds = ", ".join(f'"{name}"' for name in asset.feeds)
    return f"""\
[[asset]]
name = "{asset.name}"
area = "{asset.area}"
line = "{asset.line}"
nodes = [{nodes}]
feeds = [{feeds}]
k = {asset.k}
model = {{ {models} }}
"""


def _links(nodes: Sequence[DemoNode], ports: Ports, folder: Path, mqtt_protocol: str) -> str:
    tables = [f'[[link]]\ntype = "udp"\nname = "wifi"\nbind = "127.0.0.1:{ports.udp}"\n']
    if any(node.link == "mqtt" for node in nodes):
        broker = f'broker = "127.0.0.1:{ports.mqtt}"\nversion = "{mqtt_protocol}"\n'
        tables.append(f'[[link]]\ntype = "mqtt"\nname = "field-broker"\n{broker}')
    for node in nodes:
        if node.link == "serial":
            device = tty(folder, node.name).resolve()
            tables.append(f'[[link]]\ntype = "serial"\nname = "tty-{node.name}"\ndevice = "{device}"\n')
    return "\n".join(tables)


def _outputs(ports: Ports, mqtt_protocol: str) -> str:
    return f"""\
[output.mqtt]
broker = "127.0.0.1:{ports.mqtt}"
version = "{mqtt_protocol}"
commands = true

[output.modbus]
port = {ports.modbus}
writes = true

[output.opcua]
endpoint = "opc.tcp://127.0.0.1:{ports.opcua}/stethos"
"""


_OPEN_OPCUA = """\
# For this demo only:
none = true
anonymous = true
"""
