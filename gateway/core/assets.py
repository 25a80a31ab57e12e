"""Assets: Evidence in, Incidents and Alarms out."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.alarm import Alarms
from gateway.core.evidence import Episode, Evidence, Verdict
from gateway.core.incident import Incident, Incidents
from gateway.core.ledger import Ledger
from gateway.core.plant import ASSET_STATES, AlarmId, AlarmKind, Plant, Scope, TagId
from gateway.core.timers import Timers

LATE_MS = 4 * 3_600_000
"""How far back late data is still put together with what came before: four hours, more than half a working shift."""

MAX_VERDICTS = 256
"""Standing Verdicts kept per asset; of a fault that stands for days the beginning lives on in its incident."""

NORMAL, SUSPECT, INCIDENT = range(len(ASSET_STATES))


class AssetDesk:
    """Judges every asset each time its Evidence changes or time passes."""

    def __init__(self, ledger: Ledger, timers: Timers, alarms: Alarms, incidents: Incidents) -> None:
        self._ledger = ledger
        self._timers = timers
        self._alarms = alarms
        self._incidents = incidents
        self.evidence: dict[str, Evidence] = {}
        self.forgotten_ms: dict[str, int] = {}  # asset -> Verdicts up to here are no longer at hand

    def configured(self, plant: Plant, name: str, at_ms: int) -> None:
        """The asset is part of the plant, perhaps with another rule than before."""
        self.evidence.setdefault(name, Evidence())
        self.judge(plant, name, at_ms, at_ms)

    def drop(self, plant: Plant, name: str, at_ms: int) -> None:
        """The asset is no longer part of the plant."""
        self._incidents.drop(name, plant, at_ms)
        self.evidence.pop(name, None)
        self.forgotten_ms.pop(name, None)

    def add(self, plant: Plant, name: str, verdict: Verdict, at_ms: int) -> None:
        """Something stands against the asset."""
        if verdict.event_ms <= self.forgotten_ms.get(name, 0):
            self._ledger.count("verdict_too_late")
            return
        evidence = self.evidence[name]
        evidence.add(verdict)
        if len(evidence.verdicts) > MAX_VERDICTS:
            self.forgotten_ms[name] = evidence.verdicts[0].event_ms
            evidence.forget(self.forgotten_ms[name] + 1)
        self.judge(plant, name, verdict.event_ms, at_ms)

    def replace(self, plant: Plant, name: str, entry: int, verdict: Verdict | None, at_ms: int) -> None:
        """A Verdict is seen differently now, or (None) no longer stands."""
        old = self.evidence[name].take(entry)
        if old is None:
            self._ledger.count("score_of_forgotten_window")
            return
        if verdict is not None:
            self.evidence[name].add(verdict)
        self.judge(plant, name, old.event_ms, at_ms)

    def on_timer(self, plant: Plant, name: str, due_ms: int, at_ms: int) -> None:
        """Evidence has left the window, or the asset has been quiet for a while."""
        if name in plant.assets:
            self.judge(plant, name, due_ms, at_ms)

    def judge(self, plant: Plant, name: str, event_ms: int, at_ms: int) -> None:
        """Ask the rule again, and say what is different now. `event_ms`: the moment in the plant that changed."""
        rule, evidence = plant.assets[name].rule, self.evidence[name]
        horizon_ms = at_ms - max(LATE_MS, rule.window_ms + rule.quiet_ms)
        if evidence.verdicts and evidence.verdicts[0].event_ms < horizon_ms:
            self.forgotten_ms[name] = horizon_ms - 1
            evidence.forget(horizon_ms)
        incident = self._incidents.active(name)
        if incident is None:
            self._not_in_incident(plant, name, event_ms, at_ms)
        else:
            self._in_incident(plant, name, incident, event_ms, at_ms)
        self._ask_again(plant, name, at_ms)
        self._show(plant, name, event_ms, at_ms)

    def _not_in_incident(self, plant: Plant, name: str, event_ms: int, at_ms: int) -> None:
        episode = self.evidence[name].around(event_ms, plant.assets[name].rule)
        if episode is None:
            return
        past = self._incidents.of(name)
        member = past.members.get(name) if past else None
        if past and member and episode.onset_ms <= member.last_ms and member.onset_ms <= episode.last_ms:
            if episode.last_ms + plant.assets[name].rule.quiet_ms <= at_ms:
                self._incidents.revise(past, name, self._whole(name, episode, member), plant, at_ms)
                return  # late data on what is over: the incident is revised, nothing is raised again
            episode = self._whole(name, episode, member)
        incident = self._incidents.join(name, episode, plant, at_ms)
        self._alarm(plant, name, incident, True, episode.decided_ms, at_ms)
        self._close_if_quiet(plant, name, incident, at_ms)

    def _in_incident(self, plant: Plant, name: str, incident: Incident, event_ms: int, at_ms: int) -> None:
        member = incident.members[name]
        episode = self.evidence[name].newest(plant.assets[name].rule)
        if episode is not None and episode.onset_ms <= member.last_ms + plant.assets[name].rule.quiet_ms:
            episode = self._whole(name, episode, member)
            said = self._incidents.revise(incident, name, episode, plant, at_ms)
            if said and episode.decided_ms != member.decided_ms:
                self._alarm(plant, name, incident, True, episode.decided_ms, at_ms)
        elif member.last_ms + plant.assets[name].rule.quiet_ms > at_ms and not self._out_of_reach(name, member):
            self._incidents.refute(incident, name, plant, event_ms, at_ms)
            self._alarm(plant, name, incident, False, event_ms, at_ms)
            return
        self._close_if_quiet(plant, name, incident, at_ms)

    def _whole(self, name: str, episode: Episode, member: Episode) -> Episode:
        """An episode whose beginning is no longer at hand keeps the beginning that the incident remembers."""
        if not self._out_of_reach(name, member):
            return episode
        nodes = tuple(sorted({*episode.nodes, *member.nodes}))
        return replace(
            episode, onset_ms=member.onset_ms, decided_ms=member.decided_ms, nodes=nodes,
            score_pct=max(episode.score_pct, member.score_pct),
        )  # fmt: skip

    def _out_of_reach(self, name: str, member: Episode) -> bool:
        return member.onset_ms <= self.forgotten_ms.get(name, 0)

    def _close_if_quiet(self, plant: Plant, name: str, incident: Incident, at_ms: int) -> None:
        over_ms = incident.members[name].last_ms + plant.assets[name].rule.quiet_ms
        if over_ms <= at_ms:
            self._incidents.quieten(incident, name, over_ms, at_ms)
            self._alarm(plant, name, incident, False, over_ms, at_ms)

    def _alarm(self, plant: Plant, name: str, incident: Incident, present: bool, source_ms: int, at_ms: int) -> None:
        alarm = AlarmId(Scope.ASSET, name, AlarmKind.ANOMALY)
        self._alarms.condition(
            alarm, present, source_ms, at_ms, plant.text_of(alarm), incident.id, incident.origin == name
        )

    def _ask_again(self, plant: Plant, name: str, at_ms: int) -> None:
        rule = plant.assets[name].rule
        standing = self.evidence[name].standing(rule, at_ms)
        if standing:
            self._timers.ask(f"asset:{name}", standing[0].event_ms + rule.window_ms)
        if incident := self._incidents.active(name):
            self._timers.ask(f"asset:{name}", incident.members[name].last_ms + rule.quiet_ms)

    def _show(self, plant: Plant, name: str, event_ms: int, at_ms: int) -> None:
        standing = self.evidence[name].standing(plant.assets[name].rule, at_ms)
        incident = self._incidents.active(name)
        state = INCIDENT if incident else SUSPECT if standing else NORMAL
        source_ms = max(event_ms, self._ledger.tags[TagId(Scope.ASSET, name, "state")].source_ms)
        for tag, value in (
            ("state", state),
            ("evidence", len({v.node for v in standing})),
            ("score", max((v.score_pct for v in standing), default=0)),
            ("incident", incident.id if incident else 0),
        ):
            self._ledger.derived(TagId(Scope.ASSET, name, tag), value, source_ms)
