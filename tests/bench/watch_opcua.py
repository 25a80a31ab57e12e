"""An OPC UA client in a process of its own: `python -m tests.bench.watch_opcua ENDPOINT INTERVAL_MS NODES`.

Subscribes to every score of a plant of so many nodes (of its nodes, their re-scores, of its assets), or, with 0 nodes,
to the alarm events of the whole server. Prints {"ready": ...} when subscribed; for alarms a line an event: source,
whether it is active, and when the callback ran (CLOCK_MONOTONIC, ns); and, for each line that it reads, what it has
seen so far, and the newest source time of a value (Unix time, seconds).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime

from asyncua import Client, Node, ua
from asyncua.common.subscription import DataChangeNotif

from tests.bench.plant import BenchPlant

NAMESPACE = "urn:stethos:plant"
AT_ONCE = 1000
PATIENCE_S = 60  # asyncua gives a server up that does not answer within a second, unless told otherwise


class Watcher:
    """What the subscription calls back."""

    def __init__(self) -> None:
        self.values = 0
        self.events = 0
        self.last_ns = 0
        self.newest = datetime.min.replace(tzinfo=UTC)

    def datachange_notification(self, node: Node, value: object, data: DataChangeNotif) -> None:
        self.values += 1
        if (at := data.monitored_item.Value.SourceTimestamp) and at > self.newest:
            self.newest = at
        self.last_ns = time.monotonic_ns()

    def event_notification(self, event: object) -> None:
        now_ns = time.monotonic_ns()
        self.events += 1
        self.last_ns = now_ns
        _say({"source": event.SourceName, "active": getattr(event, "ActiveState/Id"), "ns": now_ns})  # type: ignore[attr-defined]

    def status_change_notification(self, status: object) -> None:
        _say({"status": str(status)})

    def seen(self) -> dict[str, float]:
        """All so far."""
        newest_s = self.newest.timestamp() if self.values else 0.0
        return {"values": self.values, "events": self.events, "last_ns": self.last_ns, "newest_s": newest_s}


def _say(line: object) -> None:
    print(json.dumps(line), flush=True)


async def _subscribe(client: Client, interval_ms: float, nodes: int, watcher: Watcher) -> int:
    subscription = await client.create_subscription(interval_ms, watcher)
    if not nodes:
        await subscription.subscribe_events(client.nodes.server, ua.ObjectIds.AlarmConditionType)
        return 1
    space = await client.get_namespace_index(NAMESPACE)
    wanted = [client.get_node(ua.NodeId(name, space)) for name in BenchPlant(nodes).scores()]
    for start in range(0, len(wanted), AT_ONCE):
        await subscription.subscribe_data_change(wanted[start : start + AT_ONCE], sampling_interval=interval_ms)
    return len(wanted)


async def main(endpoint: str, interval_ms: float, nodes: int) -> None:
    """Watch until standard input ends."""
    watcher = Watcher()
    loop = asyncio.get_running_loop()
    async with Client(endpoint, timeout=PATIENCE_S, watchdog_intervall=PATIENCE_S) as client:
        _say({"pid": os.getpid(), "ready": await _subscribe(client, interval_ms, nodes, watcher)})
        while await loop.run_in_executor(None, sys.stdin.readline):
            _say(watcher.seen())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
