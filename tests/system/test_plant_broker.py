"""The sample broker configuration in deploy/, as it is but for its folders: it starts, keeps its limits, and lets
everybody do what is his.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from gateway.links.mqtt import Link
from gateway.links.mqtt import Settings as LinkSettings
from gateway.mqtt import Connection, Message
from gateway.mqtt.packets import text
from gateway.outputs.mqtt import Output, Settings
from tests.outputs.host import MemoryHost
from tests.system.broker import Broker, mosquitto

DEPLOY = Path(__file__).parents[2] / "deploy"
NODE, OTHER = "0a0b0c0d", "01020304"
USERS = ("gateway", "reader", "operator", NODE, OTHER)


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Broker]:
    passwords = tmp_path / "stethos.passwords"
    passwords.write_text("".join(f"{user}:{user}'s\n" for user in USERS))
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    (tmp_path / "stethos.access").write_text((DEPLOY / "mosquitto-access").read_text())
    for user in USERS:
        (tmp_path / user).write_text(f"{user}'s\n")
    sample = (DEPLOY / "mosquitto.conf").read_text().replace("/etc/mosquitto/", f"{tmp_path}/")
    own = ("listener ", "persistence")  # which the tests' broker gives itself
    async with mosquitto(
        tmp_path, persistence=True, lines=[line for line in sample.splitlines() if not line.startswith(own)]
    ) as broker:
        yield broker


def client(broker: Broker, user: str) -> aiomqtt.Client:
    five = aiomqtt.ProtocolVersion.V5
    return aiomqtt.Client(broker.host, broker.port, username=user, password=f"{user}'s", protocol=five)


def entry(tmp_path: Path) -> dict[str, object]:
    return {"user": "gateway", "password_file": tmp_path / "gateway"}


async def test_a_node_reaches_the_gateway_and_hears_nobody_elses_answers(plant: Broker, tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    settings = LinkSettings(type="mqtt", name="air", broker=plant.address, **entry(tmp_path))
    link = Link(settings, lambda name: counts.update([name]))
    await link.open()
    try:
        async with client(plant, NODE) as node, client(plant, OTHER) as spy, asyncio.timeout(20):
            for one in (node, spy):
                await one.subscribe(f"stethos/nodes/{NODE}/down", qos=1)
                await one.subscribe(f"stethos/nodes/{OTHER}/down", qos=1)
            await node.publish(f"stethos/nodes/{OTHER}/up", b"forged", qos=1)
            await node.publish(f"stethos/nodes/{NODE}/up", b"true", qos=1)
            [frame] = await link.receive()
            assert (frame.data, frame.address) == (b"true", NODE)
            for kid in (NODE, OTHER):
                await link.send(kid, kid.encode())
            heard = [(await anext(one.messages)).payload for one in (node, spy)]
            assert heard == [NODE.encode(), OTHER.encode()]
            assert [len(one.messages) for one in (node, spy)] == [0, 0]
    finally:
        await link.close()
    assert counts == {"received": 1, "sent": 2}


async def test_readers_read_and_only_operators_command(plant: Broker, tmp_path: Path) -> None:
    host = MemoryHost()
    output = Output(Settings(broker=plant.address, commands=True, **entry(tmp_path)))
    await output.open(host, host.present)
    try:
        async with client(plant, "reader") as reader, client(plant, "operator") as operator, asyncio.timeout(20):
            await reader.subscribe("stethos/works/commands/results", qos=1)
            await reader.subscribe("stethos/works/status", qos=1)
            assert b'"online":true' in (await anext(reader.messages)).payload
            for who, said in ((reader, b"reader"), (operator, b"operator")):
                await who.publish("stethos/works/commands", b'{"id":"%s"}' % said, qos=1)
            assert b'"id":"operator"' in (await anext(reader.messages)).payload
    finally:
        await output.close()
    assert host.counts["commands_malformed"] == 1
    assert host.counts["refused"] == 0
    assert host.counts["topics_not_shown"] == 0


async def test_the_limits_are_the_ones_that_are_written_there(plant: Broker) -> None:
    ignored = {"on_message": lambda *_: None, "on_refused": lambda _: None, "version": "5"}
    connection = Connection(plant.host, plant.port, username="gateway", password="gateway's", **ignored)
    async with connection:
        assert connection.window == 1000
    historian = {"username": "reader", "password": "reader's", "identifier": "historian", "clean_session": False}
    async with aiomqtt.Client(plant.host, plant.port, **historian) as away:
        await away.subscribe("stethos/works/events/alarms", qos=1)
    async with Connection(plant.host, plant.port, username="gateway", password="gateway's", **ignored) as gateway:
        topic = text("stethos/works/events/alarms")
        await gateway.deliver(Message(topic, b"%d" % number, retain=False) for number in range(3000))
    async with aiomqtt.Client(plant.host, plant.port, **historian) as back, asyncio.timeout(30):
        assert [(await anext(back.messages)).payload for _ in range(3000)] == [b"%d" % number for number in range(3000)]


async def test_nobody_is_let_in_without_a_password(plant: Broker) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client(plant.host, plant.port):
            pass
