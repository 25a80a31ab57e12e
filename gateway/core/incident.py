"""Incidents: Evidence of several assets, put together over time and over what feeds what."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.core.evidence import Episode
from gateway.core.ledger import Ledger
from gateway.core.plant import Plant
from gateway.core.update import IncidentChange, IncidentTransition


@dataclass(slots=True)
class Incident:
    """One Incident. `members`: asset -> its episode, in the order of joining; `quiet`: those that are over."""

    id: int
    members: dict[str, Episode] = field(default_factory=dict)
    quiet: set[str] = field(default_factory=set)
    origin: str = ""

    @property
    def open(self) -> bool:
        """Some member still has something to say."""
        return any(name not in self.quiet for name in self.members)


class Incidents:
    """Open incidents, and of each Asset the last one that it was part of."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.number = 0
        self.incidents: dict[int, Incident] = {}  # open ones, and closed ones that late data can still reach
        self.of_asset: dict[str, int] = {}  # asset -> its present or last incident

    @property
    def open_count(self) -> int:
        """How many are open."""
        return sum(i.open for i in self.incidents.values())

    def of(self, asset: str) -> Incident | None:
        """The present or last incident of an asset."""
        return self.incidents.get(self.of_asset.get(asset, 0))

    def active(self, asset: str) -> Incident | None:
        """The incident that an asset is an active member of."""
        incident = self.of(asset)
        return incident if incident and asset in incident.members and asset not in incident.quiet else None

    def join(self, asset: str, episode: Episode, plant: Plant, at_ms: int) -> Incident:
        """An asset's rule is met: it joins the incident it belongs to, or opens one."""
        incident = self._fitting(asset, episode, plant)
        if incident is None:
            self.number += 1
            incident = self.incidents[self.number] = Incident(self.number)
        transition = IncidentTransition.GROWN if incident.members else IncidentTransition.OPENED
        self._leave_old(asset, incident)
        incident.members[asset] = episode
        incident.quiet.discard(asset)
        self.of_asset[asset] = incident.id
        incident.origin = _origin(incident, plant)
        self.say(incident, transition, episode.decided_ms, at_ms)
        return incident

    def revise(self, incident: Incident, asset: str, episode: Episode, plant: Plant, at_ms: int) -> bool:
        """An asset's episode is seen differently now. Returns whether there was anything to say."""
        old, incident.members[asset] = incident.members[asset], episode
        origin, incident.origin = incident.origin, _origin(incident, plant)
        if set(episode.nodes) > set(old.nodes) and episode.onset_ms >= old.onset_ms:
            self.say(incident, IncidentTransition.GROWN, episode.last_ms, at_ms)
        elif (episode.nodes, episode.onset_ms, incident.origin) != (old.nodes, old.onset_ms, origin):
            self.say(incident, IncidentTransition.REVISED, episode.onset_ms, at_ms)
        else:
            return False
        return True

    def quieten(self, incident: Incident, asset: str, source_ms: int, at_ms: int) -> None:
        """An asset has been quiet for long enough."""
        incident.quiet.add(asset)
        if not incident.open:
            self.say(incident, IncidentTransition.CLOSED, source_ms, at_ms)

    def refute(self, incident: Incident, asset: str, plant: Plant, source_ms: int, at_ms: int) -> None:
        """An asset's ground has been taken away."""
        if len(incident.members) > 1:
            del incident.members[asset]
            self.of_asset.pop(asset)
            incident.origin = _origin(incident, plant)
            still = IncidentTransition.REVISED if incident.open else IncidentTransition.CLOSED
            self.say(incident, still, source_ms, at_ms)
        else:
            incident.quiet.add(asset)
            self.say(incident, IncidentTransition.REFUTED, source_ms, at_ms)

    def drop(self, asset: str, plant: Plant, at_ms: int) -> None:
        """An asset is no longer part of the plant."""
        if incident := self.active(asset):
            self.quieten(incident, asset, at_ms, at_ms)
        incident = self.of(asset)
        self.of_asset.pop(asset, None)
        if incident and not incident.open and incident.id not in self.of_asset.values():
            del self.incidents[incident.id]

    def say(self, incident: Incident, transition: IncidentTransition, source_ms: int, at_ms: int) -> None:
        """Publish the incident as it stands."""
        members = incident.members.values()
        self._ledger.say(
            IncidentChange(
                self._ledger.next_event(),
                incident.id,
                transition,
                tuple(incident.members),
                tuple(sorted({n for e in members for n in e.nodes})),
                incident.origin,
                min(e.onset_ms for e in members),
                source_ms,
                at_ms,
                incident.open,
            )
        )

    def _fitting(self, asset: str, episode: Episode, plant: Plant) -> Incident | None:
        """The lowest-numbered open incident with a neighbour whose episode is near in time."""
        near = plant.neighbours[asset] | {asset}
        for number in sorted(self.incidents):
            incident = self.incidents[number]
            if incident.open and any(
                m.onset_ms - plant.correlate_ms <= episode.onset_ms <= m.last_ms + plant.correlate_ms
                for name, m in incident.members.items()
                if name in near
            ):
                return incident
        return None

    def _leave_old(self, asset: str, new: Incident) -> None:
        """Forget the asset's former incident once no asset refers to it."""
        old = self.incidents.get(self.of_asset.pop(asset, 0))
        if old and old is not new and not old.open and old.id not in self.of_asset.values():
            del self.incidents[old.id]


def _origin(incident: Incident, plant: Plant) -> str:
    """Where it probably began: the earliest onset; of equal ones that which feeds another, then by name."""
    first_ms = min(e.onset_ms for e in incident.members.values())
    firsts = sorted(name for name, e in incident.members.items() if e.onset_ms == first_ms)
    return next((n for n in firsts if any(f in firsts for f in plant.assets[n].feeds)), firsts[0])
