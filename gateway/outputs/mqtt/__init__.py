"""MQTT: one retained topic per Tag and per Alarm, every alarm and incident event as a message of its own.

    PREFIX/<site>/status                                            retained; the will says offline
    PREFIX/<site>/gateway/<tag>                                     retained
    PREFIX/<site>/<area>/<line>/<asset>/<tag>                       retained
    PREFIX/<site>/<area>/<line>/<asset>/alarms/<kind>               retained
    PREFIX/<site>/<area>/<line>/<asset>/nodes/<node>/<tag>          retained
    PREFIX/<site>/<area>/<line>/<asset>/nodes/<node>/alarms/<kind>  retained
    PREFIX/<site>/events/alarms      PREFIX/<site>/events/incidents
    PREFIX/<site>/commands           PREFIX/<site>/commands/results     only with `commands = true`

Everything is JSON at QoS 1. An event's `id` is the same each time it is sent: who keeps ids gets each event once.
Whoever may publish on the commands topic may acknowledge: the broker's access list is the authentication.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.core.command import CommandResult, Outcome
from gateway.core.plant import Plant, TagId
from gateway.core.update import AlarmChange, IncidentChange, Quality, TagChange, Update
from gateway.outputs import Host, OutputFailed, Present
from gateway.outputs.mqtt.commands import COMMAND_BYTES, claimed_id, read_request, result_payload
from gateway.outputs.mqtt.settings import Settings
from gateway.outputs.mqtt.topics import (
    VERSION,
    Topics,
    alarm_payload,
    incident_payload,
    iso,
    quiet_payload,
    tag_payload,
)

__all__ = ["Output", "Settings", "addresses"]

WINDOW = 20  # messages sent and not yet acknowledged; the receive maximum of a stock mosquitto
COMMANDS_WAITING = 64
FAREWELL_S = 1.0  # how long closing waits for a broker that does not answer
KEEPALIVE_S = 20  # the broker publishes the will after one and a half of it
PACKET_BYTES = 2 * COMMAND_BYTES  # longest packet that the broker may send to us (MQTT 5)

# What goes wrong reaches the host as OutputFailed; the client's own lines would say it twice.
_client_log = logging.getLogger(f"{__name__}.client")
_client_log.setLevel(logging.CRITICAL)


def addresses(plant: Plant, settings: Settings) -> Mapping[TagId, str]:
    """Topic of each Tag. ValueError if a name cannot stand in a topic."""
    topics = Topics(plant, settings.prefix)
    return {tag: topics.tag(tag) for tag, _ in plant.tags()}


@dataclass(frozen=True, slots=True)
class Message:
    """One message to be published."""

    topic: str
    payload: Mapping[str, object]
    retain: bool


class Client(aiomqtt.Client):
    """aiomqtt, but for what it keeps to itself: a PUBACK that refuses, and commands dropped from a full queue."""

    def __init__(self, host: Host, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._host = host
        self.refused = ""

    def _on_publish(self, client, userdata, mid, reason_code, properties) -> None:  # type: ignore[no-untyped-def]
        if reason_code.is_failure:
            self.refused = str(reason_code)
            self._host.count("refused")
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_message(self, client, userdata, message) -> None:  # type: ignore[no-untyped-def]
        if self._queue.full():
            self._host.count("commands_overflow")
            return
        super()._on_message(client, userdata, message)


class Output:
    """Publishes on one broker; an Update counts as delivered when the broker has acknowledged it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._reader: asyncio.Task[str] | None = None

    async def open(self, host: Host, present: Present) -> None:
        """Connect, say online, publish the whole present state. Raises OutputFailed."""
        s = self._settings
        self._host = host
        self._types = dict(host.plant.tags())
        self._event_of = {change.alarm: change.event for change in present.alarms}
        try:
            self._topics = Topics(host.plant, s.prefix)
            state = self._state(present)
            self._client = client = self._connection()
            await client.__aenter__()
        except (aiomqtt.MqttError, ValueError, OSError) as error:  # ValueError: a name that cannot be one
            raise OutputFailed(f"{s.broker}: {error}") from error
        self._reader = asyncio.create_task(self._read(client))
        await self._deliver([self._status(online=True), *state])
        if s.commands:
            await self._subscribe(client)

    async def _subscribe(self, client: Client) -> None:
        topic = self._topics.commands
        try:
            granted = await client.subscribe(topic, qos=1)
        except aiomqtt.MqttError as error:
            raise OutputFailed(f"{self._settings.broker}: {error}") from error
        if any(code.is_failure if isinstance(code, ReasonCode) else code >= 0x80 for code in granted):
            raise OutputFailed(f"{self._settings.broker} refuses the subscription to {topic}")

    async def write(self, batch: Sequence[Update]) -> None:
        """Publish; returns when the broker has acknowledged every message. Raises OutputFailed."""
        await self._deliver([message for update in batch for message in self._messages(update)])

    async def close(self) -> None:
        """Say offline and disconnect."""
        client, self._client = self._client, None
        reader, self._reader = self._reader, None
        if client is None:
            return
        client.timeout = FAREWELL_S
        try:
            if reader and not reader.done():
                offline = self._status(online=False)
                await client.publish(offline.topic, json.dumps(offline.payload), qos=1, retain=True)
            await client.__aexit__(None, None, None)
        except aiomqtt.MqttError:
            self._host.count("unclean_close")  # the broker publishes the will
        finally:
            if reader:
                reader.cancel()
                await asyncio.wait({reader})

    def _connection(self) -> Client:
        s = self._settings
        host, port = s.endpoint
        will = self._status(online=False)
        v5 = s.version == "5"
        limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        limits.MaximumPacketSize = PACKET_BYTES
        client = Client(
            self._host,
            host,
            port,
            identifier=s.client_id or f"stethos-{self._host.gateway_id.hex()}",
            username=s.user,
            password=s.password_file.read_text().partition("\n")[0] if s.password_file else None,
            protocol=aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
            clean_session=None if v5 else True,
            properties=limits if v5 else None,
            will=aiomqtt.Will(will.topic, json.dumps(will.payload), qos=1, retain=True),
            tls_context=self._tls() if s.tls else None,
            timeout=s.timeout_s,
            keepalive=KEEPALIVE_S,
            max_inflight_messages=WINDOW,
            max_queued_incoming_messages=COMMANDS_WAITING,
            logger=_client_log,
        )
        client.pending_calls_threshold = WINDOW + 1
        return client

    def _tls(self) -> ssl.SSLContext:
        s = self._settings
        context = ssl.create_default_context(cafile=s.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if s.cert_file:
            context.load_cert_chain(s.cert_file, s.key_file)
        return context

    def _status(self, *, online: bool) -> Message:
        payload = {"v": VERSION, "online": online, "gateway": self._host.gateway_id.hex()}
        if online:
            payload["since"] = iso(time.time_ns() // 1_000_000)
        return Message(self._topics.status, payload, retain=True)

    def _state(self, present: Present) -> list[Message]:
        """Every Tag and Alarm of the plant, also those of which nothing is known yet."""
        tags = {tag: TagChange(tag, None, Quality.NO_DATA, 0) for tag in self._types} | {t.tag: t for t in present.tags}
        changed = {change.alarm: change for change in present.alarms}
        messages = [message for change in tags.values() for message in self._messages(change)]
        for alarm in self._host.plant.alarm_ids():
            payload = (
                alarm_payload(self._host.plant, changed[alarm], self._host.gateway_id)
                if alarm in changed
                else quiet_payload(self._host.plant, alarm)
            )
            messages.append(Message(self._topics.alarm(alarm), payload, retain=True))
        return messages

    def _messages(self, update: Update) -> list[Message]:
        match update:
            case TagChange():
                if update.tag not in self._types:
                    self._host.count("unplaced")
                    return []
                payload = tag_payload(update, self._types[update.tag])
                return [Message(self._topics.tag(update.tag), payload, retain=True)]
            case AlarmChange():
                return self._alarm_messages(update)
            case IncidentChange():
                payload = incident_payload(update, self._host.gateway_id)
                return [Message(self._topics.incident_events, payload, retain=False)]

    def _alarm_messages(self, change: AlarmChange) -> list[Message]:
        """The event and, unless a newer one is retained already, the state: missed events are given after `open`."""
        payload = alarm_payload(self._host.plant, change, self._host.gateway_id)
        messages = [Message(self._topics.alarm_events, payload, retain=False)]
        try:
            topic = self._topics.alarm(change.alarm)
        except KeyError:
            self._host.count("unplaced")
            return messages
        if change.event >= self._event_of.get(change.alarm, 0):
            self._event_of[change.alarm] = change.event
            messages.append(Message(topic, payload, retain=True))
        return messages

    async def _deliver(self, messages: Sequence[Message]) -> None:
        """Publish in this order, WINDOW at a time under way, and await every acknowledgement."""
        if self._client is None or self._reader is None:
            raise OutputFailed("not open")
        sending = asyncio.create_task(self._send(self._client, messages))
        try:
            await asyncio.wait({sending, self._reader}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise OutputFailed(f"{self._settings.broker}: {self._reader.result()}")
        finally:
            if not sending.done():
                sending.cancel()
                await asyncio.wait({sending})
        sending.result()

    async def _send(self, client: Client, messages: Sequence[Message]) -> None:
        window = asyncio.Semaphore(WINDOW)

        async def publish(message: Message) -> None:
            try:
                await client.publish(message.topic, json.dumps(message.payload), qos=1, retain=message.retain)
            finally:
                window.release()

        try:
            async with asyncio.TaskGroup() as group:
                for message in messages:
                    await window.acquire()
                    group.create_task(publish(message))  # tasks start in the order of their creation
        except* aiomqtt.MqttError as errors:
            raise OutputFailed(f"{self._settings.broker}: {errors.exceptions[0]}") from errors
        if client.refused:
            raise OutputFailed(f"{self._settings.broker} refuses to be published to: {client.refused}")
        self._host.count("published", len(messages))

    async def _read(self, client: Client) -> str:
        """Carry out commands until the connection is gone; returns why it went."""
        try:
            async for message in client.messages:
                result = await self._carry_out(message)
                await client.publish(self._topics.results, json.dumps(result), qos=1)
        except aiomqtt.MqttError as error:
            return str(error)
        return "disconnected"

    async def _carry_out(self, message: aiomqtt.Message) -> dict[str, object]:
        payload = message.payload if isinstance(message.payload, bytes) else b""
        try:
            if message.retain:
                raise ValueError("a retained command is not carried out: it would be again at every reconnection")
            request = read_request(payload)
        except ValueError as error:
            self._host.count("commands_malformed")
            return result_payload(claimed_id(payload), CommandResult(Outcome.REFUSED, detail=str(error)))
        self._host.count("commands")
        result = await self._host.command(request.command(f"mqtt {self._settings.broker}"))
        return result_payload(request.id, result)
