"""Modbus TCP: the plant as registers (map.py), every alarm event through a FIFO with handshake, acknowledgement.

Modbus has no authentication. So it listens on the loopback interface to loopback clients and writes nothing unless
the configuration says otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field
from pymodbus.constants import ExcCodes

from gateway.core.command import Command, CommandKind, CommandResult, Outcome
from gateway.core.plant import Plant, TagId, TagType
from gateway.core.update import AlarmChange, IncidentChange, TagChange, Update
from gateway.outputs import Gap, Host, OutputFailed, Present
from gateway.outputs.modbus import map as m
from gateway.outputs.modbus import table
from gateway.outputs.modbus.image import Image
from gateway.outputs.modbus.server import Limits, Refused, Server, peer

FIFO_MARK = "fifo"
GONE_MARK = "fifo_gone"
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(lambda text: ip_network(text))]


class Settings(BaseModel, frozen=True, extra="forbid", strict=True):
    """`[output.modbus]`."""

    host: str = Field("127.0.0.1", min_length=1, description="Interface to listen on")
    port: int = Field(502, ge=0, le=65535, description="0: any free port")
    allow: tuple[Network, ...] = Field(
        (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")),
        strict=False,
        description="Networks whose clients are answered",
    )
    connections: int = Field(16, ge=1, le=1000)
    idle_s: float = Field(60.0, gt=0, description="A connection that is silent for so long is closed")
    writes: bool = Field(False, description="PLCs may acknowledge alarms and move the event FIFO on")
    word_order: m.WordOrder = Field("big", description="Which word of a 32-bit value comes first")


def addresses(plant: Plant, settings: Settings) -> Mapping[TagId, str]:
    """Where each Tag's value is and how it is read: reference, PDU address, type, word order, and the factor that makes
    it the Tag's unit. ValueError if a slot is beyond the map.
    """
    return {tag: _address(plant, tag, tag_type, settings.word_order) for tag, tag_type in plant.tags()}


def shown(plant: Plant) -> object:
    """Slots, and the priority of each Alarm: no names, places or texts fit into registers."""
    return (
        {asset.name: asset.slot for asset in plant.assets.values()},
        {node.name: node.slot for node in plant.nodes.values()},
        {alarm: plant.text_of(alarm).priority for alarm in plant.alarm_ids()},
    )


def map_csv(plant: Plant, settings: Settings) -> str:
    """The whole map as CSV, for the integrator."""
    return table.map_csv(plant, settings.word_order, settings.writes)


def _address(plant: Plant, tag: TagId, tag_type: TagType, order: m.WordOrder) -> str:
    address, kind = m.tag_address(plant, tag), m.OFFSETS[tag.scope][tag.tag][1]
    words = f"{kind} {order}-endian" if kind.words > 1 else str(kind)
    factor = f" * {table.scale(tag_type.decimals)}" if tag_type.decimals else ""
    return f"{m.Table.INPUT.reference(address)} (input register {address}, {words}{factor})"


class Output:
    """Serves the present state; its promise for events is the FIFO, which is read from the journal."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: Server | None = None
        self._device: Device | None = None
        self._ticking: asyncio.Task[None] | None = None

    @property
    def taken(self) -> int | None:
        """The last event that the PLC has taken, if it has ever taken one and others wait in the FIFO."""
        return self._device.behind if self._device else None

    @property
    def port(self) -> int:
        """The port it listens on; only while open."""
        assert self._server
        return self._server.port

    async def open(self, host: Host, present: Present) -> None:
        """Fill the registers and listen. Raises OutputFailed."""
        s = self._settings
        try:
            image = Image(host.plant, s.word_order, s.writes)
        except ValueError as error:
            raise OutputFailed(str(error)) from error
        self._device = device = Device(host, image, s)
        await device.load(present)
        limits = Limits(
            sizes=(m.ALARMS, m.BITS_STRIDE * (len(m.BITS) - 1) + m.ALARMS, m.HOLDING_WORDS, len(image.input)),
            gaps=m.GAPS,
            allow=s.allow,
            connections=s.connections,
            idle_s=s.idle_s,
        )
        identity = {0: "Stethos", 1: "gateway", 2: version("stethos"), 4: "Stethos gateway", 5: host.gateway_id.hex()}
        server = Server((s.host, s.port), device, limits, identity, host.count)
        if not await server.listen():
            raise OutputFailed(f"cannot listen on {s.host} port {s.port}")
        self._server = server
        self._ticking = asyncio.create_task(device.tick())

    async def write(self, batch: Sequence[Update | Gap]) -> None:
        """Bring the registers up to date."""
        assert self._server
        assert self._device
        assert self._ticking
        self._server.check()
        if self._ticking.done():
            self._ticking.result()
        await self._device.take(batch)

    async def close(self) -> None:
        """Stop serving."""
        if self._ticking:
            self._ticking.cancel()
            await asyncio.wait({self._ticking})
            self._ticking = None
        if self._server:
            await self._server.stop()
            self._server = None


class Device:
    """What a client reads and writes: the image, the FIFO's place in the journal, and commands."""

    def __init__(self, host: Host, image: Image, settings: Settings) -> None:
        self._host = host
        self._image = image
        self._settings = settings
        self._taken = 0
        self._gone = 0  # up to this event, what the PLC has lost is counted
        self._shown = 0  # the last event in the FIFO
        self._waiting = False
        self._newest = 0  # number of the newest alarm event that is known
        self._writing = asyncio.Lock()

    @property
    def _followed(self) -> bool:
        """Whether a PLC takes the events, or has done so: one that never has does not want them."""
        return self._settings.writes and self._taken > 0

    @property
    def behind(self) -> int | None:
        """The last event taken, while the FIFO is followed and not empty."""
        return self._taken if self._followed and self._waiting else None

    async def load(self, present: Present) -> None:
        """The state to start from."""
        self._taken = await self._host.mark(FIFO_MARK)
        self._gone = await self._host.mark(GONE_MARK)
        self._put([*present.tags, *present.alarms])
        self._image.clock(_now_ms())
        await self._show_fifo()

    async def take(self, batch: Sequence[Update | Gap]) -> None:
        """Put Updates into the registers; alarm events come through the FIFO, from the journal."""
        before = self._newest
        self._put(batch)
        if self._newest > before or any(isinstance(update, Gap) for update in batch):
            async with self._writing:
                await self._show_fifo()

    async def tick(self) -> None:
        """Count the seconds until cancelled."""
        due = time.monotonic()
        while True:
            due = max(due + 1, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            self._image.tick(_now_ms())

    def _put(self, updates: Sequence[Update | Gap]) -> None:
        cell_of = self._image.cells.get
        for update in updates:
            match update:
                case TagChange():
                    cell = cell_of(update.tag)
                    if cell is None:
                        self._host.count("unplaced")
                    else:
                        cell.change = update
                case AlarmChange():
                    self._newest = max(self._newest, update.event)
                    if not self._image.alarm(update):
                        self._host.count("unplaced")
                case Gap():
                    if not self._followed:  # else what the PLC has not taken is more, and counted there
                        self._host.count("events_given_up", update.events)
                case IncidentChange():
                    pass  # the asset's `incident` tag and the FIFO's records tell it

    async def _show_fifo(self) -> None:
        """With handshake the oldest events not taken, without it the newest."""
        size = m.FIFO_RECORDS
        if self._settings.writes:
            events = await self._not_taken(size + 1)
        else:
            events = await self._newest_events(size)
        self._waiting = bool(events)
        self._shown = events[:size][-1].event if events else self._taken
        self._newest = max([self._newest, *(e.event for e in events)])
        self._image.fifo(events[:size], self._taken, self._newest, more=len(events) > size)

    async def _not_taken(self, count: int) -> Sequence[AlarmChange]:
        """The oldest events that are kept and not taken."""
        found = await self._host.alarm_events(self._taken, count)
        for update in found:
            if isinstance(update, Gap) and self._followed:
                await self._lost(update)
        return _alarms(found)

    async def _lost(self, gap: Gap) -> None:
        """Count events that were given up before the PLC took them, each once. Their numbers are of alarm and incident
        events: the PLC has lost at most so many.
        """
        if gap.last_event <= self._gone:
            return
        self._host.count("events_given_up", gap.last_event - max(self._gone, gap.first_event - 1))
        self._gone = gap.last_event
        with suppress(OutputFailed):  # then they are counted once more when it is opened again
            await self._host.set_mark(GONE_MARK, self._gone)

    async def _newest_events(self, count: int) -> Sequence[AlarmChange]:
        """Incidents share the numbers of alarm events, so it looks back twice as far until there are enough."""
        back = 2 * count
        while True:
            after = max(0, self._newest - back)
            events = _alarms(await self._host.alarm_events(after, back))
            if len(events) >= count or after == 0:
                return events[-count:]
            back *= 2

    # --- Registers

    def read(self, function: int, start: int, count: int) -> Sequence[int]:
        """Words as they stand; coils read 0."""
        match function:
            case 1 | 5 | 15:
                return [0] * count
            case 2:
                return [self._image.discrete(word) for word in range(start, start + count)]
            case 4:
                return self._image.read(start, count, _now_ms())
            case _:
                return self._image.holding[start : start + count]

    async def write(self, function: int, address: int, values: Sequence[int]) -> None:
        """Carry out a write; with `writes` off there is none."""
        if not self._settings.writes:
            self._host.count("refused_writes")
            raise Refused(ExcCodes.ILLEGAL_FUNCTION)
        async with self._writing:
            if function in (5, 15):
                await self._write_coils(address, values)
            else:
                await self._write_registers(address, values)

    async def _write_coils(self, address: int, values: Sequence[int]) -> None:
        pulsed = [address + i for i, value in enumerate(values) if value]
        if any(number not in self._image.alarm_of for number in pulsed):
            raise Refused(ExcCodes.ILLEGAL_ADDRESS)
        for number in pulsed:
            result = await self._acknowledge(alarm=str(self._image.alarm_of[number]))
            if result.outcome not in (Outcome.DONE, Outcome.ALREADY):
                raise Refused(ExcCodes.DEVICE_FAILURE)

    async def _write_registers(self, address: int, values: Sequence[int]) -> None:
        span = range(address, address + len(values))
        halved = any((pair in span) != (pair + 1 in span) for pair in m.PAIRS)
        if halved or span.start not in m.WRITABLE or span.stop - 1 not in m.WRITABLE:
            raise Refused(ExcCodes.ILLEGAL_ADDRESS)
        asked = {at: list(values[at - address :]) for at in (*m.PAIRS, m.ACK_COMMAND) if at in span}
        order = self._settings.word_order
        taken = m.number(asked[m.TAKEN][:2], order) if m.TAKEN in asked else self._taken
        command = asked.get(m.ACK_COMMAND, [0])[0]
        if not self._taken <= taken <= max(self._shown, self._taken) or command not in (0, m.ACKNOWLEDGE):
            raise Refused(ExcCodes.ILLEGAL_VALUE)
        self._image.holding[address : address + len(values)] = values
        if taken > self._taken:
            await self._host.set_mark(FIFO_MARK, taken)
            self._taken = taken
            await self._show_fifo()
        if command:
            pair = self._image.holding[m.ACK_EVENT : m.ACK_EVENT + 2]
            await self._acknowledge(event=m.number(pair, order))

    async def _acknowledge(self, *, alarm: str = "", event: int = 0) -> CommandResult:
        origin = f"modbus {peer.get()}"
        command = Command(CommandKind.ACKNOWLEDGE, "modbus", origin, alarm=alarm, event=event)
        result = await self._host.command(command)
        self._image.result(event, result)
        self._host.count("commands")
        return result


def _alarms(found: Sequence[AlarmChange | Gap]) -> Sequence[AlarmChange]:
    return [update for update in found if isinstance(update, AlarmChange)]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
