"""What the registers say, the event FIFO, and what a PLC may write."""

from __future__ import annotations

import asyncio
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.command import Command, CommandResult
from gateway.core.plant import AlarmId, AlarmKind, Scope, TagId
from gateway.core.update import AlarmTransition, Quality, TagChange
from gateway.outputs import Gap, OutputFailed
from gateway.outputs.modbus import Output, Settings
from gateway.outputs.modbus import map as m
from tests.outputs.host import FAULT, LOST, PLANT, PUMP, T0_MS, MemoryHost, plant_of, tag
from tests.outputs.modbus.client import Raw, connected, serving


async def fifo(client: Raw) -> tuple[list[int], bool, int]:
    """Event numbers in the FIFO, whether more wait, and what has been taken."""
    words = await client.registers(4, m.FIFO, m.FIFO_END - m.FIFO)
    records = [words[4 + i * m.RECORD_WORDS :][: m.RECORD_WORDS] for i in range(words[0])]
    return [m.number(r[:2]) for r in records], bool(words[1]), m.number(words[2:4])


async def test_a_tag_is_value_quality_and_age() -> None:
    host = MemoryHost()
    now_ms = time.time_ns() // 1_000_000
    host.tags = {
        t.tag: t
        for t in (
            TagChange(TagId(Scope.NODE, "n1", "temperature"), -512, Quality.GOOD, now_ms - 90_500),
            TagChange(TagId(Scope.NODE, "n1", "score"), 130, Quality.UNSCORED, T0_MS),
            TagChange(TagId(Scope.NODE, "n1", "battery"), 3001, Quality.LOST, now_ms),
            TagChange(TagId(Scope.ASSET, "pump-1", "incident"), 70_000, Quality.GOOD, now_ms + 5000),
        )
    }
    async with serving(host) as output, connected(output) as client:
        base = m.NODE_BASE
        value, quality, age = await client.registers(4, base + 20, 3)
        assert (value, quality) == (65536 - 512, Quality.GOOD)
        assert 90 <= age <= 95
        assert await client.registers(4, base + 7, 3) == [130, Quality.UNSCORED, 0xFFFE]
        value, quality, _ = await client.registers(4, base + 17, 3)
        assert (value, quality) == (0xFFFF, Quality.LOST), "a bad value must not look like a measurement"
        assert await client.registers(4, base + 23, 3) == [0x8000, Quality.NO_DATA, 0xFFFF]
        assert await client.registers(4, m.ASSET_BASE + 12, 4) == [1, 70_000 - 65536, Quality.GOOD, 0]
        assert await client.registers(4, base + 2 * m.NODE_STRIDE, 20) == [0] * 20, "nobody has slot 2"
        await output.write([tag(Scope.NODE, "n1", "battery", 2950)])
        assert (await client.registers(4, base + 17, 2)) == [2950, Quality.GOOD]


async def test_little_endian_word_order() -> None:
    host = MemoryHost()
    host.tags = {t.tag: t for t in [tag(Scope.ASSET, "pump-1", "score", 70_000)]}
    async with serving(host, word_order="little") as output, connected(output) as client:
        assert await client.registers(4, m.ASSET_BASE + 8, 2) == [70_000 - 65536, 1]


async def test_heartbeat_and_clock_run() -> None:
    async with serving(MemoryHost()) as output, connected(output) as client:
        assert await client.registers(4, 0, 2) == [m.MAGIC, m.MAP_VERSION]
        [first] = await client.registers(4, m.HEARTBEAT, 1)
        async with asyncio.timeout(10):
            while (await client.registers(4, m.HEARTBEAT, 1))[0] < first + 2:
                await asyncio.sleep(0.05)
        assert abs(m.number(await client.registers(4, m.UNIX_TIME, 2)) - time.time()) < 5


async def test_the_status_word_follows_the_gateways_tags() -> None:
    async with serving(MemoryHost()) as output, connected(output) as client:
        off = 1 << m.STATUS_BITS.index("fifo_handshake_off")
        assert await client.registers(4, m.STATUS, 1) == [off]
        await output.write([tag(Scope.GATEWAY, "gateway", "nodes_lost", 2)])
        assert await client.registers(4, m.STATUS, 1) == [off | 1 << m.STATUS_BITS.index("nodes_lost")]
        assert (await client.registers(4, 19, 2)) == [2, Quality.GOOD]
        await output.write([tag(Scope.GATEWAY, "gateway", "nodes_lost", 0)])
        assert await client.registers(4, m.STATUS, 1) == [off]
    async with serving(MemoryHost(), writes=True) as output, connected(output) as client:
        assert await client.registers(4, m.STATUS, 1) == [1 << m.STATUS_BITS.index("writes_on")]


async def bits(client: Raw, alarm: AlarmId) -> list[int]:
    """Active, unacknowledged, suppressed: as discrete inputs, packed words and status word, which must agree."""
    number, place = m.alarm_number(PLANT, alarm), m.block(PLANT, alarm.scope, alarm.name)
    single = [(await client.bits(2, m.BITS_STRIDE * i + number, 1))[0] for i in range(3)]
    words = [(await client.registers(4, m.PACKED_BASE + m.PACKED_STRIDE * i + number // 16, 1))[0] for i in range(3)]
    assert [word >> number % 16 & 1 for word in words] == single
    [status] = await client.registers(4, place, 1)
    assert [status >> m.status_bit(alarm.kind, i) & 1 for i in range(3)] == single
    assert status & 1
    return single


async def test_alarm_bits_in_all_three_places() -> None:
    host = MemoryHost()
    async with serving(host) as output, connected(output) as client:
        for alarm in (PUMP, LOST, FAULT):
            others = [a for a in (PUMP, LOST, FAULT) if a != alarm]
            raised = host.raised(alarm)
            await output.write([raised])
            assert await bits(client, alarm) == [1, 1, 0]
            returned = host.moved(raised, AlarmTransition.RETURNED, active=False)
            await output.write([returned])
            assert await bits(client, alarm) == [0, 1, 0]
            shelved = host.moved(raised, AlarmTransition.SHELVED, shelved_until_ms=T0_MS)
            await output.write([shelved])
            assert await bits(client, alarm) == [0, 0, 1]
            await output.write([host.moved(returned, AlarmTransition.ACKNOWLEDGED, acknowledged=True)])
            assert await bits(client, alarm) == [0, 0, 0]
            assert [await bits(client, other) for other in others] == [[0, 0, 0]] * 2


async def test_events_missed_while_away_do_not_turn_the_bits_back() -> None:
    host = MemoryHost()
    raised = host.raised(LOST)
    host.moved(raised, AlarmTransition.RETURNED, active=False)
    async with serving(host) as output, connected(output) as client:
        await output.write([raised])
        assert await bits(client, LOST) == [0, 1, 0]


async def test_alarm_bits_are_there_from_the_start() -> None:
    host = MemoryHost()
    host.raised(FAULT)
    async with serving(host) as output, connected(output) as client:
        assert await bits(client, FAULT) == [1, 1, 0]


async def test_a_fifo_record_tells_the_whole_event() -> None:
    host = MemoryHost()
    for _ in range(70_000 // 10_000):
        host.skip_event()
    event = host.raised(FAULT, incident=70_000)
    async with serving(host) as output, connected(output) as client:
        record = await client.registers(4, m.RECORD, m.RECORD_WORDS)
    assert record == [
        0, event.event, 1029, 1, m.KIND_CODES[AlarmKind.SENSOR_FAULT], 1, 1, 500,
        *divmod(T0_MS // 1000, 65536), 1, 70_000 - 65536, 123, 0b101,
    ]  # fmt: skip


async def test_events_of_what_is_no_longer_configured_still_pass() -> None:
    host = MemoryHost()
    host.raised(AlarmId(Scope.NODE, "removed", AlarmKind.NODE_LOST))
    async with serving(host) as output, connected(output) as client:
        assert (await client.registers(4, m.RECORD, 8))[:4] == [0, 1, 0xFFFF, 0xFFFF]
    assert host.counts["unplaced"] == 1


async def test_without_handshake_the_fifo_shows_the_newest_events() -> None:
    host = MemoryHost()
    async with serving(host) as output, connected(output) as client:
        assert await fifo(client) == ([], False, 0)
        for _ in range(30):
            host.skip_event()
            host.skip_event()
            await output.write([host.raised()])
        newest = [e.event for e in host.events[-8:]]
        assert await fifo(client) == (newest, False, 0)
        assert m.number(await client.registers(4, m.NEWEST_EVENT, 2)) == newest[-1]
        assert await client.write(m.TAKEN, 0, newest[0]) == b"\x90\x01"
    assert host.counts["refused_writes"] == 1
    assert not host.marks
    async with serving(host) as output, connected(output) as client:
        assert (await fifo(client))[0] == newest


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_a_plc_that_follows_the_fifo_gets_every_event_once_and_in_order(data: st.DataObject) -> None:
    """Through floods, incident numbers in between, restarts of the gateway and takes of any size."""

    async def run() -> None:
        host, got = MemoryHost(), []
        for _ in range(data.draw(st.integers(1, 4))):
            async with serving(host, writes=True) as output, connected(output) as client:
                for _ in range(data.draw(st.integers(0, 6))):
                    batch = []
                    for skip in data.draw(st.lists(st.booleans(), max_size=12)):
                        host.skip_event() if skip else batch.append(host.raised())
                    await output.write(batch)
                    events, more, taken = await fifo(client)
                    assert events == [e.event for e in host.events if e.event > taken][:8]
                    assert more == (len([e for e in host.events if e.event > taken]) > 8)
                    count = data.draw(st.integers(0, len(events)))
                    if count:
                        assert await client.write(m.TAKEN, 0, events[count - 1]) == b"\x10\x00\x00\x00\x02"
                        got += events[:count]
        async with serving(host, writes=True) as output, connected(output) as client:
            for _ in host.events:
                events, _, _ = await fifo(client)
                if not events:
                    break
                await client.write(m.TAKEN, 0, events[-1])
                got += events
        assert got == [e.event for e in host.events]

    asyncio.run(run())


async def test_only_what_was_shown_can_be_taken() -> None:
    host = MemoryHost()
    for _ in range(12):
        host.raised()
    async with serving(host, writes=True) as output, connected(output) as client:
        assert await client.write(m.TAKEN, 0, 9) == b"\x90\x03", "event 9 has not been shown"
        assert await client.write(m.TAKEN, 0, 5) == b"\x10\x00\x00\x00\x02"
        assert await client.write(m.TAKEN, 0, 5) == b"\x10\x00\x00\x00\x02", "the same again does no harm"
        assert await client.write(m.TAKEN, 0, 4) == b"\x90\x03", "it never goes back"
        assert await client.registers(3, m.TAKEN, 2) == [0, 5]
        assert host.marks == {"fifo": 5}


async def test_an_acknowledgement_is_carried_out_and_its_result_echoed() -> None:
    host = MemoryHost()
    raised = host.raised()
    async with serving(host, writes=True) as output, connected(output) as client:
        assert await client.registers(3, m.RESULT, 2) == [0, 0]
        assert await client.write(m.ACK_EVENT, 0, raised.event, m.ACKNOWLEDGE) == b"\x10\x00\x02\x00\x03"
        assert await client.registers(3, m.RESULT, 7) == [1, 1, 0, 0, raised.event, 0, host.events[-1].event]
        await client.write(m.ACK_EVENT, 0, 77, m.ACKNOWLEDGE)
        assert await client.registers(3, m.RESULT, 7) == [m.RESULT_CODES["unknown_event"], 2, 0, 0, 77, 0, 0]
        await output.write(host.events[-1:])
        assert await bits(client, PUMP) == [1, 0, 0]
    done = host.events[-1]
    assert (done.transition, done.actor, done.origin) == (
        AlarmTransition.ACKNOWLEDGED, "modbus", "modbus 127.0.0.1",
    )  # fmt: skip


async def test_an_acknowledgement_in_two_writes_and_in_one_with_the_read() -> None:
    host = MemoryHost()
    event = host.raised().event
    async with serving(host, writes=True) as output, connected(output) as client:
        await client.write(m.ACK_EVENT, 0, event)
        assert not host.commands
        assert await client.ask(struct.pack(">BHH", 6, m.ACK_COMMAND, 1)) == struct.pack(">BHH", 6, m.ACK_COMMAND, 1)
        assert host.commands[-1].event == event
        both = struct.pack(">BHHHHBHHH", 23, m.RESULT, 1, m.ACK_EVENT, 3, 6, 0, event, 1)
        assert await client.ask(both) == struct.pack(">BBH", 23, 2, m.RESULT_CODES["unknown_event"])
        assert await client.ask(struct.pack(">BHHH", 22, m.ACK_COMMAND, 0, 1)) == struct.pack(
            ">BHHH", 22, m.ACK_COMMAND, 0, 1
        )
        assert len(host.commands) == 3


async def test_a_coil_acknowledges_what_stands() -> None:
    host = MemoryHost()
    host.raised(LOST)
    host.raised(PUMP)
    on = struct.pack(">BHH", 5, m.alarm_number(PLANT, LOST), 0xFF00)
    async with serving(host, writes=True) as output, connected(output) as client:
        assert await client.ask(on) == on
        assert await client.ask(on) == on, "acknowledged already is no error"
        assert await client.bits(1, m.alarm_number(PLANT, LOST), 1) == [0]
        off = struct.pack(">BHH", 5, 0, 0)
        assert await client.ask(off) == off
        assert [c.alarm for c in host.commands] == ["node/n1/node_lost"] * 2
        assert await client.ask(struct.pack(">BHHBB", 15, 0, 8, 1, 1)) == struct.pack(">BHH", 15, 0, 8)
        assert host.commands[-1].alarm == "asset/pump-1/anomaly"
        assert await client.ask(struct.pack(">BHHBB", 15, 0, 8, 1, 2)) == b"\x8f\x02", "alarm 1 is nobody's"
        assert await client.ask(struct.pack(">BHH", 5, m.alarm_number(PLANT, FAULT), 0xFF00)) == b"\x85\x04"
        assert len(host.commands) == 4


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        (struct.pack(">BHH", 6, m.TAKEN, 0), 2),
        (struct.pack(">BHH", 6, m.TAKEN + 1, 1), 2),
        (struct.pack(">BHH", 6, m.ACK_EVENT + 1, 1), 2),
        (struct.pack(">BHHH", 22, m.TAKEN, 0, 1), 2),
        (struct.pack(">BHHBHH", 16, 1, 2, 4, 0, 0), 2),
        (struct.pack(">BHHBHH", 16, 3, 2, 4, 0, 1), 2),
        (struct.pack(">BHH", 6, m.RESULT, 0), 2),
        (struct.pack(">BHHBHH", 16, m.ACK_COMMAND, 2, 4, 1, 0), 2),
        (struct.pack(">BHH", 6, m.HOLDING_WORDS, 0), 2),
        (struct.pack(">BHH", 6, m.ACK_COMMAND, 2), 3),
    ],
)
async def test_a_write_that_is_not_meant_is_refused_whole(pdu: bytes, code: int) -> None:
    host = MemoryHost()
    host.raised()
    async with serving(host, writes=True) as output, connected(output) as client:
        before = await client.registers(3, 0, m.HOLDING_WORDS)
        assert await client.ask(pdu) == bytes([pdu[0] | 0x80, code])
        assert await client.registers(3, 0, m.HOLDING_WORDS) == before
    assert not host.commands
    assert not host.marks


@pytest.mark.parametrize(
    "pdu",
    [
        struct.pack(">BHH", 5, 0, 0xFF00),
        struct.pack(">BHH", 6, m.ACK_COMMAND, 1),
        struct.pack(">BHHBB", 15, 0, 1, 1, 1),
        struct.pack(">BHHBHHH", 16, m.ACK_EVENT, 3, 6, 0, 1, 1),
        struct.pack(">BHHH", 22, m.ACK_COMMAND, 0, 1),
        struct.pack(">BHHHHBHH", 23, 0, 1, m.TAKEN, 2, 4, 0, 1),
    ],
)
async def test_nothing_can_be_written_by_default(pdu: bytes) -> None:
    host = MemoryHost()
    host.raised()
    async with serving(host) as output, connected(output) as client:
        assert await client.ask(pdu) == bytes([pdu[0] | 0x80, 1])
    assert not host.commands
    assert host.counts["refused_writes"] == 1


async def test_an_acknowledgement_is_not_broken_off_when_the_plc_hangs_up() -> None:
    class Slow(MemoryHost):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.go = asyncio.Event(), asyncio.Event()

        async def command(self, command: Command) -> CommandResult:
            self.asked.set()
            await self.go.wait()
            return await super().command(command)

    host = Slow()
    event = host.raised().event
    async with serving(host, writes=True) as output:
        async with connected(output) as client:
            client.send(bytes.fromhex("00010000") + struct.pack(">HBBHHBHHH", 13, 1, 16, 2, 3, 6, 0, event, 1))
            async with asyncio.timeout(5):
                await host.asked.wait()
        async with connected(output) as other:
            assert await other.registers(4, 0, 1) == [m.MAGIC], "others are served meanwhile"
            host.go.set()
            async with asyncio.timeout(5):
                while (await other.registers(3, m.RESULT, 1)) != [1]:
                    await asyncio.sleep(0.01)
    assert host.events[-1].acknowledged


async def test_a_value_is_never_read_in_halves() -> None:
    """While a 32-bit value changes all the time, its two words always belong together."""
    host = MemoryHost()
    async with serving(host) as output, connected(output) as client:
        low, high = tag(Scope.ASSET, "pump-1", "score", 0x0000FFFF), tag(Scope.ASSET, "pump-1", "score", 0x00010000)
        seen = set()
        for turn in range(200):
            _, words = await asyncio.gather(
                output.write([high if turn % 2 else low]), client.registers(4, m.ASSET_BASE + 8, 2)
            )
            seen.add(m.number(words))
    assert seen <= {0xFFFFFFFF, 0x0000FFFF, 0x00010000}
    assert len(seen) >= 2


async def test_a_slot_beyond_the_map_fails_the_open_with_its_name() -> None:
    host = MemoryHost(plant_of({"far": m.ASSET_SLOTS}, {}))
    output = Output(Settings(port=0))
    with pytest.raises(OutputFailed, match="asset far"):
        await output.open(host, host.present)
    await output.close()


async def test_a_tag_that_is_no_longer_configured_is_counted() -> None:
    host = MemoryHost()
    async with serving(host) as output:
        gone = tag(Scope.NODE, "removed", "battery", 1)
        await output.write([gone, gone._replace(value=None)])
    assert host.counts["unplaced"] == 2


async def test_events_given_up_are_counted() -> None:
    host = MemoryHost()
    async with serving(host) as output:
        await output.write([Gap(3, 7)])
    assert host.counts["events_given_up"] == 5


async def test_opened_again_on_its_port_at_once_with_a_client_attached() -> None:
    host = MemoryHost()
    async with serving(host) as old, connected(old) as client:
        assert len(await client.registers(4, 0, 2)) == 2
        early, port = Output(Settings(port=old.port)), old.port
        with pytest.raises(OutputFailed):
            await early.open(host, host.present)
        await early.close()
        await old.close()
        assert await client.closed()
        new = Output(Settings(port=port))
        await new.open(host, host.present)
        async with connected(new) as again:
            assert len(await again.registers(4, 0, 2)) == 2
        await new.close()
