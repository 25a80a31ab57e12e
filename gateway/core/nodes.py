"""Nodes: what their messages mean for Tags, Evidence, re-scoring and liveness."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from gateway.config import CONTEXT
from gateway.core.alarm import Alarms
from gateway.core.assets import AssetDesk
from gateway.core.entry import NO_OPINION, Report, Scored
from gateway.core.evidence import Basis, Verdict
from gateway.core.ledger import Ledger
from gateway.core.liveness import Alive, Schedule
from gateway.core.mailbox import Mailboxes
from gateway.core.plant import NODE_TAGS, AlarmId, AlarmKind, Plant, Scope, TagId
from gateway.core.rescore import Pending, Rescores
from gateway.core.timers import Timers
from gateway.core.update import Quality
from gateway.wire import age, score
from gateway.wire.messages import Birth, Features, Flag, Health, Result, Window

FIRST_FAULT, LAST_FAULT = 4, 8
"""`why` codes that are faults of the sensor or the node, not evidence (nodes/wire/SPEC.md, "Why")."""

MOVED = 9
NOTICES = {MOVED: "notice_moved", 10: "notice_drifted", 11: "notice_deferred", 15: "notice_hindered"}
"""`why` codes of a Flag that are neither evidence nor a fault, and the counter of each. What the node has said last of
its machine stands.
"""

_WELL = (Alive.ON_TIME, 0, True)


class NodeTags(NamedTuple):
    """The Tags of one node, in the order of NODE_TAGS."""

    liveness: TagId
    anomalous: TagId
    score: TagId
    host_score: TagId
    sensor: TagId
    battery: TagId
    temperature: TagId
    link: TagId

    @property
    def measured(self) -> tuple[TagId, ...]:
        """Those that go stale with the node."""
        return tuple(tag for tag in self if tag is not self.liveness)

    @property
    def judged(self) -> tuple[TagId, ...]:
        """Those that a sensor fault makes worthless."""
        return self.score, self.host_score, self.anomalous


@dataclass(slots=True)
class NodeState:
    """What the engine remembers of one node. `heard`: since the gateway's last start. `learn_from`: the entry since
    which what was learned at its place is no longer true: it was moved, or somebody wants it to be learned anew
    (`learn_ordered`). `load_mv`: its battery under the radio's load, 0 where it has not told. `learner`: it has one of
    its own. `samples`, `rate_millihz`: of its windows, 0 where its Birth does not say.
    """

    asset: str
    schedule: Schedule = field(default_factory=Schedule)
    alive: Alive = Alive.UNKNOWN
    fault: int = 0
    heard: bool = False
    learn_from: int = 0
    load_mv: int = 0
    learn_ordered: bool = False
    learner: bool = False
    samples: int = 0
    rate_millihz: int = 0

    @property
    def quality(self) -> Quality:
        """How far it can be trusted to speak up."""
        if not self.schedule.last_seen_ms:
            return Quality.NO_DATA
        if self.alive is Alive.LOST:
            return Quality.LOST
        if self.fault:
            return Quality.SENSOR
        if self.alive is Alive.STALE:
            return Quality.STALE
        return Quality.GOOD if self.heard else Quality.RESTARTED


class NodeDesk:
    """Takes in the nodes' messages and the Scores of their Windows."""

    def __init__(
        self, ledger: Ledger, timers: Timers, alarms: Alarms, assets: AssetDesk, rescores: Rescores, mail: Mailboxes
    ) -> None:
        self._ledger = ledger
        self._timers = timers
        self._alarms = alarms
        self._assets = assets
        self._rescores = rescores
        self._mail = mail
        self.nodes: dict[str, NodeState] = {}
        self.lost = 0

    def configured(self, plant: Plant, name: str, at_ms: int) -> None:
        """The node is part of the plant, perhaps on another asset than before."""
        node = plant.nodes[name]
        state = self.nodes.setdefault(name, NodeState(node.asset))
        if state.asset != node.asset:
            self._leave(plant, name, state.asset, at_ms)
            state.asset = node.asset
        broken = bool(node.model) and node.model not in plant.rescoring.models
        tags = _tags(name)
        self._ledger.configuration(tags.host_score, broken=broken)
        new = self._ledger.tags[tags.liveness].value is None
        self._judge_liveness(plant, name, at_ms, say=new)

    def drop(self, plant: Plant, name: str, at_ms: int) -> None:
        """The node is no longer part of the plant."""
        state = self.nodes.pop(name)
        self.lost -= state.alive is Alive.LOST
        self._mail.drop(name)
        self._leave(plant, name, state.asset, at_ms)

    def restarted(self, deaf_ms: int) -> None:
        """The gateway did not listen for so long; since then nothing has been heard."""
        for state in self.nodes.values():
            state.schedule.deaf_ms += deaf_ms
            state.heard = False

    def heard(self, report: Report) -> None:
        """A node's message is there: before anything is made of it, its silence is over."""
        if state := self.nodes.get(report.node):
            state.schedule.seen(report.received_ms)

    def learn_anew(self, name: str, entry: int, *, ordered: bool) -> None:
        """What was learned at its place holds no longer. `ordered`: somebody says so."""
        state = self.nodes[name]
        state.learn_from, state.learn_ordered = entry, ordered

    def trust(self, plant: Plant, asset: str, at_ms: int) -> None:
        """An asset can be trusted as far as the k-th best of its nodes: the rule needs k of them."""
        qualities = sorted(self.nodes[n.name].quality for n in plant.nodes_of[asset] if n.name in self.nodes)
        k = min(plant.assets[asset].rule.k, len(qualities))
        self._assets.trust(plant, asset, qualities[k - 1] if k else Quality.NO_DATA, at_ms)

    def report(self, plant: Plant, entry: int, report: Report, at_ms: int) -> None:
        """A node's message."""
        name, message = report.node, report.message
        state = self.nodes.get(name)
        if state is None:
            self._ledger.count("report_of_unknown_node")
            return
        before = state.alive, state.fault, state.heard
        if isinstance(message, Birth):
            state.schedule.heartbeat_ms = message.heartbeat_ms
            if message.more:
                state.learner |= message.more.learner is not None
                state.samples, state.rate_millihz = message.more.samples, message.more.rate_millihz
            self._mail.born(name, message)
            self._judge_liveness(plant, name, at_ms, say=not state.heard)
        elif before != _WELL:  # else nothing but its deadline has moved, and that is left where it is (timers.py)
            self._judge_liveness(plant, name, at_ms, say=not state.heard)
        state.heard = True
        self._take_in(plant, entry, name, report, at_ms)
        if (state.alive, state.fault, state.heard) != before:
            self.trust(plant, state.asset, at_ms)

    def _take_in(self, plant: Plant, entry: int, name: str, report: Report, at_ms: int) -> None:
        message = report.message
        event_ms = min(report.received_ms, at_ms) - age.decode(message.age)
        tags = _tags(name)
        match message:
            case Health():  # first: nearly all are
                fault = message.why if _is_fault(message.why) else 0
                self._sensor(plant, name, fault, event_ms, at_ms)
                if not fault:
                    self._looked(plant, name, message.score, event_ms, at_ms)
                tag = self._ledger.tag
                tag(tags.battery, message.battery_mv, event_ms)
                load_mv = (message.more.battery_load_mv if message.more else None) or 0
                self.nodes[name].load_mv = load_mv
                self.nodes[name].learner = message.learner is not None
                self._mail.battery(name, load_mv or message.battery_mv)
                if message.temperature_cdeg is not None:
                    tag(tags.temperature, message.temperature_cdeg, event_ms)
                if message.link_dbm is not None:
                    tag(tags.link, message.link_dbm, event_ms)
            case Flag() if _is_fault(message.why):
                self._sensor(plant, name, message.why, event_ms, at_ms)
            case Flag() if message.why in NOTICES:
                self._ledger.count(NOTICES[message.why])
                if message.why == MOVED:
                    self.learn_anew(name, entry, ordered=False)
            case Flag():
                self._sensor(plant, name, 0, event_ms, at_ms)
                self._claimed(plant, entry, name, message, event_ms, at_ms)
            case Window():
                self._sensor(plant, name, 0, event_ms, at_ms)
                self._looked(plant, name, message.score, event_ms, at_ms)
                self._rescore(plant, entry, name, message.features, event_ms, at_ms, claimed=False)
            case Result():
                self._mail.answered(name, message)
            case _:
                pass  # Birth, Sampled and LearnerState say nothing about the machine

    def scored(self, plant: Plant, scored: Scored, at_ms: int) -> None:
        """The gateway's model has looked at a Window."""
        pending = self._rescores.pending.get(scored.window)
        if pending is None:
            self._ledger.count("score_not_awaited")
            return
        if scored.failure:
            self._ledger.configuration(_tags(pending.node).host_score, broken=True)
            self.unscored(plant, scored.window)
            return
        if scored.threshold == NO_OPINION:
            self.unscored(plant, scored.window)
            return
        del self._rescores.pending[scored.window]
        name, event_ms = pending.node, pending.event_ms
        anomalous = scored.value > scored.threshold
        percent = min(scored.value * 100 // max(scored.threshold, 1), 100_000)
        tags, quality = _tags(name), self._judged_quality(name)
        self._ledger.tag(tags.host_score, percent, event_ms, quality)
        self._ledger.tag(tags.anomalous, anomalous, event_ms, quality)
        asset = plant.nodes[name].asset
        verdict = Verdict(event_ms, scored.window, name, Basis.SCORE, percent, 0) if anomalous else None
        if pending.claimed:
            self._assets.replace(plant, asset, scored.window, event_ms, verdict, at_ms)
        elif verdict:
            self._assets.add(plant, asset, verdict, at_ms)

    def unscored(self, plant: Plant, entry: int) -> None:
        """No Score came in time, or none can come: the node's claim stands."""
        pending = self._rescores.pending.pop(entry, None)
        if pending is None:
            return
        if pending.model != CONTEXT:
            self._ledger.count("window_unscored")
        if pending.claimed:
            evidence = self._assets.evidence[plant.nodes[pending.node].asset]
            if claim := evidence.take(entry, pending.event_ms):
                evidence.add(Verdict(claim.event_ms, entry, claim.node, Basis.UNSCORED, claim.score_pct, claim.why))

    def on_timer(self, plant: Plant, name: str, at_ms: int) -> None:
        """The node's schedule wants a look."""
        if state := self.nodes.get(name):
            before = state.quality
            self._judge_liveness(plant, name, at_ms)
            if state.quality is not before:
                self.trust(plant, state.asset, at_ms)

    def _claimed(self, plant: Plant, entry: int, name: str, flag: Flag, event_ms: int, at_ms: int) -> None:
        percent = score.percent(flag.score)
        waits = self._rescore(plant, entry, name, flag.features, event_ms, at_ms, claimed=True)
        alone = plant.nodes[name].model not in ("", CONTEXT)  # a second opinion was wanted
        tags = _tags(name)
        self._ledger.tag(tags.score, percent, event_ms, self._judged_quality(name))
        self._ledger.tag(
            tags.anomalous, True, event_ms, self._judged_quality(name, Quality.UNSCORED if alone else Quality.GOOD)
        )
        basis = Basis.CLAIM if waits else Basis.UNSCORED
        verdict = Verdict(event_ms, entry, name, basis, percent, flag.why)
        self._assets.add(plant, plant.nodes[name].asset, verdict, at_ms)

    def _looked(self, plant: Plant, name: str, code: int, event_ms: int, at_ms: int) -> None:
        """A node has looked at its machine and says how it scored."""
        tags, quality = _tags(name), self._judged_quality(name)
        self._ledger.tag(tags.score, score.percent(code), event_ms, quality)
        if code <= score.AT_THRESHOLD:
            self._ledger.tag(tags.anomalous, False, event_ms, quality)
            self._assets.normal(plant, plant.nodes[name].asset, name, event_ms, at_ms)

    def _rescore(
        self, plant: Plant, entry: int, name: str, features: Features | None, event_ms: int, at_ms: int, *,
        claimed: bool,
    ) -> bool:  # fmt: skip
        """Let a Window wait for the gateway's model; False if none will look at it."""
        if features is None:
            return False
        model = plant.nodes[name].model
        if not model:
            return False
        if model not in plant.rescoring.models:
            self._ledger.configuration(_tags(name).host_score, broken=True)
            self._ledger.count("model_missing")
            return False
        deadline_ms = at_ms + plant.rescoring.deadline_ms
        return self._rescores.wait(
            entry, Pending(name, model, event_ms, deadline_ms, features.feature_set, features.values, claimed)
        )

    def _sensor(self, plant: Plant, name: str, fault: int, event_ms: int, at_ms: int) -> None:
        """What a message says of the sensor; news older than what is known changes nothing."""
        state, tag = self.nodes[name], _tags(name).sensor
        known = self._ledger.tags[tag]
        if event_ms < known.source_ms and known.quality is not Quality.NO_DATA:
            if fault:
                self._ledger.count("sensor_fault_superseded")
            return
        self._ledger.tag(tag, fault, event_ms)
        if fault == state.fault:
            return
        was, state.fault = state.fault, fault
        if fault:
            for judged in _tags(name).judged:
                self._ledger.requalify(judged, Quality.SENSOR)
        if bool(was) != bool(fault):
            alarm = AlarmId(Scope.NODE, name, AlarmKind.SENSOR_FAULT)
            self._alarms.condition(alarm, bool(fault), event_ms, at_ms, plant.text_of(alarm))

    def _judge_liveness(self, plant: Plant, name: str, at_ms: int, *, say: bool = False) -> None:
        """`say`: even if it is what it was."""
        state = self.nodes[name]
        alive, next_ms, since_ms = state.schedule.judge(plant.liveness, at_ms)
        if next_ms is not None:
            self._timers.ask(f"node:{name}", next_ms)
        if alive is state.alive and not say:
            return
        self.lost += (alive is Alive.LOST) - (state.alive is Alive.LOST)
        was, state.alive = state.alive, alive
        never = not state.schedule.last_seen_ms
        self._ledger.derived(_tags(name).liveness, int(alive), since_ms, Quality.NO_DATA if never else Quality.GOOD)
        if alive in (Alive.STALE, Alive.LOST):
            quality = Quality.STALE if alive is Alive.STALE else Quality.LOST
            for measured in _tags(name).measured:
                self._ledger.requalify(measured, quality)
        if (alive is Alive.LOST) != (was is Alive.LOST):
            alarm = AlarmId(Scope.NODE, name, AlarmKind.NODE_LOST)
            self._alarms.condition(alarm, alive is Alive.LOST, since_ms, at_ms, plant.text_of(alarm))

    def _leave(self, plant: Plant, name: str, asset: str, at_ms: int) -> None:
        """A node watches an asset no longer: neither its evidence nor its waiting Windows count any more."""
        for entry in [e for e, p in self._rescores.pending.items() if p.node == name]:
            del self._rescores.pending[entry]
            self._ledger.count("window_of_gone_node")
        self._assets.forget_words(name)
        if asset in plant.assets:
            self._assets.withdraw(plant, asset, name, at_ms)

    def _judged_quality(self, name: str, quality: Quality = Quality.GOOD) -> Quality:
        """Of a new value of a Tag that a sensor fault makes worthless: it may be older than the fault that stands."""
        return Quality.SENSOR if self.nodes[name].fault else quality


def _is_fault(why: int) -> bool:
    return FIRST_FAULT <= why <= LAST_FAULT


@lru_cache(maxsize=1 << 15)
def _tags(name: str) -> NodeTags:
    return NodeTags(*(TagId(Scope.NODE, name, tag.name) for tag in NODE_TAGS))
