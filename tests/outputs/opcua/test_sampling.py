"""Values of Tags that a client has subscribed to: made when they are sent, the newest of each item and cycle."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from gateway.core.plant import TagId
from gateway.core.update import Quality
from gateway.outputs.opcua.publishing import Subscription
from tests.outputs.opcua.plants import T0, Running, serving, tag

SCORE, BATTERY = "node/n-1/score", "node/n-1/battery"
NEVER_MS = 60_000.0  # the test publishes, not the clock


class Client:
    """A subscription without a network, and what it has been sent: (client handle, value) of each message."""

    def __init__(self, server: Running) -> None:
        self._core: Any = server.output._server.iserver  # type: ignore[union-attr]
        self._subscription: Any = None
        self.messages: list[list[tuple[int, object]]] = []

    async def subscribe(self, interval_ms: float = NEVER_MS, alive: int = 1) -> Subscription:
        params = ua.CreateSubscriptionParameters(interval_ms, 1000, alive, 0, True, 0)
        made = await self._core.subscriptions.create_subscription(params, self._sent, ua.NodeId(1))
        self._subscription = self._core.subscriptions.subscriptions[made.SubscriptionId]
        assert isinstance(self._subscription, Subscription)
        return self._subscription

    async def watch(self, path: str, handle: int, length: int = 1, trigger: ua.DataChangeTrigger | None = None) -> int:
        item = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
        node = ua.NodeId(path.replace("/", "."), 2)
        item.ItemToMonitor = ua.ReadValueId(node, ua.AttributeIds.Value)
        item.RequestedParameters.ClientHandle, item.RequestedParameters.QueueSize = handle, length
        item.RequestedParameters.Filter = None if trigger is None else ua.DataChangeFilter(trigger)
        wanted = ua.CreateMonitoredItemsParameters(ItemsToCreate=[item])
        [made] = await self._subscription.monitored_item_srv.create_monitored_items(wanted)
        assert made.StatusCode.is_good()
        return int(made.MonitoredItemId)

    def forget(self, item: int) -> None:
        self._subscription.monitored_item_srv.delete_monitored_items([item])

    async def cycle(self) -> list[tuple[int, object]]:
        """What one publishing cycle sends."""
        before = len(self.messages)
        assert await self._subscription._publish_all()
        return [value for message in self.messages[before:] for value in message]

    async def late(self) -> list[tuple[int, object]]:
        """What a client gets that asks long after the end of the cycle."""
        await self._subscription.publish_results("request")
        return self.messages[-1]

    async def _sent(self, result: ua.PublishResult, *_: object) -> None:
        rows = []
        for data in result.NotificationMessage.NotificationData:
            changed = struct_from_binary(ua.DataChangeNotification, Buffer(data.Body))
            rows += [(row.ClientHandle, row.Value.Value.Value) for row in changed.MonitoredItems]
        self.messages.append(rows)


async def test_one_value_per_item_and_cycle_the_newest(tmp_path: Path) -> None:
    async with serving(tmp_path, [tag(SCORE, 1), tag(BATTERY, 3000)]) as server:
        client = Client(server)
        await client.subscribe()
        await client.watch(SCORE, 7)
        await client.watch(BATTERY, 8)
        assert await client.cycle() == [(7, 1), (8, 3.0)]
        for value in range(100):
            await server.host.write(tag(SCORE, value), tag(BATTERY, 3000))
        assert await client.cycle() == [(7, 99)], "the battery has not changed"
        assert await client.cycle() == []
        await server.host.write(tag(SCORE, 5))
        await server.host.write(tag(SCORE, 99))
        assert await client.cycle() == [], "as it was when it was last sent"
        await server.host.write(tag(SCORE, 99, Quality.STALE))
        assert await client.cycle() == [(7, 99)], "its quality is news"


async def test_a_queue_keeps_the_values_in_between(tmp_path: Path) -> None:
    async with serving(tmp_path, [tag(SCORE, 1)]) as server:
        client = Client(server)
        await client.subscribe()
        await client.watch(SCORE, 7, length=3)
        await client.cycle()
        for value in (2, 3, 3, 3):
            await server.host.write(tag(SCORE, value))
        assert await client.cycle() == [(7, 2), (7, 3)]
        for value in (4, 5, 6, 7):
            await server.host.write(tag(SCORE, value))
        assert await client.cycle() == [(7, 5), (7, 6), (7, 7)]


async def test_a_new_source_time_is_news_for_who_wants_it(tmp_path: Path) -> None:
    async with serving(tmp_path, [tag(SCORE, 1)]) as server:
        client = Client(server)
        await client.subscribe()
        await client.watch(SCORE, 7, trigger=ua.DataChangeTrigger.StatusValueTimestamp)
        await client.watch(SCORE, 8)
        await client.cycle()
        await server.host.write(tag(SCORE, 1, source_ms=T0 + 1))
        assert await client.cycle() == [(7, 1)]


async def test_a_late_client_gets_what_is_newest_when_it_asks(tmp_path: Path) -> None:
    async with serving(tmp_path, [tag(SCORE, 1)]) as server:
        client = Client(server)
        await client.subscribe()
        await client.watch(SCORE, 7)
        await client.cycle()
        await server.host.write(tag(SCORE, 2))
        assert await client.late() == [(7, 2)]


async def test_an_item_that_is_gone_is_not_told_and_others_are(tmp_path: Path) -> None:
    async with serving(tmp_path, [tag(SCORE, 1)]) as server:
        clients = [Client(server), Client(server)]
        for client in clients:
            await client.subscribe()
        first, second = [await client.watch(SCORE, 7) for client in clients]
        for client in clients:
            await client.cycle()
        await server.host.write(tag(SCORE, 2))
        clients[0].forget(first)
        assert [await client.cycle() for client in clients] == [[], [(7, 2)]]
        clients[1].forget(second)
        assert not server.output._space.slots[TagId.parse(SCORE)].watches  # type: ignore[union-attr]


async def test_a_sign_of_life_comes_while_a_tag_changes_only_its_time(tmp_path: Path) -> None:
    async with serving(tmp_path, [tag(SCORE, 1)]) as server:
        client = Client(server)
        await client.subscribe(interval_ms=10, alive=3)
        await client.watch(SCORE, 7)
        source_ms = T0
        async with asyncio.timeout(20):
            while client.messages.count([]) < 3:
                source_ms += 1
                await server.host.write(tag(SCORE, 1, source_ms=source_ms))
                await asyncio.sleep(0.001)
        assert [message for message in client.messages if message] == [[(7, 1)]]


def test_asyncua_is_not_imported_for_who_has_no_opcua() -> None:
    script = (
        "import sys; from gateway import app, extensions\n"
        "module = extensions.output_modules()['opcua']\n"
        "assert module.Settings and 'asyncua' not in sys.modules\n"
        "assert module.Output and 'asyncua' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
