"""The plant of the benches: nodes in assets of four, k = 2, with a real bundle that re-scores, all on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.core.plant import ASSET_TAGS, GATEWAY_TAGS, NODE_TAGS
from gateway.demo import signing
from gateway.demo.plant import Ports, built_in
from gateway.store.keys import NodeKey, Registry

MODELS = Path(__file__).parents[2] / "build" / "models"
BUNDLE = "motor-host"
SITE = "bench"
SCORES = ("score", "host_score")
NODES_PER_ASSET = 4
K = 2


@dataclass(frozen=True, slots=True)
class BenchPlant:
    """So many nodes, node i on asset i // 4. `window_s` is also the quiet time after which an incident closes.
    `modbus`: whether that output is on; its map has room for 250 assets and 1,250 nodes.
    """

    nodes: int
    window_s: float = 0.25
    modbus: bool = True

    @property
    def assets(self) -> int:
        """How many there are; the last may have fewer nodes."""
        return -(-self.nodes // NODES_PER_ASSET)

    def node(self, index: int) -> str:
        """Name of a node."""
        return f"n{index:05}"

    def asset(self, index: int) -> str:
        """Name of an asset."""
        return f"a{index:05}"

    def asset_of(self, node: int) -> str:
        """Name of the asset that a node watches."""
        return self.asset(node // NODES_PER_ASSET)

    def members(self, asset: int) -> range:
        """The nodes of an asset."""
        return range(asset * NODES_PER_ASSET, min(self.nodes, (asset + 1) * NODES_PER_ASSET))

    def tags(self) -> Iterator[str]:
        """String id of every Tag in OPC UA."""
        yield from (f"gateway.gateway.{tag.name}" for tag in GATEWAY_TAGS)
        yield from (f"asset.{self.asset(i)}.{tag.name}" for i in range(self.assets) for tag in ASSET_TAGS)
        yield from (f"node.{self.node(i)}.{tag.name}" for i in range(self.nodes) for tag in NODE_TAGS)

    def scores(self) -> list[str]:
        """Those of them that are scores: of nodes, of the gateway's models, of assets."""
        return [tag for tag in self.tags() if tag.rpartition(".")[2] in SCORES]

    def register(self, state_dir: Path) -> list[NodeKey]:
        """A key for each node, in their order."""
        registry = Registry.open(state_dir)
        try:
            now_ms = time.time_ns() // 1_000_000
            return [registry.add(self.node(i), now_ms=now_ms) for i in range(self.nodes)]
        finally:
            registry.close()

    def configuration(self, ports: Ports, links: tuple[str, ...], more: str = "") -> str:
        """stethos.toml with its outputs. `more`: tables of its own."""
        key = signing.trusted(MODELS)
        tables = [_HEAD.format(site=SITE, metrics=ports.metrics, window_s=self.window_s, bundles=MODELS, key=key)]
        for asset in range(self.assets):
            nodes = ", ".join(f'"{self.node(i)}"' for i in self.members(asset))
            k = min(K, len(self.members(asset)))
            tables.append(_ASSET.format(asset=self.asset(asset), line=asset // 25, nodes=nodes, k=k, bundle=BUNDLE))
        tables += [_LINKS[link].format(port=getattr(ports, link)) for link in links]
        tables += [_OUTPUTS.format(mqtt=ports.mqtt, opcua=ports.opcua)]
        tables += [_MODBUS.format(modbus=ports.modbus)] if self.modbus else []
        tables += [more]
        return "\n".join(tables)


def make_models() -> None:
    """The demo's bundles, if they are not there yet."""
    MODELS.mkdir(parents=True, exist_ok=True)
    built_in(MODELS)


_TEXT = 'cause = "c"\nconsequence = "c"\naction = "a"\nresponse_s = 60\npriority = '
_HEAD = f"""\
[gateway]
site = "{{site}}"
state_dir = "state"
metrics = "127.0.0.1:{{metrics}}"

[rule]
k = {K}
window_s = {{window_s}}
quiet_s = {{window_s}}

[rescoring]
bundles = "{{bundles}}"
trusted_keys = ["{{key}}"]

[alarm.anomaly]
{_TEXT}"high"

[alarm.node_lost]
{_TEXT}"low"

[alarm.sensor_fault]
{_TEXT}"medium"
"""
_ASSET = """\
[[asset]]
name = "{asset}"
area = "hall"
line = "line-{line}"
nodes = [{nodes}]
k = {k}
model = "{bundle}"
"""
_LINKS = {
    "udp": '[[link]]\ntype = "udp"\nname = "wifi"\nbind = "127.0.0.1:{port}"\n',
    "mqtt": '[[link]]\ntype = "mqtt"\nname = "field-broker"\nbroker = "127.0.0.1:{port}"\n',
}
_OUTPUTS = """\
[output.mqtt]
broker = "127.0.0.1:{mqtt}"

[output.opcua]
endpoint = "opc.tcp://127.0.0.1:{opcua}/stethos"
none = true
anonymous = true
max_items = 100000
"""
_MODBUS = """\
[output.modbus]
port = {modbus}
"""
