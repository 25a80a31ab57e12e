import signal
from pathlib import Path

import aiomqtt
import pytest

from tests.system.broker import Broker, BrokerDown, mosquitto


async def round_trip(broker: Broker) -> bytes:
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe("a", qos=1)
        await client.publish("a", b"heard", qos=1)
        message = await anext(client.messages)
        assert isinstance(message.payload, bytes)
        return message.payload


async def test_carries_a_message_and_again_after_a_restart_on_the_same_port(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        assert await round_trip(broker) == b"heard"
        await broker.stop(signal.SIGKILL)
        with pytest.raises(aiomqtt.MqttError):
            await round_trip(broker)
        await broker.start()
        assert await round_trip(broker) == b"heard"


async def test_persistence_keeps_a_retained_message_over_a_restart(tmp_path: Path) -> None:
    async with mosquitto(tmp_path, persistence=True) as broker:
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.publish("kept", b"state", qos=1, retain=True)
        await broker.stop()
        await broker.start()
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.subscribe("kept", qos=1)
            assert (await anext(client.messages)).payload == b"state"


async def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(BrokerDown, match="nonsense"):
        async with mosquitto(tmp_path, lines=["nonsense yes"]):
            pass
