"""Small plants, and a bench that plays a script of entries to an engine. Times are seconds after `T0`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gateway.core.command import Command, CommandKind, CommandResult
from gateway.core.engine import Decision, Engine
from gateway.core.entry import Body, Commanded, Configured, Entry, Report, Scored, Started, Tick
from gateway.core.plant import (
    AlarmId,
    AlarmKind,
    AlarmText,
    Asset,
    Liveness,
    Node,
    Plant,
    Priority,
    Rescoring,
    Rule,
    Scope,
    TagId,
)
from gateway.core.update import AlarmChange, IncidentChange, TagChange, Update, encode_decision
from gateway.wire import age
from gateway.wire.messages import Birth, EnergyUc, Features, Flag, Health, UpMessage, Window, encode

T0 = 1_800_000_000_000
MODEL = bytes(range(32))
TEXT = AlarmText("{asset} sounds different", "It may stop", "Look at it", Priority.HIGH, 600)
RULE = Rule(k=2, window_ms=60_000, quiet_ms=120_000)


def ms(seconds: float) -> int:
    return T0 + round(seconds * 1000)


def plant(
    nodes: Mapping[str, Iterable[str]] | None = None,
    *,
    feeds: Mapping[str, tuple[str, ...]] | None = None,
    rule: Rule = RULE,
    model: str = "",
    models: Mapping[str, bytes] | None = None,
    on_delay_s: float = 0,
    off_delay_s: float = 0,
    correlate_s: float = 120,
    liveness: Liveness | None = None,
) -> Plant:
    """Assets with their nodes: by default `pump` with a, b, c, which feeds `fan` with d, e."""
    nodes = {"pump": "abc", "fan": "de"} if nodes is None else nodes
    feeds = {"pump": ("fan",)} if feeds is None else feeds
    text = replace(TEXT, on_delay_ms=round(on_delay_s * 1000), off_delay_ms=round(off_delay_s * 1000))
    names = [(node, asset) for asset, of in nodes.items() for node in of]
    return Plant(
        site="works",
        assets={
            name: Asset(name, "hall", "line", slot, rule, tuple(f for f in feeds.get(name, ()) if f in nodes))
            for slot, name in enumerate(nodes)
        },
        nodes={node: Node(node, node.encode() * 4, asset, i, 0, model) for i, (node, asset) in enumerate(names)},
        alarms=dict.fromkeys(AlarmKind, text),
        liveness=liveness or Liveness(),
        rescoring=Rescoring(5_000, {"m": MODEL} if models is None else models),
        correlate_ms=round(correlate_s * 1000),
    )


def anomaly(asset: str) -> AlarmId:
    return AlarmId(Scope.ASSET, asset, AlarmKind.ANOMALY)


def birth(heartbeat_s: int = 60, age_code: int = 0) -> Birth:
    return Birth(
        1, age_code, 1, 1, 0, 0, "bench", "1", 1, 1, 0, MODEL[:8], 1000, heartbeat_s * 1000, 100, 0, 0,
    )  # fmt: skip


def health(score: int = 100, why: int = 0, age_code: int = 0) -> Health:
    return Health(1, age_code, score, why, 3000, 2150, -60, 1, 1, 1, 0, 0, 0, EnergyUc(1, 1, 1, 1))


def flag(score: int = 144, why: int = 1, age_code: int = 0, features: bool = False) -> Flag:
    return Flag(1, age_code, score, why, 0, Features(1, (1, 2, 3)) if features else None)


def window(score: int = 100, age_code: int = 0) -> Window:
    return Window(1, age_code, score, 0, Features(1, (1, 2, 3)))


def report(node: str, message: UpMessage, received_ms: int) -> Report:
    return Report(node, "bench", 1, 0, received_ms, encode(message), message)


@dataclass
class Bench:
    """An engine on a bench: `at` plays an entry, and before it the Ticks the engine has asked for."""

    engine: Engine = field(default_factory=Engine)
    entries: list[Entry] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    decisions: list[bytes] = field(default_factory=list)
    now_ms: int = 0
    ticking: bool = True
    well: bool = False
    """Every node says "normal" one millisecond after each of its Flags: time alone tells when it has been quiet."""

    @classmethod
    def of(cls, configured: Plant, *, born: int = 0, well: bool = True) -> Bench:
        """Configured at second 0; with `born`, every node has announced a heartbeat of so many seconds."""
        bench = cls(well=well)
        bench.at(0, Configured(configured))
        for node in configured.nodes if born else ():
            bench.says(0, node, birth(born))
        return bench

    def at(self, seconds: float, body: Body) -> Decision:
        """Play one entry at a second."""
        if self.ticking:
            self.until(seconds)
        return self._enter(ms(seconds), body)

    def until(self, seconds: float) -> Bench:
        """Let time pass: a Tick whenever the engine has asked for one."""
        while (wake_ms := self.engine.next_wake_ms) is not None and wake_ms <= ms(seconds):
            self._enter(max(wake_ms, self.now_ms), Tick())
            assert self.engine.next_wake_ms is None or self.engine.next_wake_ms > self.now_ms, "a busy loop"
        return self

    def says(self, seconds: float, node: str, message: UpMessage, *, late_s: float = 0) -> Decision:
        """A node's message of a moment in the plant, taken up `late_s` seconds after it."""
        decision = self.at(seconds + late_s, report(node, message, ms(seconds)))
        if self.well and isinstance(message, Flag) and not 4 <= message.why <= 8:
            self._enter(ms(seconds + late_s), report(node, health(), ms(seconds) - age.decode(message.age) + 1))
        return decision

    def flags(self, *spoken: tuple[float, str], late_s: float = 0) -> Bench:
        """Flags of (second, node), in the order given."""
        for seconds, node in spoken:
            self.says(seconds, node, flag(), late_s=late_s)
        return self

    def scored(self, seconds: float, entry: int, value: int, failure: str = "") -> Decision:
        """The Score of the Window of an entry; the threshold is 100."""
        return self.at(seconds, Scored(entry, value, 100, MODEL, failure))

    def asks(
        self, seconds: float, kind: CommandKind, alarm: str = "", *, event: int = 0, comment: str = "",
        until_s: float = 0,
    ) -> CommandResult:  # fmt: skip
        """A person's command."""
        until_ms = ms(until_s) if until_s else 0
        result = self.at(seconds, Commanded(Command(kind, "ann", "bench", alarm, event, comment, until_ms))).result
        assert result is not None
        return result

    def restarts(self, seconds: float) -> Decision:
        """The gateway was away until this second: no Tick has come since the last entry."""
        return self._enter(ms(seconds), Started("test"))

    def tag(self, path: str) -> TagChange:
        """The newest change of a Tag."""
        return self.engine.ledger.tags[TagId.parse(path)]

    def alarm(self, alarm: AlarmId) -> AlarmChange:
        """The newest change of an Alarm."""
        return self.alarms(alarm)[-1]

    def alarms(self, alarm: AlarmId) -> list[AlarmChange]:
        """All changes of an Alarm."""
        return [u for u in self.updates if isinstance(u, AlarmChange) and u.alarm == alarm]

    def history(self, alarm: AlarmId) -> list[str]:
        """What happened to an Alarm."""
        return [str(change.transition) for change in self.alarms(alarm)]

    def incidents(self) -> list[IncidentChange]:
        """All changes of Incidents."""
        return [u for u in self.updates if isinstance(u, IncidentChange)]

    def story(self) -> list[tuple[int, str]]:
        """What happened to Incidents: number and transition."""
        return [(change.incident, str(change.transition)) for change in self.incidents()]

    def open(self) -> list[IncidentChange]:
        """The newest change of every open Incident."""
        newest = {change.incident: change for change in self.incidents()}
        return [change for change in newest.values() if change.open]

    def _enter(self, at_ms: int, body: Body) -> Decision:
        self.now_ms = max(self.now_ms, at_ms)
        entry = Entry(len(self.entries) + 1, self.now_ms, body)
        decision = self.engine.apply(entry)
        self.entries.append(entry)
        self.updates += decision.updates
        self.decisions.append(encode_decision(decision.updates, decision.waiting))
        return decision


def code_of(seconds: float) -> int:
    """The age code of exactly so many seconds."""
    code = age.encode(round(seconds * 1000))
    assert age.decode(code) == round(seconds * 1000), f"{seconds} s has no code of its own"
    return code
