"""The registers as they stand: what Updates, the clock and the event FIFO put into them.

Every method leaves the image whole before it returns, so a request, which is answered in one piece, never sees half a
value or half an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.core.command import CommandResult
from gateway.core.plant import AlarmId, Plant, Scope
from gateway.core.update import AlarmChange, Quality, TagChange
from gateway.outputs.modbus import map as m


class Image:
    """Input, holding and bit registers of one plant."""

    def __init__(self, plant: Plant, order: m.WordOrder, writes: bool) -> None:
        self._plant = plant
        self._order = order
        self._writes = writes
        self.input = [0] * (m.NODE_BASE + m.NODE_STRIDE * m.NODE_SLOTS)
        self.holding = [0] * m.HOLDING_WORDS
        self.alarm_of = {m.alarm_number(plant, alarm): alarm for alarm in plant.alarm_ids()}
        self._number_of = {alarm: number for number, alarm in self.alarm_of.items()}
        self._entry_of = {tag: (m.tag_address(plant, tag), m.OFFSETS[tag.scope][tag.tag][1]) for tag, _ in plant.tags()}
        self._source_ms: dict[int, int] = {}  # age register -> time of the sample
        self._event_of: dict[AlarmId, int] = {}  # the change that its bits show
        self.input[0:2] = [m.MAGIC, m.MAP_VERSION]
        self._status(writes=writes, more=False)
        for scope, names in ((Scope.ASSET, plant.assets), (Scope.NODE, plant.nodes)):
            for name in names:
                self.input[m.block(plant, scope, name)] = 1
        for tag, _ in plant.tags():
            self.tag(TagChange(tag, None, Quality.NO_DATA, 0), 0)

    def tag(self, change: TagChange, now_ms: int) -> bool:
        """Take over a Tag at `now_ms` (Unix ms). False if it has no place: its Node or Asset is no longer configured.

        A bad value reads "not available": a PLC that ignores the quality must not mistake it for a measurement.
        """
        if change.tag not in self._entry_of:
            return False
        address, kind = self._entry_of[change.tag]
        value = None if change.quality.is_bad or isinstance(change.value, str) else change.value
        age = address + kind.words + 1
        if change.value is None or not change.source_ms:
            self._source_ms.pop(age, None)
            age_s = 0xFFFF
        else:
            self._source_ms[age] = change.source_ms
            age_s = _age_s(change.source_ms, now_ms)
        self.input[address : age + 1] = [*kind.to_words(value, self._order), change.quality, age_s]
        if change.tag.scope is Scope.GATEWAY:
            bit = m.STATUS_BITS.index(change.tag.tag)
            self.input[m.STATUS] = _with_bit(self.input[m.STATUS], bit, bool(value))
        return True

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
        status = m.block(self._plant, change.alarm.scope, change.alarm.name)
        for i, bit in enumerate(bits):
            word = m.PACKED_BASE + m.PACKED_STRIDE * i + number // 16
            self.input[word] = _with_bit(self.input[word], number % 16, bit)
            self.input[status] = _with_bit(self.input[status], m.status_bit(change.alarm.kind, i), bit)
        return True

    def tick(self, now_ms: int) -> None:
        """One second has passed: heartbeat, clock and every age."""
        self.input[m.HEARTBEAT] = (self.input[m.HEARTBEAT] + 1) & 0xFFFF
        self.clock(now_ms)

    def clock(self, now_ms: int) -> None:
        """The gateway's clock, and every age by it."""
        self._put(m.UNIX_TIME, m.Type.UINT32, now_ms // 1000)
        for address, source_ms in self._source_ms.items():
            self.input[address] = _age_s(source_ms, now_ms)

    def fifo(self, events: Sequence[AlarmChange], taken: int, newest: int, more: bool) -> None:
        """Show these events (at most FIFO_RECORDS, oldest first)."""
        end = m.FIFO_END
        records = [word for event in events for word in self._record(event)]
        self.input[m.RECORD : end] = records + [0] * (end - m.RECORD - len(records))
        self.input[m.FIFO_COUNT] = len(events)
        self.input[m.FIFO_MORE] = more
        self._put(m.FIFO_TAKEN, m.Type.UINT32, taken)
        self._put(m.NEWEST_EVENT, m.Type.UINT32, newest)
        self.holding[m.TAKEN : m.TAKEN + 2] = m.Type.UINT32.to_words(taken, self._order)
        self._status(writes=self._writes, more=more)

    def result(self, event: int, result: CommandResult) -> None:
        """Echo the answer to a command."""
        h = self.holding
        h[m.RESULT], h[m.RESULT_COUNT] = m.RESULT_CODES[result.outcome], (h[m.RESULT_COUNT] + 1) & 0xFFFF
        h[m.RESULT_FOR : m.RESULT_FOR + 2] = m.Type.UINT32.to_words(event, self._order)
        h[m.RESULT_EVENT : m.RESULT_EVENT + 2] = m.Type.UINT32.to_words(result.event, self._order)

    def discrete(self, word: int) -> int:
        """Sixteen discrete inputs: those from `16 * word`."""
        kind, place = divmod(word, m.BITS_STRIDE // 16)
        return self.input[m.PACKED_BASE + m.PACKED_STRIDE * kind + place] if place < m.ALARM_WORDS else 0

    def _record(self, event: AlarmChange) -> Iterable[int]:
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
            words[offset : offset + kind.words] = kind.to_words(None if absent else values[name], self._order)
        return words

    def _put(self, address: int, kind: m.Type, value: int) -> None:
        self.input[address : address + kind.words] = kind.to_words(value, self._order)

    def _status(self, *, writes: bool, more: bool) -> None:
        for name, on in (("writes_on", writes), ("fifo_handshake_off", not writes), ("fifo_has_more", more)):
            self.input[m.STATUS] = _with_bit(self.input[m.STATUS], m.STATUS_BITS.index(name), on)


def _age_s(source_ms: int, now_ms: int) -> int:
    """Whole seconds, saturated; a sample from the future is 0 seconds old."""
    return m.Type.UINT16.to_words((now_ms - source_ms) // 1000)[0]


def _with_bit(word: int, bit: int, on: bool) -> int:
    return word | 1 << bit if on else word & ~(1 << bit)


def _slot(plant: Plant, alarm: AlarmId) -> int:
    return plant.assets[alarm.name].slot if alarm.scope is Scope.ASSET else plant.nodes[alarm.name].slot
