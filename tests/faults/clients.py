"""Clients that never read, and sockets that are only half open, beside consumers that want to be served."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from asyncua import Client

from tests.faults.accountant import Account
from tests.faults.consumers import event_ids
from tests.faults.scene import Scene, scene

MODBUS_FLOODS, MODBUS_HALVES, OPCUA_HALVES, OPCUA_DEAF = 3, 6, 20, 5
EVENTS = 150  # while they are there
READ_ALL = bytes.fromhex("0001 0000 0006 01 04 0000 0064")  # function 4, 100 registers
HALF_A_HEAD = b"\x00\x01\x00"  # of Modbus/TCP
HALF_A_HELLO = b"HELF\x38\x00\x00\x00\x00"  # of OPC UA TCP
FLOOD_EVERY_S = 0.01


async def never_reading(folder: Path) -> tuple[Account, float]:
    """The account, and by how many MiB the gateway has grown while they were there."""
    async with AsyncExitStack() as stack, scene(folder) as stage:
        await stage.events(EVENTS)
        await stage.until(lambda: stage.scada.live, "OPC UA")
        before = stage.gateway.rss_mb()
        await _beset(stage, stack)
        await stage.events(EVENTS)
        served = len(stage.plc.taken)
        await stage.until(lambda: len(stage.plc.taken) > served, "event over Modbus")
        grown = stage.gateway.rss_mb() - before
        return await stage.settle(), grown


async def _beset(stage: Scene, stack: AsyncExitStack) -> None:
    ports = stage.gateway.ports
    for port, halves, half in ((ports.modbus, MODBUS_HALVES, HALF_A_HEAD), (ports.opcua, OPCUA_HALVES, HALF_A_HELLO)):
        for _ in range(halves):
            stack.enter_context(_connected(port)).sendall(half)
    for _ in range(OPCUA_DEAF):
        client = Client(f"opc.tcp://127.0.0.1:{ports.opcua}/stethos", timeout=20)
        await client.connect()
        stack.callback(client.disconnect_socket)
        subscription = await client.create_subscription(50, _Nobody())
        await subscription.subscribe_events(client.nodes.server, evfilter=event_ids(), queuesize=1_000_000)
        client.uaclient.protocol.transport.pause_reading()
    for _ in range(MODBUS_FLOODS):
        flood = stack.enter_context(_connected(ports.modbus))
        flood.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        flood.setblocking(False)
        task = asyncio.create_task(_flood(flood))
        stack.callback(task.cancel)


class _Nobody:
    def event_notification(self, event: object) -> None:
        pass


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


async def _flood(flood: socket.socket) -> None:
    """Ask again and again, and take no answer, until the gateway has had enough."""
    with suppress(ConnectionError):
        while True:
            with suppress(BlockingIOError):
                flood.send(READ_ALL * 100)
            await asyncio.sleep(FLOOD_EVERY_S)
