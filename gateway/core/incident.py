"""Incidents: episodes of several assets, put together over time and over what feeds what.

Episodes of neighbouring assets that come near enough in time belong to one Incident, whatever the order in which they
became known: an Incident is a connected part of that relation. Late data that connects two makes one of them.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.core.evidence import Episode
from gateway.core.ledger import Ledger
from gateway.core.plant import Plant
from gateway.core.update import IncidentChange, IncidentTransition


@dataclass(slots=True)
class Bout:
    """One Episode of an Asset as part of an Incident.

    `over`: the asset has been quiet since. `reachable`: late data can still change it.
    """

    asset: str
    incident: int
    episode: Episode
    over: bool = False
    reachable: bool = True


@dataclass(slots=True)
class Incident:
    """One Incident: its bouts in the order in which they joined, and where it probably began."""

    id: int
    bouts: list[Bout] = field(default_factory=list)
    origin: str = ""
    said_open: bool = False  # as last published

    @property
    def open(self) -> bool:
        """Some bout is not over."""
        return not all(bout.over for bout in self.bouts)

    @property
    def assets(self) -> tuple[str, ...]:
        """Those that are part of it, in the order in which they joined."""
        return tuple(dict.fromkeys([bout.asset for bout in self.bouts]))


class Incidents:
    """Open incidents, and closed ones that late data can still reach."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.number = 0
        self.open_count = 0
        self.incidents: dict[int, Incident] = {}
        self.bouts: dict[str, list[Bout]] = {}  # asset -> its reachable bouts, by onset
        self._going_on: dict[str, list[Bout]] = {}  # those of them that are not over: asked for with every Verdict

    def take_over(self, incidents: Iterable[Incident]) -> None:
        """The state of a snapshot."""
        self.incidents = {incident.id: incident for incident in incidents}
        self.open_count = sum(incident.open for incident in self.incidents.values())
        bouts = [bout for incident in self.incidents.values() for bout in incident.bouts if bout.reachable]
        for bout in sorted(bouts, key=_onset_ms):
            self.bouts.setdefault(bout.asset, []).append(bout)
        for asset in self.bouts:
            self._see_what_goes_on(asset)

    def active(self, asset: str) -> Bout | None:
        """The newest bout of an asset that is not over."""
        going_on = self._going_on.get(asset)
        return going_on[-1] if going_on else None

    def unfinished(self, asset: str) -> Sequence[Bout]:
        """Bouts of an asset that are not over, oldest first; several only where late news are a node's last word."""
        return self._going_on.get(asset, ())

    def touching(self, asset: str, from_ms: int, to_ms: int, gap_ms: int) -> list[Bout]:
        """An asset's bouts that a stretch of time belongs to or follows by less than `gap_ms`, oldest first."""
        return [
            bout for bout in self.bouts.get(asset, ())
            if from_ms < bout.episode.last_ms + gap_ms and bout.episode.onset_ms <= to_ms  # most are long past
        ]  # fmt: skip

    def join(self, asset: str, episode: Episode, plant: Plant, at_ms: int) -> Bout:
        """An asset's rule is met: it joins the incident it belongs to, or opens one."""
        bout = Bout(asset, 0, episode)
        fitting = self._fitting(bout, plant)
        if fitting:
            incident, transition = self._unite(fitting, episode.onset_ms, at_ms), IncidentTransition.GROWN
        else:
            self.number += 1
            incident, transition = Incident(self.number), IncidentTransition.OPENED
            self.incidents[self.number] = incident
        bout.incident = incident.id
        incident.bouts.append(bout)
        insort(self.bouts.setdefault(asset, []), bout, key=_onset_ms)
        self._see_what_goes_on(asset)
        incident.origin = _origin(incident, plant)
        self._say(incident, transition, episode.decided_ms, at_ms)
        return bout

    def revise(self, bout: Bout, episode: Episode, swallowed: Sequence[Bout], plant: Plant, at_ms: int) -> bool:
        """An episode is seen differently now, and has perhaps become one with earlier ones of its asset. Returns
        whether there was anything to say.
        """
        old, bout.episode = bout.episode, episode
        numbers = {bout.incident, *(other.incident for other in swallowed), *self._fitting(bout, plant)}
        incident = self._unite(numbers, episode.onset_ms, at_ms)
        for other in swallowed:
            incident.bouts.remove(other)
            self.bouts[other.asset].remove(other)
        if episode.onset_ms != old.onset_ms:
            self.bouts[bout.asset].sort(key=_onset_ms)
        self._see_what_goes_on(bout.asset)
        origin, incident.origin = incident.origin, _origin(incident, plant)
        grown = set(episode.nodes) > set(old.nodes) and episode.onset_ms >= old.onset_ms
        if grown or len(numbers) > 1 or (incident.open and not incident.said_open):
            self._say(incident, IncidentTransition.GROWN, episode.last_ms, at_ms)
        elif (episode.nodes, episode.onset_ms, incident.origin) != (old.nodes, old.onset_ms, origin) or swallowed:
            self._say(incident, IncidentTransition.REVISED, episode.onset_ms, at_ms)
        else:
            return False
        return True

    def quieten(self, bout: Bout, source_ms: int, at_ms: int) -> None:
        """An asset has been quiet for long enough."""
        bout.over = True
        self._see_what_goes_on(bout.asset)
        incident = self.incidents[bout.incident]
        if not incident.open:
            self._say(incident, IncidentTransition.CLOSED, source_ms, at_ms)

    def refute(self, bout: Bout, plant: Plant, source_ms: int, at_ms: int) -> None:
        """The ground of a bout has been taken away."""
        bout.over = True
        self.bouts[bout.asset].remove(bout)
        self._see_what_goes_on(bout.asset)
        incident = self.incidents[bout.incident]
        if len(incident.bouts) > 1:
            incident.bouts.remove(bout)
            incident.origin = _origin(incident, plant)
            self._say_less(incident, source_ms, at_ms)
            self._let_go(incident)
        else:
            self._say(incident, IncidentTransition.REFUTED, source_ms, at_ms)
            del self.incidents[incident.id]

    def crowded_ms(self, asset: str, most: int) -> int:
        """When the newest of those bouts ended that an asset has beyond so many and that are over; 0: none."""
        bouts = self.bouts.get(asset, ())
        crowd = len(bouts) - most
        over = [bout.episode.last_ms for bout in bouts if bout.over] if crowd > 0 else []
        return max(over[:crowd], default=0)

    def forget(self, asset: str, until_ms: int) -> None:
        """No late data can reach an asset's bouts any more that were over by `until_ms`."""
        bouts = self.bouts.get(asset, [])
        gone = [bout for bout in bouts if bout.over and bout.episode.last_ms <= until_ms]
        for bout in gone:
            bouts.remove(bout)
            bout.reachable = False
            incident = self.incidents[bout.incident]
            _condense(incident, bout)
            self._let_go(incident)

    def drop(self, asset: str, plant: Plant, at_ms: int) -> None:
        """An asset is no longer part of the plant."""
        self.bouts.pop(asset, None)
        self._going_on.pop(asset, None)
        for incident in [i for i in self.incidents.values() if asset in i.assets]:
            others = [bout for bout in incident.bouts if bout.asset != asset]
            if others:
                incident.bouts = others
                incident.origin = _origin(incident, plant)
                if incident.said_open:
                    self._say_less(incident, at_ms, at_ms)
                self._let_go(incident)
                continue
            for bout in incident.bouts:
                bout.over = True
            if incident.said_open:
                self._say(incident, IncidentTransition.CLOSED, at_ms, at_ms)
            del self.incidents[incident.id]

    def _see_what_goes_on(self, asset: str) -> None:
        self._going_on[asset] = [bout for bout in self.bouts.get(asset, ()) if not bout.over]

    def _fitting(self, bout: Bout, plant: Plant) -> set[int]:
        """Incidents with a neighbour's bout near in time, by number."""
        neighbours = plant.neighbours[bout.asset]
        if not neighbours:
            return set()
        first_ms = bout.episode.onset_ms - plant.correlate_ms
        last_ms = bout.episode.last_ms + plant.correlate_ms
        return {
            other.incident
            for name in neighbours
            for other in self.bouts.get(name, ())
            if other.episode.onset_ms <= last_ms and first_ms <= other.episode.last_ms
        }

    def _unite(self, numbers: Iterable[int], source_ms: int, at_ms: int) -> Incident:
        """What was seen as several is one: the first goes on, the ground of the others is now its own."""
        first, *others = sorted(numbers)
        incident = self.incidents[first]
        for number in others:
            other = self.incidents.pop(number)
            self._say(other, IncidentTransition.REFUTED, source_ms, at_ms, ended=True)
            for bout in other.bouts:
                bout.incident = first
            incident.bouts += other.bouts
        return incident

    def _let_go(self, incident: Incident) -> None:
        if not incident.open and not any(bout.reachable for bout in incident.bouts):
            del self.incidents[incident.id]

    def _say_less(self, incident: Incident, source_ms: int, at_ms: int) -> None:
        ends = incident.said_open and not incident.open
        self._say(incident, IncidentTransition.CLOSED if ends else IncidentTransition.REVISED, source_ms, at_ms)

    def _say(
        self, incident: Incident, transition: IncidentTransition, source_ms: int, at_ms: int, *, ended: bool = False
    ) -> None:
        """Publish the incident as it stands."""
        is_open, bouts = incident.open and not ended, incident.bouts
        nodes = bouts[0].episode.nodes  # which is all, nearly always
        if len(bouts) > 1:
            nodes = tuple(sorted({node for bout in bouts for node in bout.episode.nodes}))
        self.open_count += is_open - incident.said_open
        incident.said_open = is_open
        self._ledger.say(
            IncidentChange(
                self._ledger.next_event(),
                incident.id,
                transition,
                incident.assets,
                nodes,
                incident.origin,
                min([bout.episode.onset_ms for bout in bouts]),
                source_ms,
                at_ms,
                is_open,
            )
        )


def _onset_ms(bout: Bout) -> int:
    return bout.episode.onset_ms


def _origin(incident: Incident, plant: Plant) -> str:
    """Where it probably began: the earliest onset; of equal ones that which feeds another, then by name."""
    if len(incident.bouts) == 1:  # nearly always
        return incident.bouts[0].asset
    first_ms = min(bout.episode.onset_ms for bout in incident.bouts)
    firsts = sorted({bout.asset for bout in incident.bouts if bout.episode.onset_ms == first_ms})
    return next((n for n in firsts if any(f in firsts for f in plant.assets[n].feeds)), firsts[0])


def _condense(incident: Incident, bout: Bout) -> None:
    """Of an asset that comes and goes in a long incident, one bout stands for all that cannot change any more."""
    kept = next(b for b in incident.bouts if b.asset == bout.asset and not b.reachable)
    if kept is not bout:
        a, b = kept.episode, bout.episode
        kept.episode = a._replace(
            onset_ms=min(a.onset_ms, b.onset_ms), last_ms=max(a.last_ms, b.last_ms),
            nodes=tuple(sorted({*a.nodes, *b.nodes})), score_pct=max(a.score_pct, b.score_pct),
        )  # fmt: skip
        incident.bouts.remove(bout)
