"""What the plant consists of: assets, nodes, their tags and the alarms they can raise.

A `Plant` is the decision-relevant part of the configuration, in plain frozen values. It is journalled whole, so that
the journal alone explains every decision, and every Output builds its address space from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple


class Scope(StrEnum):
    """What a Tag or an Alarm belongs to."""

    GATEWAY = "gateway"
    ASSET = "asset"
    NODE = "node"

    __hash__ = str.__hash__  # of equal strings, and without a call into Python for each Tag that is looked up


class Kind(StrEnum):
    """Type of a Tag's value."""

    BOOL = "bool"
    INT = "int"
    TEXT = "text"


class Priority(StrEnum):
    """Alarm priority (ISA-18.2), each with its OPC UA severity (Part 9: 1 to 1000)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def severity(self) -> int:
        """OPC UA severity, 1 to 1000."""
        return {"low": 200, "medium": 500, "high": 800, "critical": 1000}[self.value]


@dataclass(frozen=True, slots=True)
class TagType:
    """One kind of Tag. An INT's value in `unit` is the integer divided by 10**decimals."""

    name: str
    kind: Kind
    description: str
    unit: str = ""
    decimals: int = 0
    low: int = 0
    high: int = 0
    states: tuple[str, ...] = ()  # names of the values of an enumeration, from 0


LIVENESS = ("unknown", "on_time", "due", "late", "stale", "lost")
ASSET_STATES = ("normal", "suspect", "incident")

NODE_TAGS: tuple[TagType, ...] = (
    TagType("liveness", Kind.INT, "Is the node keeping its own schedule", states=LIVENESS, high=len(LIVENESS) - 1),
    TagType("anomalous", Kind.BOOL, "The node's newest verdict, after re-scoring where there was one"),
    TagType("score", Kind.INT, "The node's own score, its threshold being 100", "%", 0, 0, 25600),
    TagType("host_score", Kind.INT, "The gateway's re-score, its threshold being 100", "%", 0, 0, 100000),
    TagType("sensor", Kind.INT, "0, or the code of the sensor fault that stands", "", 0, 0, 63),
    TagType("battery", Kind.INT, "Battery voltage", "V", 3, 0, 65535),
    TagType("temperature", Kind.INT, "Temperature of the node", "degC", 2, -4000, 12500),
    TagType("link", Kind.INT, "Strength of the radio signal at the node", "dBm", 0, -128, 0),
)
ASSET_TAGS: tuple[TagType, ...] = (
    TagType("state", Kind.INT, "What the evidence says", states=ASSET_STATES, high=len(ASSET_STATES) - 1),
    TagType("evidence", Kind.INT, "Nodes whose evidence stands against the asset", "", 0, 0, 255),
    TagType("score", Kind.INT, "Highest standing score among its nodes, the threshold being 100", "%", 0, 0, 100000),
    TagType("incident", Kind.INT, "Number of the open incident, or 0", "", 0, 0, 2**31 - 1),
)
GATEWAY_TAGS: tuple[TagType, ...] = (
    TagType("alarms_active", Kind.INT, "Alarms that are active and neither shelved nor out of service", high=65535),
    TagType("alarms_unacknowledged", Kind.INT, "Alarms that wait for an acknowledgement", high=65535),
    TagType("incidents_open", Kind.INT, "Open incidents", high=65535),
    TagType("nodes_lost", Kind.INT, "Nodes that have missed their schedule for too long", high=65535),
)
TAG_TYPES: Mapping[Scope, tuple[TagType, ...]] = {
    Scope.GATEWAY: GATEWAY_TAGS,
    Scope.ASSET: ASSET_TAGS,
    Scope.NODE: NODE_TAGS,
}


class AlarmKind(StrEnum):
    """What can be wrong. The configuration has one `[alarm.<kind>]` for each."""

    ANOMALY = "anomaly"  # of an Asset: an Incident with evidence
    NODE_LOST = "node_lost"  # of a Node
    SENSOR_FAULT = "sensor_fault"  # of a Node
    JOURNAL_SPACE = "journal_space"  # of the gateway: the disk or the journal's bound is nearly reached
    OUTPUT_BEHIND = "output_behind"  # of the gateway: events that an Output has not delivered are soon given up

    __hash__ = str.__hash__  # as of Scope: each Alarm that is looked up is named by both

    @property
    def scope(self) -> Scope:
        """What such an alarm belongs to."""
        match self:
            case AlarmKind.ANOMALY:
                return Scope.ASSET
            case AlarmKind.NODE_LOST | AlarmKind.SENSOR_FAULT:
                return Scope.NODE
            case AlarmKind.JOURNAL_SPACE | AlarmKind.OUTPUT_BEHIND:
                return Scope.GATEWAY


@dataclass(frozen=True, slots=True)
class AlarmText:
    """What a person is told, and how soon: one per kind of alarm, or per asset and kind.

    `cause`, `consequence` and `action` may name `{asset}` and `{node}`; those of an alarm of the gateway name neither.
    """

    cause: str
    consequence: str
    action: str
    priority: Priority
    response_s: int
    on_delay_ms: int = 0
    off_delay_ms: int = 0


@dataclass(frozen=True)
class Rule:
    """k-of-n evidence in a sliding window of event time."""

    k: int
    window_ms: int
    quiet_ms: int  # an incident closes when no evidence has come for this long

    @cached_property
    def gap_ms(self) -> int:
        """What really separates one episode from the next: what still counts within the window is not over."""
        return max(self.window_ms, self.quiet_ms, 2)


@dataclass(frozen=True, slots=True)
class Node:
    """One node as the engine sees it: no key in here."""

    name: str
    kid: bytes
    asset: str
    slot: int  # never moves, never given to another name: fixed-address outputs count by it
    key_generation: int = 0
    model: str = ""  # name of the Bundle that re-scores its Windows; "" for none


@dataclass(frozen=True, slots=True)
class Asset:
    """A machine or a room, where it stands (ISA-95), what it feeds, and the rule that judges it."""

    name: str
    area: str
    line: str
    slot: int
    rule: Rule
    feeds: tuple[str, ...] = ()
    alarms: Mapping[AlarmKind, AlarmText] = field(default_factory=dict)  # where it differs from the plant's


@dataclass(frozen=True, slots=True)
class Liveness:
    """How many of its own heartbeats a node may miss."""

    tolerance_pct: int = 10  # of the heartbeat: clock drift of a sleeping node
    late_after: int = 1
    stale_after: int = 2
    lost_after: int = 4


@dataclass(frozen=True, slots=True)
class Rescoring:
    """Which models re-score, and how long a Window waits for its Score."""

    deadline_ms: int
    models: Mapping[str, bytes] = field(default_factory=dict)  # bundle name -> SHA-256 of its model; absent: broken


@dataclass(frozen=True)
class Plant:
    """Everything a decision depends on besides the reports themselves."""

    site: str
    assets: Mapping[str, Asset]
    nodes: Mapping[str, Node]
    alarms: Mapping[AlarmKind, AlarmText]
    liveness: Liveness
    rescoring: Rescoring
    correlate_ms: int  # evidence on assets that feed each other joins one incident within this time
    slots: Mapping[str, int] = field(default_factory=dict)  # "asset/<name>", "node/<name>" -> slot, gone names too

    @cached_property
    def nodes_of(self) -> Mapping[str, tuple[Node, ...]]:
        """Asset name -> its nodes, by slot."""
        of: dict[str, list[Node]] = {name: [] for name in self.assets}
        for node in sorted(self.nodes.values(), key=lambda n: n.slot):
            of[node.asset].append(node)
        return {name: tuple(nodes) for name, nodes in of.items()}

    @cached_property
    def neighbours(self) -> Mapping[str, frozenset[str]]:
        """Asset name -> the assets it feeds or is fed by."""
        near: dict[str, set[str]] = {name: set() for name in self.assets}
        for name, asset in self.assets.items():
            for other in asset.feeds:
                near[name].add(other)
                near[other].add(name)
        return {name: frozenset(others) for name, others in near.items()}

    def text_of(self, alarm: AlarmId) -> AlarmText:
        """The text in force for one alarm. KeyError for an alarm that is not configured."""
        if alarm.scope is Scope.GATEWAY:
            return self.alarms[alarm.kind]
        asset = alarm.name if alarm.scope is Scope.ASSET else self.nodes[alarm.name].asset
        return self.assets[asset].alarms.get(alarm.kind) or self.alarms[alarm.kind]

    def told(self, alarm: AlarmId) -> AlarmText:
        """The text in force for one alarm, with the names in place of `{asset}` and `{node}`: for an alarm of an asset
        `{node}` is all its nodes. KeyError for an alarm that is not configured.
        """
        if alarm.scope is Scope.GATEWAY:
            return self.text_of(alarm)
        if alarm.scope is Scope.ASSET:
            asset, nodes = alarm.name, ", ".join(node.name for node in self.nodes_of[alarm.name])
        else:
            asset, nodes = self.nodes[alarm.name].asset, alarm.name

        def filled(words: str) -> str:
            return words.replace("{asset}", asset).replace("{node}", nodes)

        text = self.text_of(alarm)
        return replace(text, cause=filled(text.cause), consequence=filled(text.consequence), action=filled(text.action))

    def tags(self) -> Iterator[tuple[TagId, TagType]]:
        """Every Tag of the plant in a stable order: gateway, assets by slot, nodes by slot."""
        for tag in GATEWAY_TAGS:
            yield TagId(Scope.GATEWAY, "gateway", tag.name), tag
        for asset in sorted(self.assets.values(), key=lambda a: a.slot):
            for tag in ASSET_TAGS:
                yield TagId(Scope.ASSET, asset.name, tag.name), tag
        for node in sorted(self.nodes.values(), key=lambda n: n.slot):
            for tag in NODE_TAGS:
                yield TagId(Scope.NODE, node.name, tag.name), tag

    def alarm_ids(self) -> Iterator[AlarmId]:
        """Every Alarm that the plant can raise, in a stable order: gateway, assets by slot, nodes by slot."""
        yield from GATEWAY_ALARMS
        for asset in sorted(self.assets.values(), key=lambda a: a.slot):
            yield AlarmId(Scope.ASSET, asset.name, AlarmKind.ANOMALY)
        for node in sorted(self.nodes.values(), key=lambda n: n.slot):
            yield AlarmId(Scope.NODE, node.name, AlarmKind.NODE_LOST)
            yield AlarmId(Scope.NODE, node.name, AlarmKind.SENSOR_FAULT)


class TagId(NamedTuple):
    """Names one Tag; the same in every Output."""

    scope: Scope
    name: str
    tag: str

    def __str__(self) -> str:
        return f"{self.scope}/{self.name}/{self.tag}"

    @classmethod
    def parse(cls, text: str) -> TagId:
        """Read `scope/name/tag`; ValueError if it is not of that form."""
        scope, name, tag = text.split("/")
        return cls(Scope(scope), name, tag)


class AlarmId(NamedTuple):
    """Names one Alarm; the same in every Output."""

    scope: Scope
    name: str
    kind: AlarmKind

    def __str__(self) -> str:
        return f"{self.scope}/{self.name}/{self.kind}"

    @classmethod
    def parse(cls, text: str) -> AlarmId:
        """Read `scope/name/kind`; ValueError if it is not of that form."""
        scope, name, kind = text.split("/")
        return cls(Scope(scope), name, AlarmKind(kind))


GATEWAY_ALARMS: tuple[AlarmId, ...] = tuple(
    AlarmId(Scope.GATEWAY, "gateway", kind) for kind in AlarmKind if kind.scope is Scope.GATEWAY
)
