"""Nodes of an asset with `fused = true`: each is judged by itself and given what the others have said at about the same
time (gateway/detectors/fusion/beside.py). Each keeps its place of its own (learning.py), with or without others.

Nodes wake when they like, so "the same time" is one of event times: the newest Window of another node counts while it
is no farther away than is usual between two Windows of the rarer of both, and half of that again for waking late. A
node that is silent, lost, moved, or still learning is missing; the others go on with those that are there. So it is
when they learn: a Window goes together with what stood of the others then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from gateway.core.entry import Learned
from gateway.detectors.fusion import beside as fusion_beside
from gateway.detectors.fusion.beside import Beside, Others
from gateway.detectors.place import Place
from gateway.detectors.place.state import StateRefused, packed, unpacked

VERSION = 2
LATE = 1.5  # as in gateway/training/evaluation_fused.py
RECENT = 9  # Windows whose distances say what is usual now
FIELDS = "asset", "node", "since", "event_ms", "usual_ms", "recent_ms", "row", "others", "lives", "said", "away"

Row = NDArray[np.float64]

log = structlog.get_logger()


class AtPlace(Protocol):
    """What a node's place is known by (learning.py)."""

    place: Place
    since: int
    apart_ms: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score` above 1 is anomalous; `model` names what judged beside the node's own place."""

    score: float
    latched: bool
    model: bytes = b""


@dataclass(slots=True)
class View:
    """One node of an asset, and what it has to do with the others. `since`: the entry from which on its place holds."""

    asset: str
    node: str
    since: int
    beside: Beside = field(default_factory=Beside)
    event_ms: int = 0
    usual_ms: int = 0
    """Between two of its Windows: the longer of what was usual when it learned, and of late."""
    recent_ms: list[int] = field(default_factory=list)
    row: Row | None = None
    """The newest Window's."""
    others: list[str] = field(default_factory=list)
    """Of the asset, whether they have been heard or not."""
    lives: dict[str, int] = field(default_factory=dict)
    """Of each other node: the entry from which on what was learned of it holds."""
    said: list[str] | None = None
    """The others that it was judged with, as told last."""
    away: list[str] = field(default_factory=list)
    """The others that were not there then; what is in neither tells nothing more of it."""

    @property
    def key(self) -> str:
        """In the journal's table of places, where no node has a name like it."""
        return f"{self.asset}:{self.node}"

    @property
    def judges(self) -> bool:
        """Whether it is judged here: since its place has learned by itself."""
        return self.beside.reach is not None

    def judge(self, own: Place, error: float) -> Judgement:
        """Its newest Window, of which its place has found that error."""
        score, choice = self.beside.score(own, error), self.beside.choice
        away = [node for node in self.others if node not in self.beside.means]
        if (list(choice), away) != (self.said, self.away):
            self.said, self.away = list(choice), away
            log.info("learner", node=self.node, what=self.given())
        return Judgement(score, self.beside.alarm.latched, self.beside.digest(choice) if choice else b"")

    def learn(self, own: Place) -> list[Learned]:
        """What it has learned from this Window on."""
        learned, refused = self.beside.learn(own)
        said = [("refused", f"beside {_together(choice)}: {why}") for choice, why in refused.items()]
        if learned:
            said.append(("given", f"{own.settings.learn} windows beside {'; '.join(map(_together, learned))}"))
        for what, told in said:
            log.info("learner", node=self.node, what=what, told=told)
        return [Learned(self.node, what, told, dumped(self)) for what, told in said]

    def given(self) -> str:
        """In words: which of the other nodes it was judged with, and which were missing."""
        said = f"given {', '.join(self.said)}" if self.said else "by itself"
        return f"{said}, without {', '.join(self.away)}" if self.away else said

    def heard(self, row: Row, event_ms: int, apart_ms: int) -> None:
        """Of its newest Window; `apart_ms`: what was usual when it learned."""
        if self.row is not None:
            self.recent_ms = [*self.recent_ms[1 - RECENT :], event_ms - self.event_ms]
        self.usual_ms = max(apart_ms, round(median(self.recent_ms or [0])))
        self.row, self.event_ms = row, event_ms

    def at_the_time_of(self, other: View) -> bool:
        """Whether its newest Window and another node's are of about the same time."""
        return abs(self.event_ms - other.event_ms) <= LATE * max(self.usual_ms, other.usual_ms)


class Fusions:
    """All nodes of assets that are judged together."""

    def __init__(self, states: Mapping[str, bytes], learn_from: Callable[[str], int]) -> None:
        """`states`: as the journal has them. `learn_from(node)`: since when what was learned before holds no longer."""
        self._learn_from = learn_from
        self._views: dict[str, View] = {}
        self.tune({})
        for key, state in states.items():
            try:
                self._views[key] = loaded(state)
            except StateRefused as error:
                log.warning("what was learned cannot be read; it is learned anew", node=key, reason=str(error))

    def tune(self, assets: Mapping[str, Sequence[str]]) -> None:
        """Which nodes of which assets are judged together from now on."""
        self._asset_of = {node: asset for asset, nodes in assets.items() for node in nodes}
        self._nodes = {asset: sorted(nodes) for asset, nodes in assets.items()}

    def moment(self, node: str, at: AtPlace, row: Row, event_ms: int) -> View | None:
        """A Window of a node, features as they are judged [p]; None: it is judged by itself alone."""
        asset = self._asset_of.get(node)
        if asset is None:
            return None
        view = self._views.get(f"{asset}:{node}")
        if view is None or view.since != at.since:
            view = View(asset, node, at.since)
            self._views[view.key] = view
        view.others = [other for other in self._nodes[asset] if other != node]
        view.heard(row, event_ms, at.apart_ms)
        others = self._others(view)
        self._follow_lives(view, others)
        there = {v.node: v.row for v in others if v.row is not None and view.at_the_time_of(v)}
        view.beside.moment(row, there, at.place.settings.learn)
        return view

    def state(self, node: str) -> dict[str, bytes]:
        """What is known of one node, to be kept."""
        view = self._views.get(f"{self._asset_of.get(node)}:{node}")
        return {view.key: dumped(view)} if view else {}

    def states(self) -> dict[str, bytes]:
        """All that is known, to be kept."""
        return {view.key: dumped(view) for view in self._views.values()}

    def _others(self, view: View) -> list[View]:
        """Nodes of the asset that have been heard, and have not begun anew since."""
        found = [self._views.get(f"{view.asset}:{node}") for node in view.others]
        return [other for other in found if other and self._learn_from(other.node) <= other.since]

    @staticmethod
    def _follow_lives(view: View, others: Sequence[View]) -> None:
        """What was learned beside a node that has begun anew, or is there no longer, holds no longer."""
        lives = {other.node: other.since for other in others}
        for node, since in [*view.lives.items()]:
            if lives.get(node, since) != since or node not in view.others:
                view.beside.forget(node)
                del view.lives[node]
        view.lives |= lives


def is_fused(key: str) -> bool:
    """Whether a state in the journal's table of places is one of these, not of a place by itself."""
    return ":" in key


def _together(choice: Others) -> str:
    return " and ".join(choice)


def dumped(view: View) -> bytes:
    """As the journal keeps it."""
    plain = {key: getattr(view, key) for key in FIELDS}
    return packed({"version": VERSION, "beside": fusion_beside.dump(view.beside), **plain})


def loaded(state: bytes) -> View:
    """What the journal has. Raises StateRefused."""
    plain = unpacked(state)
    if plain.get("version") != VERSION:
        raise StateRefused(f"a node beside others of version {plain.get('version')}, not {VERSION}")
    try:
        return View(beside=fusion_beside.load(plain["beside"]), **{key: plain[key] for key in FIELDS})
    except (KeyError, TypeError) as error:
        raise StateRefused(f"not what was learned of a node beside others: {error}") from error
