import asyncio
import shutil
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiomqtt
import pytest

from gateway.demo.broker import BrokerFailed, broker, embedded, mosquitto
from tests.system.broker import executable, free_port

KINDS: dict[str, Callable[[int], AbstractAsyncContextManager[None]]] = {
    "as found": broker,
    "mosquitto": lambda port: mosquitto(executable(), port),
    "amqtt": embedded,
}
kinds = pytest.mark.parametrize("start", KINDS.values(), ids=KINDS)


@kinds
async def test_carries_a_qos_1_message_between_two_clients(
    start: Callable[[int], AbstractAsyncContextManager[None]],
) -> None:
    port = free_port()
    async with (
        start(port),
        aiomqtt.Client("127.0.0.1", port) as hearer,
        aiomqtt.Client("127.0.0.1", port) as speaker,
    ):
        await hearer.subscribe("demo/#", qos=1)
        for i in range(20):
            await speaker.publish("demo/number", bytes([i]), qos=1)
        async with asyncio.timeout(10):
            heard = [await anext(hearer.messages) for _ in range(20)]
        assert [(message.payload, message.qos) for message in heard] == [(bytes([i]), 1) for i in range(20)]


@kinds
async def test_is_gone_afterwards_and_can_be_had_again(
    start: Callable[[int], AbstractAsyncContextManager[None]],
) -> None:
    port = free_port()
    for _ in range(2):
        async with start(port), aiomqtt.Client("127.0.0.1", port):
            pass
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


@kinds
async def test_a_port_that_is_taken_is_named(start: Callable[[int], AbstractAsyncContextManager[None]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        with pytest.raises(BrokerFailed, match=str(port)):
            async with start(port):
                pass


async def test_a_mosquitto_that_ends_at_once_is_a_failure_with_its_code() -> None:
    false = shutil.which("false")
    assert false
    with pytest.raises(BrokerFailed, match="code 1"):
        async with mosquitto(false, free_port()):
            pass


async def test_without_mosquitto_on_the_machine_the_embedded_one_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    port = free_port()
    before = len(asyncio.all_tasks())
    async with broker(port), aiomqtt.Client("127.0.0.1", port):
        assert len(asyncio.all_tasks()) > before  # it runs in here
