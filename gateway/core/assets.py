"""Assets: Evidence in, Incidents and Alarms out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from gateway.core.alarm import Alarms
from gateway.core.evidence import Basis, Episode, Evidence, Verdict, episode_of
from gateway.core.incident import Bout, Incidents
from gateway.core.ledger import Ledger
from gateway.core.plant import ASSET_STATES, AlarmId, AlarmKind, Plant, Rule, Scope, TagId
from gateway.core.timers import Timers
from gateway.core.update import Quality
from gateway.wire import age

LATE_MS = age.decode(age.OLDEST - 1)
"""How far back late data is still put together with what came before: as far as a node can date it."""

MAX_VERDICTS = 256
"""Standing Verdicts kept per asset; of a fault that stands for days the beginning lives on in its incident."""

MAX_BOUTS = 64
"""Bouts kept per asset that late data can still change; what is older is as it was last said."""

NORMAL, SUSPECT, INCIDENT = range(len(ASSET_STATES))


class AssetDesk:
    """Judges an asset each time its Evidence changes or time passes."""

    def __init__(self, ledger: Ledger, timers: Timers, alarms: Alarms, incidents: Incidents) -> None:
        self._ledger = ledger
        self._timers = timers
        self._alarms = alarms
        self._incidents = incidents
        self.evidence: dict[str, Evidence] = {}
        self.forgotten_ms: dict[str, int] = {}  # asset -> Verdicts up to here are no longer at hand
        self.quality: dict[str, Quality] = {}  # asset -> how far its nodes can be trusted to speak up
        self.anomalous_ms: dict[str, int] = {}  # node -> its newest anomalous Window
        self.normal_ms: dict[str, int] = {}  # node -> its newest normal one
        self._shown: dict[str, tuple[object, ...]] = {}  # asset -> its Tags' values and their quality, as said last

    def configured(self, plant: Plant, name: str, at_ms: int) -> None:
        """The asset is part of the plant, perhaps with another rule than before: what is going on is judged anew,
        what is over is not.
        """
        self.evidence.setdefault(name, Evidence())
        self.quality.setdefault(name, Quality.NO_DATA)
        self.judge(plant, name, at_ms, at_ms)
        if bout := self._incidents.active(name):
            self._announce(plant, bout, at_ms)

    def unite(self, plant: Plant, name: str, at_ms: int) -> None:
        """After a change of rule or of nodes, what goes on at the same time is one."""
        if len(bouts := self._incidents.unfinished(name)) > 1:
            self._revise(plant, bouts, _spanning([bout.episode for bout in bouts]), at_ms)
            self._show(plant, name, at_ms, at_ms)

    def drop(self, plant: Plant, name: str, at_ms: int) -> None:
        """The asset is no longer part of the plant."""
        self._incidents.drop(name, plant, at_ms)
        for state in (self.evidence, self.forgotten_ms, self.quality, self._shown):
            state.pop(name, None)

    def trust(self, plant: Plant, name: str, quality: Quality, at_ms: int) -> None:
        """Its nodes are trusted differently from now on."""
        if quality is not self.quality[name]:
            self.quality[name] = quality
            self._show(plant, name, at_ms, at_ms)

    def add(self, plant: Plant, name: str, verdict: Verdict, at_ms: int) -> None:
        """Something stands against the asset."""
        if verdict.event_ms <= max(self.forgotten_ms.get(name, 0), _reach_ms(plant.assets[name].rule, at_ms)):
            self._ledger.count("verdict_too_late")
            return
        self.anomalous_ms[verdict.node] = max(verdict.event_ms, self.anomalous_ms.get(verdict.node, 0))
        self._bridge(plant, name, verdict.event_ms)
        evidence = self.evidence[name]
        evidence.add(verdict)
        if (crowd := len(evidence.verdicts) - MAX_VERDICTS) > 0:
            self._ledger.count("verdict_crowded_out")
            self._forget(name, evidence.verdicts[crowd - 1].event_ms)
        self.judge(plant, name, verdict.event_ms, at_ms)

    def normal(self, plant: Plant, name: str, node: str, event_ms: int, at_ms: int) -> None:
        """A node has looked at the asset and found it normal."""
        before_ms = self.normal_ms.get(node, 0)
        self.normal_ms[node] = event_ms if event_ms > before_ms else before_ms
        if self.anomalous_ms.get(node, 0) <= before_ms:
            return
        if answered := self.evidence[name].answered(node, event_ms, plant.assets[name].rule.k):
            self.judge(plant, name, answered[0].event_ms, at_ms)
        else:
            self.on_timer(plant, name, event_ms, at_ms)

    def replace(self, plant: Plant, name: str, entry: int, event_ms: int, verdict: Verdict | None, at_ms: int) -> None:
        """The Verdict of an entry is seen differently now, or (None) no longer stands."""
        old = self.evidence[name].take(entry, event_ms)
        if old is None:
            self._ledger.count("score_of_forgotten_window")
            return
        if verdict is not None:
            self.evidence[name].add(verdict)
        else:
            self.normal_ms[old.node] = max(old.event_ms, self.normal_ms.get(old.node, 0))
        self.judge(plant, name, old.event_ms, at_ms)

    def withdraw(self, plant: Plant, name: str, node: str, at_ms: int) -> None:
        """A node no longer watches the asset: what it said does not count any more."""
        for verdict in self.evidence[name].withdraw(node):
            self.judge(plant, name, verdict.event_ms, at_ms)
        self.on_timer(plant, name, at_ms, at_ms)

    def forget_words(self, node: str) -> None:
        """A node no longer watches what it has spoken of."""
        self.anomalous_ms.pop(node, None)
        self.normal_ms.pop(node, None)

    def on_timer(self, plant: Plant, name: str, due_ms: int, at_ms: int) -> None:
        """Evidence has left the window, or the asset has been quiet for a while."""
        if name in plant.assets:
            self._settle(plant, name, due_ms, at_ms)

    def judge(self, plant: Plant, name: str, moment_ms: int, at_ms: int) -> None:
        """Ask the rule again about the moment in the plant at which a Verdict came or went, and say what is different
        now. What is over is judged like what goes on, so that late data needs no rules of its own.
        """
        rule, evidence = plant.assets[name].rule, self.evidence[name]
        gap_ms = rule.gap_ms
        reach_ms = _reach_ms(rule, at_ms)
        if evidence.verdicts and evidence.verdicts[0].event_ms <= reach_ms:
            self._forget(name, reach_ms)
        runs = evidence.near(moment_ms, gap_ms)
        from_ms = min(moment_ms, runs[0][0].event_ms) if runs else moment_ms
        to_ms = max(moment_ms, runs[-1][-1].event_ms) if runs else moment_ms
        groundless = self._incidents.touching(name, from_ms, to_ms, gap_ms)
        for run in reversed(runs):  # of a run that has fallen apart, the newest part goes on as what it was
            bouts = groundless
            if run[0].event_ms != from_ms or run[-1].event_ms != to_ms:
                bouts = self._incidents.touching(name, run[0].event_ms, run[-1].event_ms, gap_ms)
            if self._judge_run(plant, name, run, bouts, at_ms):
                groundless = [b for b in groundless if b not in bouts]
        for bout in groundless:
            if not self._straddles(name, bout.episode):
                self._refute(plant, bout, moment_ms, at_ms)
        if crowded_ms := self._incidents.crowded_ms(name, MAX_BOUTS):
            self._ledger.count("bout_crowded_out")
            self._forget(name, crowded_ms)
        self._settle(plant, name, moment_ms, at_ms)

    def _judge_run(self, plant: Plant, name: str, run: Sequence[Verdict], bouts: Sequence[Bout], at_ms: int) -> bool:
        """One run of Verdicts, and the bouts that it may be. False if it does not meet the rule."""
        episode = episode_of(run, plant.assets[name].rule)
        if bouts and self._straddles(name, bouts[0].episode):
            episode = _continued(bouts[0].episode, run)
        if episode is None:
            return False
        if bouts:
            self._revise(plant, bouts, episode, at_ms)
        else:
            self._begin(plant, name, episode, at_ms)
        return True

    def _bridge(self, plant: Plant, name: str, until_ms: int) -> None:
        """New evidence on an asset that is held in its bout by last words: they are put down again at every end of the
        quiet time in between, so that it is one run.
        """
        bout, gap_ms = self._incidents.active(name), plant.assets[name].rule.gap_ms
        if bout is None or bout.episode.last_ms + gap_ms > until_ms:
            return
        words = [v for v in self._last_words(plant, name) if v.node in bout.episode.nodes]
        moments = range(bout.episode.last_ms + gap_ms - 1, until_ms, gap_ms - 1)
        if len(moments) * len(words) >= MAX_VERDICTS // 2 or not words:
            self._forget(name, bout.episode.last_ms)  # too long to be spelt out: the incident remembers
            bout.episode = bout.episode._replace(last_ms=until_ms - 1)
            return
        for moment_ms in moments:
            bout.episode = bout.episode._replace(last_ms=moment_ms)
            for word in words:
                self.evidence[name].add(word._replace(event_ms=moment_ms, basis=Basis.LAST_WORD))

    def _is_over(self, plant: Plant, name: str, episode: Episode, at_ms: int) -> bool:
        """Quiet for long enough, and not held. Silence is no all-clear: an episode is held while k of its nodes have
        found nothing normal since, be it that they are dead.
        """
        rule = plant.assets[name].rule
        if episode.last_ms + rule.gap_ms > at_ms:
            return False
        held = [n for n in self._unanswered(plant, name) if n in episode.nodes]
        return sum(self.anomalous_ms[n] <= episode.last_ms for n in held) < rule.k

    def _unanswered(self, plant: Plant, name: str) -> list[str]:
        """Nodes whose newest word on the asset is "anomalous"."""
        anomalous_ms, normal_ms = self.anomalous_ms, self.normal_ms
        spoken = [node.name for node in plant.nodes_of[name] if node.name in anomalous_ms]
        return [n for n in spoken if anomalous_ms[n] > normal_ms.get(n, 0)]

    def _last_words(self, plant: Plant, name: str) -> list[Verdict]:
        """The newest Verdicts of those nodes, as far as they are at hand."""
        evidence = self.evidence[name]
        return [v for n in self._unanswered(plant, name) if (v := evidence.newest_of(n))]

    def _begin(self, plant: Plant, name: str, episode: Episode, at_ms: int) -> None:
        bout = self._incidents.join(name, episode, plant, at_ms)
        over_ms = episode.last_ms + plant.assets[name].rule.gap_ms
        alarm = _anomaly(name)
        if self._is_over(
            plant, name, episode, at_ms
        ):  # it is history: raised and returned, unless the present or the on-delay says otherwise
            held = over_ms - episode.decided_ms >= plant.text_of(alarm).on_delay_ms
            alone = len(self._incidents.unfinished(name)) == 1  # else the present may wait for its on-delay
            if held and alone and not self._alarms.is_active(alarm):
                self._alarm(plant, bout, True, episode.decided_ms, at_ms)
                self._alarm(plant, bout, False, over_ms, at_ms)
            self._incidents.quieten(bout, over_ms, at_ms)
        self._announce(plant, bout, at_ms)

    def _revise(self, plant: Plant, bouts: Sequence[Bout], episode: Episode, at_ms: int) -> None:
        *swallowed, bout = bouts
        decided_ms = bout.episode.decided_ms
        revived = bout.over and not self._is_over(plant, bout.asset, episode, at_ms)
        bout.over &= not revived
        said = self._incidents.revise(bout, episode, swallowed, plant, at_ms)
        if said or revived or episode.decided_ms != decided_ms:
            self._announce(plant, bout, at_ms)

    def _refute(self, plant: Plant, bout: Bout, moment_ms: int, at_ms: int) -> None:
        was_active = not bout.over
        others = [b for b in self._bouts_beside(bout) if b is not bout and not b.over]
        self._incidents.refute(bout, plant, moment_ms, at_ms)
        if going_on := self._incidents.active(bout.asset):
            self._announce(plant, going_on, at_ms)
        elif was_active:
            self._alarm(plant, bout, False, moment_ms, at_ms)
        if others:
            self._announce(plant, others[0], at_ms)

    def _close_if_quiet(self, plant: Plant, name: str, moment_ms: int, at_ms: int) -> None:
        for bout in self._incidents.unfinished(name):
            if not self._is_over(plant, name, bout.episode, at_ms):
                continue
            over_ms = max(moment_ms, bout.episode.last_ms + plant.assets[name].rule.gap_ms)
            self._incidents.quieten(bout, over_ms, at_ms)
            if not self._incidents.active(name):
                self._alarm(plant, bout, False, over_ms, at_ms)

    def _announce(self, plant: Plant, bout: Bout, at_ms: int) -> None:
        """Everything active in an incident follows its number, its onsets and its origin."""
        for other in self._bouts_beside(bout):
            if not other.over:
                self._alarm(plant, other, True, other.episode.decided_ms, at_ms)
                self._show(plant, other.asset, bout.episode.onset_ms, at_ms)

    def _bouts_beside(self, bout: Bout) -> list[Bout]:
        return list(self._incidents.incidents[bout.incident].bouts)

    def _alarm(self, plant: Plant, bout: Bout, present: bool, source_ms: int, at_ms: int) -> None:
        alarm = _anomaly(bout.asset)
        incident = self._incidents.incidents.get(bout.incident)
        first_out = incident is not None and incident.origin == bout.asset
        self._alarms.condition(alarm, present, source_ms, at_ms, plant.text_of(alarm), bout.incident, first_out)

    def _straddles(self, name: str, episode: Episode) -> bool:
        """Its beginning is no longer at hand: only the incident remembers it."""
        return episode.onset_ms <= self.forgotten_ms.get(name, 0)

    def _forget(self, name: str, until_ms: int) -> None:
        until_ms = max(until_ms, self.forgotten_ms.get(name, 0))
        self.forgotten_ms[name] = until_ms
        self.evidence[name].forget(until_ms + 1)
        self._incidents.forget(name, until_ms)

    def _settle(self, plant: Plant, name: str, moment_ms: int, at_ms: int) -> None:
        """End what has been quiet, ask to be woken when the next Evidence leaves the window or the quiet time ends, and
        say how the asset is.
        """
        self._close_if_quiet(plant, name, moment_ms, at_ms)
        rule = plant.assets[name].rule
        standing = self.evidence[name].standing(rule, at_ms)
        if standing:
            self._timers.ask(f"asset:{name}", standing[0].event_ms + rule.window_ms)
        if (bout := self._incidents.active(name)) and bout.episode.last_ms + rule.gap_ms > at_ms:
            self._timers.ask(f"asset:{name}", bout.episode.last_ms + rule.gap_ms)  # later, only a message ends it
        self._say(plant, name, standing, moment_ms)

    def _show(self, plant: Plant, name: str, moment_ms: int, at_ms: int) -> None:
        self._say(plant, name, self.evidence[name].standing(plant.assets[name].rule, at_ms), moment_ms)

    def _say(self, plant: Plant, name: str, standing: Sequence[Verdict], moment_ms: int) -> None:
        """The asset's Tags. Looking again mostly finds what has been said: that costs one comparison."""
        nodes = {verdict.node for verdict in standing}
        score_pct = max([verdict.score_pct for verdict in standing], default=0)
        for node in self._unanswered(plant, name):
            if node not in nodes and (word := self.evidence[name].newest_of(node)):
                nodes.add(node)
                score_pct = max(score_pct, word.score_pct)
        bout = self._incidents.active(name)
        state = INCIDENT if bout else SUSPECT if nodes else NORMAL
        values, quality = (state, len(nodes), score_pct, bout.incident if bout else 0), self.quality[name]
        if self._shown.get(name) == (values, quality):
            return
        self._shown[name] = (values, quality)
        for tag, value in zip(_tags(name), values, strict=True):
            self._ledger.derived(tag, value, moment_ms, quality)


@lru_cache(maxsize=1 << 15)
def _tags(name: str) -> tuple[TagId, ...]:
    return tuple(TagId(Scope.ASSET, name, tag) for tag in ("state", "evidence", "score", "incident"))


@lru_cache(maxsize=1 << 15)
def _anomaly(name: str) -> AlarmId:
    return AlarmId(Scope.ASSET, name, AlarmKind.ANOMALY)


def _reach_ms(rule: Rule, at_ms: int) -> int:
    """Verdicts of this time and earlier are out of reach."""
    return at_ms - max(LATE_MS, rule.window_ms + rule.quiet_ms) - 1


def _spanning(episodes: Sequence[Episode]) -> Episode:
    """Several episodes, oldest first, as one."""
    return episodes[0]._replace(
        last_ms=max(episode.last_ms for episode in episodes),
        nodes=tuple(sorted({node for episode in episodes for node in episode.nodes})),
        score_pct=max(episode.score_pct for episode in episodes),
    )


def _continued(beginning: Episode, run: Sequence[Verdict]) -> Episode:
    """An episode whose beginning only its incident remembers, with what has been said since."""
    nodes = tuple(sorted({*beginning.nodes, *(v.node for v in run)}))
    score_pct = max(beginning.score_pct, *(v.score_pct for v in run))
    return beginning._replace(last_ms=max(beginning.last_ms, run[-1].event_ms), nodes=nodes, score_pct=score_pct)
