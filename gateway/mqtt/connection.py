"""A connection to a broker: aiomqtt's, with many messages under way at once."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import aiomqtt
from paho.mqtt.client import Client as Paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.mqtt.packets import (
    FAILED,
    PUBACK,
    PUBLISH,
    Cutter,
    Malformed,
    Packet,
    puback,
    publish,
    read_puback,
    read_publish,
)
from gateway.mqtt.stream import Stream

WINDOW = 1000  # messages sent and not yet acknowledged; a broker that speaks MQTT 5 may want fewer
FIRST_ID, LAST_ID = 1024, 65535  # packet ids of messages; paho's own, of SUBSCRIBE, count from 1
FAREWELL_S = 1.0  # how long leaving waits for a broker that does not take the DISCONNECT


class Message(NamedTuple):
    """A message to be published. `topic` comes from `packets.text`."""

    topic: bytes
    payload: bytes
    retain: bool


Received = Callable[[bytes, bytes, bool], None]


class Connection(aiomqtt.Client):
    """`on_message` is called with topic, payload and whether it was retained; the broker's PUBACK goes out when it has
    returned. `on_refused` is called with the reason when the broker refuses a message (MQTT 5).

    `__aenter__`, `subscribe` and `unsubscribe` are aiomqtt's; `messages` and `publish` are not to be used. `gone` is
    done, with the reason, once the connection has ended. If the broker acknowledges nothing for `timeout` to twice as
    long while messages are under way, the connection is ended.
    """

    def __init__(
        self, hostname: str, port: int, *, on_message: Received, on_refused: Callable[[str], None],
        version: str, **options: Any,
    ) -> None:  # fmt: skip
        self._v5 = version == "5"
        protocol = aiomqtt.ProtocolVersion.V5 if self._v5 else aiomqtt.ProtocolVersion.V311
        super().__init__(hostname, port, protocol=protocol, **options)
        self.gone: asyncio.Future[str] = self._loop.create_future()
        self.window = WINDOW
        self._receive = on_message
        self._refuse = on_refused
        self._stream: Stream | None = None
        self._cutter = Cutter()
        self._queued: deque[Message] = deque()  # of those who wait in `deliver`
        self._under_way: dict[int, int] = {}  # packet id -> how manieth message; oldest first
        self._posted = self._acknowledged = 0
        self._moved = asyncio.Event()  # something was acknowledged, or the connection has ended
        self._watch: asyncio.TimerHandle | None = None

    async def deliver(self, messages: Iterable[Message]) -> None:
        """Send at QoS 1 and in this order, as many under way as the window allows; returns when the broker has
        acknowledged all of them. Raises MqttError when the connection has ended.
        """
        self._check_alive()
        self._queued.extend(messages)
        last = self._posted + len(self._queued)
        self._fill()
        while self._posted < last or next(iter(self._under_way.values()), last + 1) <= last:
            self._check_alive()
            await self._change()

    async def send(self, topic: bytes, payload: bytes) -> None:
        """Send a message that is better lost than late: at QoS 1, or at QoS 0 while the window is full. Raises
        MqttError when the connection has ended.
        """
        while self._full and self._stream and self._stream.crowded and not self.gone.done():
            await self._change()
        self._check_alive()
        if not self._full:
            self._post(Message(topic, payload, retain=False))
        elif self._stream:
            self._stream.write(publish(topic, payload, 0, retain=False, v5=self._v5))

    async def leave(self) -> None:
        """Say DISCONNECT, and close; the broker drops the will."""
        try:
            if self._connected.done() and not self.gone.done():
                self.timeout = FAREWELL_S
                with suppress(aiomqtt.MqttError):
                    await self.__aexit__(None, None, None)
        finally:
            self.abort("closed")

    def abort(self, why: str) -> None:
        """Close without a word; the broker publishes the will."""
        if self._stream is not None:
            self._stream.end(why)
        self._went(why)

    @property
    def _full(self) -> bool:
        return len(self._under_way) >= self.window

    def _fill(self) -> None:
        while self._queued and not self._full:
            self._post(self._queued.popleft())

    def _post(self, message: Message) -> None:
        assert self._stream is not None
        self._posted += 1
        packet_id = FIRST_ID + self._posted % (LAST_ID - FIRST_ID + 1)
        self._under_way[packet_id] = self._posted
        topic, payload, retain = message
        self._stream.write(publish(topic, payload, packet_id, retain=retain, v5=self._v5))
        if self._watch is None:
            self._watch = self._loop.call_later(self.timeout, self._look, self._acknowledged)

    def _check_alive(self) -> None:
        if self.gone.done():
            raise aiomqtt.MqttError(self.gone.result())

    async def _change(self) -> None:
        if self._stream is not None:
            self._stream.flush()  # what is waited for is on its way
        self._moved.clear()
        await self._moved.wait()

    def _look(self, acknowledged: int) -> None:
        self._watch = None
        if not self._under_way:
            return
        if self._acknowledged == acknowledged:
            self.abort(f"timed out: {len(self._under_way)} messages are not acknowledged")
        else:
            self._watch = self._loop.call_later(self.timeout, self._look, self._acknowledged)

    def _went(self, why: str) -> None:
        if not self.gone.done():
            self.gone.set_result(why)
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError(why))
            self._connected.exception()  # seen, even if nobody awaits it
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._moved.set()

    def _received(self, data: bytes) -> None:
        try:
            for packet in self._cutter.feed(data):
                self._handle(packet)
        except Malformed as error:
            self.abort(str(error))
        if self._queued and not self.gone.done():
            self._fill()  # here, and not in whoever waits: a turn of a busy loop is long

    def _handle(self, packet: Packet) -> None:
        assert self._stream is not None
        kind = packet.first >> 4
        if kind == PUBLISH:
            message = read_publish(packet, v5=self._v5)
            self._receive(message.topic, message.payload, message.retain)
            if message.packet_id:
                self._stream.write(puback(message.packet_id))
        elif kind == PUBACK:
            packet_id, reason = read_puback(packet)
            if self._under_way.pop(packet_id, None) is not None:
                self._acknowledged += 1
                if reason >= FAILED:
                    self._refuse(_named(reason))
                self._moved.set()
        else:
            self._stream.pass_on(packet.whole)
            self._client.loop_read()

    def _ended(self) -> None:
        self._client.loop_read()  # paho finds the end, and closes
        assert self._stream is not None
        self._went(self._stream.why)

    def _on_connect(
        self, client: Paho, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Properties | None = None
    ) -> None:
        self.window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self, client: Paho, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Properties | None = None
    ) -> None:
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        if self._disconnected.done():
            self._disconnected.exception()  # seen: `gone` tells it
        self._went(self._stream.why if self._stream and self._stream.why else str(reason_code))

    def _on_socket_open(self, client: Paho, userdata: Any, sock: Any) -> None:
        """In the thread that connects. From here on paho has the Stream, and we have the socket."""
        assert isinstance(sock, socket.socket)
        self._stream = Stream(sock, self._loop, self._received, self._ended)
        client._sock = self._stream
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        assert self._stream is not None
        self._stream.start()
        self._misc_task = self._loop.create_task(self._misc_loop())
        if self.gone.done():  # we were left while we connected
            self._stream.end(self.gone.result())

    def _on_socket_register_write(self, client: Paho, userdata: Any, sock: Any) -> None:
        self._loop.call_soon_threadsafe(client.loop_write)  # the Stream takes everything

    def _on_socket_unregister_write(self, client: Paho, userdata: Any, sock: Any) -> None:
        """There is nothing to undo."""


def _named(reason: int) -> str:
    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=reason))
    except KeyError:
        return f"reason code {reason}"
