"""Who follows the gateway's events: an MQTT subscriber, a PLC on the event FIFO, an OPC UA client. Each comes back by
itself whenever the gateway does, and keeps everything it was told, by identity.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from asyncua import Client, ua
from asyncua.ua.uaerrors import UaError
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from tests.faults.gateway import SITE
from tests.system.clients import Line, Stream, mosquitto_sub

AGAIN_S = 0.05
NUMBER_BYTES = 8  # of an EventId, behind the 8 that name the gateway

# As an integrator has copied them from the register map.
FIFO, HEADER, RECORD_WORDS, RECORDS = 100, 4, 14, 8
TRANSITIONS = (
    "", "raised", "returned", "acknowledged", "shelved", "unshelved", "out_of_service", "in_service", "revised",
)  # fmt: skip

for _library in ("asyncua", "pymodbus"):  # that the gateway is gone is no news here
    logging.getLogger(_library).setLevel(logging.CRITICAL + 1)


def subscriber(port: int) -> tuple[str, ...]:
    """mosquitto_sub with a session that the broker keeps."""
    return mosquitto_sub(port, "-c", "-i", "watcher", "-t", f"stethos/{SITE}/events/#")


@dataclass(frozen=True)
class Told:
    """One event as a consumer was told of it. `what` is all it knows of its content."""

    number: int
    identity: str
    what: tuple[str, ...]


def of_mqtt(stream: Stream) -> list[Told]:
    """All events in the order of arrival, repeats included."""
    return [
        _told(line["payload"]) for line in stream.lines if line["topic"].rpartition("/")[2] in ("alarms", "incidents")
    ]


def gaps(stream: Stream) -> list[Line]:
    """What the gateway says to have given up."""
    return [line["payload"] for line in stream.lines if line["topic"].endswith("/gaps")]


def _told(event: Line) -> Told:
    name = event["alarm"] if "alarm" in event else f"incident/{event['incident']}"
    return Told(event["event"], event["id"], (name, event["transition"]))


@dataclass
class Plc:
    """Takes every event from the FIFO with the handshake register."""

    port: int
    taken: list[tuple[int, str]] = field(default_factory=list)  # (number, transition)
    again: list[int] = field(default_factory=list)  # shown once more after taking them was confirmed
    confirmed: int = 0
    turned: list[int] = field(default_factory=list)  # shown behind a newer one in one and the same reading

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            client = AsyncModbusTcpClient("127.0.0.1", port=self.port, timeout=3, retries=0, reconnect_delay=0)
            try:
                if await client.connect():
                    await self._follow(client)
            except (ModbusException, OSError):
                pass
            finally:
                client.close()
            await asyncio.sleep(AGAIN_S)

    async def _follow(self, client: AsyncModbusTcpClient) -> None:
        while True:
            answer = await client.read_input_registers(FIFO, count=HEADER + RECORDS * RECORD_WORDS)
            if answer.isError():
                return
            words = answer.registers
            records = [words[at : at + RECORD_WORDS] for at in range(HEADER, len(words), RECORD_WORDS)][: words[0]]
            self.take((record[0] << 16 | record[1], TRANSITIONS[record[5]]) for record in records)
            if records:
                last = self.taken[-1][0]
                confirmation = await client.write_registers(0, [last >> 16, last & 0xFFFF])
                if confirmation.isError():
                    return
                self.confirmed = last
            else:
                await asyncio.sleep(AGAIN_S)

    def take(self, records: Iterable[tuple[int, str]]) -> None:
        """What one reading has shown."""
        before = 0
        for number, transition in records:
            if number <= before:
                self.turned.append(number)
            before = number
            self._take(number, transition)

    def _take(self, number: int, transition: str) -> None:
        if number <= self.confirmed:
            self.again.append(number)
        elif not self.taken or number > self.taken[-1][0]:  # else taking it was not answered: a PLC knows what it took
            self.taken.append((number, transition))


class Scada:
    """An OPC UA client that subscribes to all events of the Server object."""

    def __init__(self, port: int) -> None:
        self._url = f"opc.tcp://127.0.0.1:{port}/stethos"
        self.sessions: list[list[bytes]] = []  # EventIds, in order, of each subscription that was set up
        self.live = False  # whether the last of them still stands

    def newest(self, gateway_id: bytes) -> int:
        """Number of the newest event that the last subscription was told of; 0 before the first."""
        last = self.sessions[-1] if self.sessions else []
        return max((number_of(identity) for identity in last if identity.startswith(gateway_id)), default=0)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(UaError, OSError, TimeoutError, asyncio.TimeoutError):
                await self._watch()
            await asyncio.sleep(AGAIN_S)

    async def _watch(self) -> None:
        async with Client(self._url, timeout=5) as client:
            session: list[bytes] = []
            subscription = await client.create_subscription(50, _Handler(session))
            await subscription.subscribe_events(client.nodes.server, evfilter=event_ids(), queuesize=100_000)
            self.sessions.append(session)
            self.live = True
            try:
                while True:
                    await client.check_connection()
                    await asyncio.sleep(AGAIN_S)
            finally:
                self.live = False


class _Handler:
    def __init__(self, session: list[bytes]) -> None:
        self._session = session

    def event_notification(self, event: object) -> None:
        self._session.append(event.EventId)  # type: ignore[attr-defined]

    def status_change_notification(self, status: object) -> None:
        pass


def number_of(identity: bytes) -> int:
    """The event's number in an EventId of the gateway's."""
    return int.from_bytes(identity[-NUMBER_BYTES:], "big")


def event_ids() -> ua.EventFilter:
    """A filter that takes every event, and of each its EventId."""
    filter_ = ua.EventFilter()
    operand = ua.SimpleAttributeOperand()
    operand.TypeDefinitionId = ua.NodeId(ua.ObjectIds.BaseEventType)
    operand.BrowsePath = [ua.QualifiedName("EventId")]
    operand.AttributeId = ua.AttributeIds.Value
    filter_.SelectClauses = [operand]
    return filter_
