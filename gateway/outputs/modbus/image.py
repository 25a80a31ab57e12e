"""The registers as they stand: what Updates, the clock and the event FIFO put into them.

Every method leaves the image whole before it returns, so a request, which is answered in one piece, never sees half a
value or half an event. Tags change a thousand times for each time that somebody reads them: their registers are made
then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain

from gateway.core.command import CommandResult
from gateway.core.plant import AlarmId, Plant, Scope, TagId
from gateway.core.update import AlarmChange, Quality, TagChange
from gateway.outputs.modbus import map as m

_NO_AGE = 0xFFFF
_OLDEST_S = 0xFFFE


class Cell:
    """The input registers of one Tag: value, quality and age."""

    __slots__ = ("_kind", "address", "change", "end")

    def __init__(self, tag: TagId, address: int, kind: m.Type) -> None:
        self._kind = kind
        self.address = address
        self.end = address + kind.words + 2
        self.change = TagChange(tag, None, Quality.NO_DATA, 0)

    @property
    def value(self) -> bool | int | None:
        """A bad value is None: a PLC that ignores the quality must not mistake it for a measurement."""
        value = self.change.value
        return None if isinstance(value, str) or self.change.quality.is_bad else value

    def words(self, order: m.WordOrder, now_ms: int) -> list[int]:
        """The registers as they are at `now_ms` (Unix ms)."""
        _, value, quality, source_ms = self.change
        age = _NO_AGE if value is None or not source_ms else _age_s(source_ms, now_ms)
        return [*self._kind.to_words(self.value, order), quality, age]


class Image:
    """Input, holding and bit registers of one plant."""

    def __init__(self, plant: Plant, order: m.WordOrder, writes: bool) -> None:
        self._plant = plant
        self.order = order
        self._writes = writes
        self.input = [0] * (m.NODE_BASE + m.NODE_STRIDE * m.NODE_SLOTS)
        self.holding = [0] * m.HOLDING_WORDS
        self.alarm_of = {m.alarm_number(plant, alarm): alarm for alarm in plant.alarm_ids()}
        self._number_of = {alarm: number for number, alarm in self.alarm_of.items()}
        self.cells = {
            tag: Cell(tag, m.tag_address(plant, tag), m.OFFSETS[tag.scope][tag.tag][1]) for tag, _ in plant.tags()
        }
        self._by_address = sorted(self.cells.values(), key=lambda cell: cell.address)
        self._ends = [cell.end for cell in self._by_address]
        self._counts = [self.cells[tag] for tag in self.cells if tag.scope is Scope.GATEWAY]
        self._event_of: dict[AlarmId, int] = {}  # the change that its bits show
        self._records: dict[int, Sequence[int]] = {}  # in the FIFO, by event
        self.input[0:2] = [m.MAGIC, m.MAP_VERSION]
        self._status(writes=writes, more=False)
        for scope, names in ((Scope.ASSET, plant.assets), (Scope.NODE, plant.nodes)):
            for name in names:
                self.input[m.block(plant, scope, name)] = 1

    def alarm(self, change: AlarmChange) -> bool:
        """Take over an Alarm's bits, unless newer ones stand. False if it is no longer configured."""
        number = self._number_of.get(change.alarm)
        if number is None:
            return False
        if change.event < self._event_of.get(change.alarm, 0):
            return True
        self._event_of[change.alarm] = change.event
        suppressed = change.out_of_service or bool(change.shelved_until_ms)
        bits = (change.active and not suppressed, not change.acknowledged and not suppressed, suppressed)
        status = m.status_word(self._plant, change.alarm)
        for i, bit in enumerate(bits):
            word = m.PACKED_BASE + m.PACKED_STRIDE * i + number // 16
            self.input[word] = _with_bit(self.input[word], number % 16, bit)
            self.input[status] = _with_bit(self.input[status], m.status_bit(change.alarm.kind, i), bit)
        return True

    def tick(self, now_ms: int) -> None:
        """One second has passed: heartbeat and clock."""
        self.input[m.HEARTBEAT] = (self.input[m.HEARTBEAT] + 1) & 0xFFFF
        self.clock(now_ms)

    def clock(self, now_ms: int) -> None:
        """The gateway's clock."""
        self._put(m.UNIX_TIME, m.Type.UINT32, now_ms // 1000)

    def read(self, start: int, count: int, now_ms: int) -> Sequence[int]:
        """Input registers from `start`, with the ages of Tags at `now_ms` (Unix ms)."""
        words = self.input[start : start + count]
        for cell in self._cells(start, start + count):
            made, at = cell.words(self.order, now_ms), cell.address - start
            if at < 0:
                made, at = made[-at:], 0
            words[at : cell.end - start] = made[: count - at]
        if start <= m.STATUS < start + count:
            words[m.STATUS - start] |= self._status_of_tags()
        return words

    def _cells(self, start: int, end: int) -> Iterator[Cell]:
        """The Tags that have a register in this range."""
        cells, at = self._by_address, bisect_right(self._ends, start)
        while at < len(cells) and cells[at].address < end:
            yield cells[at]
            at += 1

    def _status_of_tags(self) -> int:
        return sum(bool(cell.value) << m.STATUS_BITS.index(cell.change.tag.tag) for cell in self._counts)

    def fifo(self, events: Sequence[AlarmChange], taken: int, newest: int, more: bool) -> None:
        """Show these events (at most FIFO_RECORDS, oldest first)."""
        end = m.FIFO_END
        known = self._records  # of the last time: most of them are shown again, one record further
        self._records = {event.event: known.get(event.event) or self._record(event) for event in events}
        records = [*chain.from_iterable(self._records.values())]
        self.input[m.RECORD : end] = records + [0] * (end - m.RECORD - len(records))
        self.input[m.FIFO_COUNT] = len(events)
        self.input[m.FIFO_MORE] = more
        self._put(m.FIFO_TAKEN, m.Type.UINT32, taken)
        self._put(m.NEWEST_EVENT, m.Type.UINT32, newest)
        self.holding[m.TAKEN : m.TAKEN + 2] = m.Type.UINT32.to_words(taken, self.order)
        self._status(writes=self._writes, more=more)

    def result(self, event: int, result: CommandResult) -> None:
        """Echo the answer to a command."""
        h = self.holding
        h[m.RESULT], h[m.RESULT_COUNT] = m.RESULT_CODES[result.outcome], (h[m.RESULT_COUNT] + 1) & 0xFFFF
        h[m.RESULT_FOR : m.RESULT_FOR + 2] = m.Type.UINT32.to_words(event, self.order)
        h[m.RESULT_EVENT : m.RESULT_EVENT + 2] = m.Type.UINT32.to_words(result.event, self.order)

    def discrete(self, word: int) -> int:
        """Sixteen discrete inputs: those from `16 * word`."""
        kind, place = divmod(word, m.BITS_STRIDE // 16)
        return self.input[m.PACKED_BASE + m.PACKED_STRIDE * kind + place] if place < m.ALARM_WORDS else 0

    def _record(self, event: AlarmChange) -> Sequence[int]:
        number, slot, severity = self._number_of.get(event.alarm, 0xFFFF), 0xFFFF, 0
        if event.alarm in self._number_of:
            slot = _slot(self._plant, event.alarm)
            severity = self._plant.text_of(event.alarm).priority.severity
        flags = sum(getattr(event, flag) << i for i, flag in enumerate(m.RECORD_FLAGS))
        values = {
            "event": event.event, "alarm": number, "slot": slot, "kind": m.KIND_CODES[event.alarm.kind],
            "transition": m.TRANSITION_CODES[event.transition], "state": m.STATE_CODES[event.state],
            "severity": severity, "source_s": event.source_ms // 1000, "incident": event.incident,
            "source_ms": event.source_ms % 1000, "flags": flags,
        }  # fmt: skip
        words = [0] * m.RECORD_WORDS
        for name, offset, kind, _ in m.RECORD_FIELDS:
            absent = name in ("alarm", "slot") and values[name] == 0xFFFF
            words[offset : offset + kind.words] = kind.to_words(None if absent else values[name], self.order)
        return words

    def _put(self, address: int, kind: m.Type, value: int) -> None:
        self.input[address : address + kind.words] = kind.to_words(value, self.order)

    def _status(self, *, writes: bool, more: bool) -> None:
        for name, on in (("writes_on", writes), ("fifo_handshake_off", not writes), ("fifo_has_more", more)):
            self.input[m.STATUS] = _with_bit(self.input[m.STATUS], m.STATUS_BITS.index(name), on)


def _age_s(source_ms: int, now_ms: int) -> int:
    """Whole seconds, saturated; a sample from the future is 0 seconds old."""
    return min(max((now_ms - source_ms) // 1000, 0), _OLDEST_S)


def _with_bit(word: int, bit: int, on: bool) -> int:
    return word | 1 << bit if on else word & ~(1 << bit)


def _slot(plant: Plant, alarm: AlarmId) -> int:
    match alarm.scope:
        case Scope.GATEWAY:
            return 0
        case Scope.ASSET:
            return plant.assets[alarm.name].slot
        case Scope.NODE:
            return plant.nodes[alarm.name].slot
