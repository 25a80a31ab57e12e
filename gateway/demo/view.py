"""The demo's live view: what an MQTT client of the gateway sees, drawn in the terminal.

It knows nothing that any other client could not know: it subscribes to what the MQTT output publishes.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt
import structlog
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.core.plant import LIVENESS
from gateway.demo.plant import DemoPlant, Ports

EVENTS_SHOWN = 8
BAR = 20  # characters for four times the threshold

log = structlog.get_logger()


@dataclass(slots=True)
class Seen:
    """The newest of every topic, and the newest events."""

    tags: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # (node or asset, tag)
    alarms: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: deque[str] = field(default_factory=lambda: deque(maxlen=EVENTS_SHOWN))
    first_alarm: dict[str, Any] | None = None

    def take(self, topic: str, payload: Any) -> str | None:
        """Take in one message; returns a line if it is an event."""
        body = json.loads(payload)
        levels = topic.split("/")[2:]
        match levels:
            case ["events", kind]:
                return self._event(kind, body)
            case [_, _, asset, "nodes", node, tag]:
                self.tags[node, tag] = body | {"asset": asset}
            case [_, _, _, "alarms", _] | [_, _, _, "nodes", _, "alarms", _]:
                self.alarms[body["alarm"]] = body
            case [_, _, asset, tag]:
                self.tags[asset, tag] = body
        return None

    def _event(self, kind: str, body: dict[str, Any]) -> str:
        at = (body["time"] or "")[11:19]
        if kind == "alarms":
            line = f"{at}  alarm {body['alarm']} {body['transition']} ({body['priority']}, event {body['event']})"
            if body["transition"] == "raised" and body["alarm"].endswith("/anomaly"):
                self.first_alarm = self.first_alarm or body
        else:
            line = f"{at}  incident {body['incident']} {body['transition']}: {', '.join(body['assets'])}"
        self.events.append(line)
        return line


class View:
    """Follows the plant over MQTT, and draws it where there is a terminal; elsewhere events are log lines."""

    def __init__(self, plant: DemoPlant, ports: Ports, command: str, config: Path) -> None:
        """`command`: what a person types for `stethos` here."""
        self._plant = plant
        self._ports = ports
        self._command = command
        self._config = config
        self.seen = Seen()

    async def follow(self, live: Live | None) -> None:
        """Until cancelled."""
        async with aiomqtt.Client("127.0.0.1", self._ports.mqtt) as client:
            await client.subscribe(f"stethos/{self._plant.site}/#", qos=1)
            async for message in client.messages:
                line = self.seen.take(str(message.topic), message.payload)
                if live is not None:
                    live.update(self.draw())
                elif line is not None:
                    log.info(line.split("  ", 1)[1])

    def addresses(self) -> list[tuple[str, str]]:
        """Where to point clients."""
        p = self._ports
        return [
            ("OPC UA", f"opc.tcp://127.0.0.1:{p.opcua}/stethos (anonymous, for this demo only)"),
            ("Modbus TCP", f"127.0.0.1:{p.modbus} (addresses: {self._command} tags -c {self._config})"),
            ("MQTT", f"127.0.0.1:{p.mqtt}, topic stethos/{self._plant.site}/#"),
            ("metrics", f"http://127.0.0.1:{p.metrics}/metrics"),
            (
                "acknowledge",
                f"{self._command} alarm ack asset/{self._plant.assets[0].name}/anomaly -m 'seen' -c {self._config}",
            ),
        ]

    def draw(self) -> RenderableType:
        """The whole picture."""
        where = Table.grid(padding=(0, 2))
        for name, address in self.addresses():
            where.add_row(Text(name, style="bold"), address)
        return Group(
            Panel(where, title=f"Stethos: {self._plant.site}", subtitle="Ctrl-C ends everything"),
            self._nodes(),
            self._alarms(),
            Panel("\n".join(self.seen.events) or "nothing yet", title="events", title_align="left"),
        )

    def _nodes(self) -> Table:
        table = Table("asset", "node", "link", "alive", "score, of its threshold", "gateway's", "battery", expand=True)
        for asset in self._plant.assets:
            state = self._value(asset.name, "state", "state") or "unknown"
            label = Text(f"{asset.name}: {state}", style={"incident": "bold red", "suspect": "yellow"}.get(state, ""))
            for node in (n for n in self._plant.nodes if n.asset == asset.name):
                table.add_row(
                    label, node.name, node.link, self._value(node.name, "liveness", "state") or LIVENESS[0],
                    self._bar(node.name), self._percent(node.name, "host_score"), self._battery(node.name),
                )  # fmt: skip
                label = Text("")
            table.add_section()
        return table

    def _alarms(self) -> Panel:
        lines = [
            Text(f"{a['alarm']}: {a['state']}  {a['cause']}. Do: {a['action']}.", style="red" if a["active"] else "")
            for a in self.seen.alarms.values()
            if a["active"] or not a["acknowledged"]
        ]
        return Panel(Group(*lines) if lines else "none", title="alarms", title_align="left")

    def _bar(self, node: str) -> Text:
        score = self._value(node, "score")
        if score is None:
            return Text("waiting", style="dim")
        filled = min(BAR, score * BAR // 400)
        style = "red" if score > 100 else "green"
        return Text("█" * filled, style=style) + Text("░" * (BAR - filled), style="dim") + Text(f" {score} %")

    def _percent(self, node: str, tag: str) -> str:
        value = self._value(node, tag)
        return "" if value is None else f"{value} %"

    def _battery(self, node: str) -> str:
        value = self._value(node, "battery")
        return "" if value is None else f"{value:.2f} V"

    def _value(self, name: str, tag: str, key: str = "value") -> Any:
        return self.seen.tags.get((name, tag), {}).get(key)
