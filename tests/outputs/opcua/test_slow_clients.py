"""Clients that take and do not give: what they cost is bounded and counted, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua

from gateway.outputs import OutputFailed, Present
from gateway.outputs.opcua import Output, Settings
from gateway.outputs.opcua.listener import Connection
from gateway.outputs.opcua.publishing import Subscription
from gateway.outputs.opcua.subscriptions import MOST_WAITING
from tests.outputs.opcua.plants import MemoryHost, Running, change, make_plant, serving, tag
from tests.outputs.opcua.raw import make_client, variable


class Values:
    """Takes what a subscription says."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def datachange_notification(self, node: object, value: object, data: object) -> None:
        self.seen.append(value)

    def event_notification(self, event: Any) -> None:
        self.seen.append(event.EventId)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def logged_in(server: Running) -> AsyncIterator[Client]:
    client = await make_client(server, None, user=None)
    await client.connect()
    try:
        yield client
    finally:
        with contextlib.suppress(ConnectionError, TimeoutError, ua.UaError):
            await client.disconnect()


def core(server: Running) -> Any:
    return server.output._server.iserver


def connections(server: Running) -> list[Connection]:
    return list(server.output._server.bserver.clients)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path, [tag("node/n-1/score", 1)], none=True, anonymous=True, max_connections=3) as running:
        yield running


async def test_a_client_that_asks_and_never_reads_is_closed_and_others_are_served(server: Running) -> None:
    core(server).patience_s = 0.5
    async with asyncio.timeout(60), logged_in(server) as greedy, logged_in(server) as other:
        slow = connections(server)[0]
        transport = greedy.uaclient.protocol.transport
        slow.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        transport.pause_reading()
        nodes = [ua.ReadValueId(ua.NodeId(ua.ObjectIds.Server_ServerStatus), ua.AttributeIds.Value)] * 500
        asked, most = [], 0
        while not server.host.counts["slow_clients_closed"]:
            asked.append(asyncio.ensure_future(greedy.uaclient.read(ua.ReadParameters(NodesToRead=nodes))))
            most = max(most, slow.transport.get_write_buffer_size())
            score = other.get_node(variable(other, "node.n-1.score"))
            assert await asyncio.wait_for(score.read_value(), 5) == 1
        assert len(asked) > 5
        assert most < 2_000_000, "one answer beyond the mark, not all"
        await until(lambda: slow not in connections(server))
        for answer in asked:
            answer.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def test_a_subscriber_that_never_reads_is_given_up_and_others_hear_every_alarm(server: Running) -> None:
    async with asyncio.timeout(60), logged_in(server) as deaf, logged_in(server) as other:
        params = ua.CreateSubscriptionParameters(10, 50, 5, 0, True, 0)
        made = await deaf.uaclient.create_subscription(params, lambda _: None)
        tags = [ua.MonitoredItemCreateRequest() for _ in range(8)]
        for item, name in zip(tags, ("score", "battery", "link", "sensor") * 2, strict=True):
            item.ItemToMonitor = ua.ReadValueId(variable(deaf, f"node.n-1.{name}"), ua.AttributeIds.Value)
            item.RequestedParameters.QueueSize = 1
            item.MonitoringMode = ua.MonitoringMode.Reporting
        wanted = ua.CreateMonitoredItemsParameters(made.SubscriptionId, ItemsToCreate=tags)
        await deaf.uaclient.create_monitored_items(wanted)
        deaf.uaclient.protocol.transport.pause_reading()
        stuck = core(server).subscriptions.subscriptions[made.SubscriptionId]
        assert isinstance(stuck, Subscription)
        heard = Values()
        subscription = await other.create_subscription(10, heard)
        await subscription.subscribe_events(ua.ObjectIds.Server, ua.ObjectIds.AlarmConditionType)
        number = 0
        while not server.host.counts["subscriptions_expired"]:
            number += 1
            await server.host.write(
                tag("node/n-1/score", number), tag("node/n-1/link", -(number % 100)), change(number)
            )
            await asyncio.sleep(0.005)
            assert sum(map(len, stuck._triggered_datachanges.values())) <= len(tags)
        await until(lambda: len(heard.seen) >= number)
        assert len(heard.seen) == len(set(heard.seen)) == number
        assert made.SubscriptionId not in core(server).subscriptions.subscriptions


async def test_sockets_that_only_hold_a_place_make_way(server: Running) -> None:
    parked = [await asyncio.open_connection("127.0.0.1", server.output.port) for _ in range(20)]
    async with logged_in(server) as one, logged_in(server) as two, logged_in(server):
        for client in (one, two):
            assert await client.get_node(variable(client, "node.n-1.score")).read_value() == 1
        late, _ = await asyncio.open_connection("127.0.0.1", server.output.port)
        assert await asyncio.wait_for(late.read(), 5) == b"", "three with sessions: full"
        assert len(connections(server)) == 3
    counts = server.host.counts
    assert counts["connections_displaced"] >= 20
    assert counts["connections_refused"] == 1
    for _, writer in parked:
        writer.close()


async def test_a_connection_without_a_session_ends_also_after_one(server: Running) -> None:
    core(server).max_pending_activation_seconds = 0.2
    reader, writer = await asyncio.open_connection("127.0.0.1", server.output.port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    client = await make_client(server, None, user=None)
    await client.connect()
    await asyncio.sleep(0.5)  # longer than an idle one would live
    assert await client.get_node(variable(client, "node.n-1.score")).read_value() == 1
    await client.uaclient.close_session(True)
    await until(lambda: server.host.counts["connections_without_session"] == 2)
    client.disconnect_socket()


async def test_what_may_wait_for_all_clients_together_is_bounded(server: Running) -> None:
    async with logged_in(server) as client:
        params = ua.CreateSubscriptionParameters(1000, 100, 10, 0, True, 0)
        made = await client.uaclient.create_subscription(params, lambda _: None)
        items = []
        for handle in range(MOST_WAITING // 1000 + 1):
            item = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
            item.ItemToMonitor = ua.ReadValueId(ua.NodeId(ua.ObjectIds.Server), ua.AttributeIds.EventNotifier)
            item.RequestedParameters.ClientHandle = handle
            item.RequestedParameters.Filter = ua.EventFilter()
            items.append(item)
        wanted = ua.CreateMonitoredItemsParameters(made.SubscriptionId, ItemsToCreate=items)
        results = await client.uaclient.create_monitored_items(wanted)
        names = [result.StatusCode.name for result in results]
        assert names == ["Good"] * (len(items) - 1) + ["BadTooManyMonitoredItems"]
        assert server.host.counts["items_refused"] == 1
        await client.uaclient.delete_subscriptions([made.SubscriptionId])
        assert core(server).subscriptions._room.free == MOST_WAITING


async def test_a_message_is_no_longer_than_the_client_wants_and_alarms_come_first(server: Running) -> None:
    async with logged_in(server) as client:
        messages: list[ua.PublishResult] = []
        params = ua.CreateSubscriptionParameters(10, 1000, 100, 3, True, 0)
        made = await client.uaclient.create_subscription(params, messages.append)
        items = []
        for name in ("score", "battery", "link", "sensor", "liveness"):
            item = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
            item.ItemToMonitor = ua.ReadValueId(variable(client, f"node.n-1.{name}"), ua.AttributeIds.Value)
            items.append(item)
        alarms = ua.MonitoredItemCreateRequest(MonitoringMode=ua.MonitoringMode.Reporting)
        alarms.ItemToMonitor = ua.ReadValueId(ua.NodeId(ua.ObjectIds.Server), ua.AttributeIds.EventNotifier)
        alarms.RequestedParameters.Filter = ua.EventFilter(
            [ua.SimpleAttributeOperand(BrowsePath=[ua.QualifiedName("EventId")], AttributeId=ua.AttributeIds.Value)]
        )
        wanted = ua.CreateMonitoredItemsParameters(made.SubscriptionId, ItemsToCreate=[alarms, *items])
        subscription = core(server).subscriptions.subscriptions[made.SubscriptionId]
        await subscription.set_publishing_mode(False)
        await client.uaclient.create_monitored_items(wanted)
        await server.host.write(change(1), change(2))
        await subscription.set_publishing_mode(True)
        await until(lambda: sum(len(kinds(m)) for m in messages) == 7)
        said = [kinds(m) for m in messages if kinds(m)]
        assert said == [["event", "event", "value"], ["value"] * 3, ["value"]]
        assert [m.MoreNotifications for m in messages if kinds(m)] == [True, True, False]


def kinds(message: ua.PublishResult) -> list[str]:
    found = []
    for data in message.NotificationMessage.NotificationData or ():
        if isinstance(data, ua.EventNotificationList):
            found += ["event"] * len(data.Events)
        elif isinstance(data, ua.DataChangeNotification):
            found += ["value"] * len(data.MonitoredItems)
    return found


async def test_a_peer_that_has_vanished_is_found_out_by_the_system(server: Running) -> None:
    async with logged_in(server):
        link = connections(server)[0].transport.get_extra_info("socket")
        assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 90_000


async def test_opened_again_on_its_port_at_once_with_clients_attached(tmp_path: Path) -> None:
    async with serving(tmp_path, [tag("node/n-1/score", 1)], none=True, anonymous=True) as old:
        settings = Settings(
            endpoint=old.endpoint, pki=tmp_path / "pki", users=tmp_path / "users", none=True, anonymous=True
        )
        async with logged_in(old) as client:
            await (await client.create_subscription(10, Values())).subscribe_data_change(
                client.get_node(variable(client, "node.n-1.score"))
            )
            early = Output(settings)
            with pytest.raises(OutputFailed, match="cannot listen"):
                await early.open(MemoryHost(make_plant()), Present((), ()))
            await early.close()
            await old.output.close()
            new = Output(settings)
            await new.open(MemoryHost(make_plant({"pump-1": "line-z"})), Present([tag("node/n-1/score", 2)], ()))
            try:
                async with Client(old.endpoint.replace(":0/", f":{new.port}/")) as again:
                    assert await again.get_node(variable(again, "node.n-1.score")).read_value() == 2
            finally:
                await new.close()
