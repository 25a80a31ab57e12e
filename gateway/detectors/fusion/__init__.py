"""The nodes of an asset together: each by itself, and given what the others say (`beside`, `evidence`).

A node by itself finds what is unusual there. Given the others it finds what does not fit, however small, while what
all feel, weather or load, fits. The asset alarms when one of its nodes does, and the wanted false alarms are shared out
to them in equal parts, so that all together are promised no more (Bonferroni).

What holds by construction: no row is anomalous that no node finds unusual either way; where the others do not make
what was learned of a node more likely, it is judged by itself, as if they were not there; and where a node is missing,
the others are judged with those that are there, down to one that is judged by itself. "Never worse than the best single
node" cannot be had by construction for every fault: one that all nodes feel alike looks like load, and counts less. It
is measured, on simulated assets and on recordings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.fusion.beside import Beside
from gateway.detectors.place import Bools, Place, Settings
from gateway.detectors.place.normal import Floats, Stuck, TooFew

NODES = 6
"""Nodes of an asset that can be fused at most: each is learned given every choice of the others, 2^(n-1) of them."""


@dataclass(frozen=True)
class Fused:
    """On n rows of an asset with m nodes, in the order of `Fusion.nodes`."""

    score: Floats
    """The largest of the nodes' scores: above 1 the row is anomalous; NaN where no node was there."""
    latched: Bools
    """An alarm of any node stands."""
    nodes: Floats
    """Fused error over threshold of each node [n, m]; NaN where it was missing."""

    @property
    def leading(self) -> NDArray[np.int64]:
        """The node with the largest score [n], -1 where there was none."""
        return np.where(np.isnan(self.score), -1, np.argmax(np.nan_to_num(self.nodes, nan=-1.0), axis=1))


class Fusion:
    """All nodes of one asset, whose rows are of the same moments: places and `Beside`s, as the daemon has them.

    Not thread-safe.
    """

    def __init__(self, nodes: Mapping[str, Sequence[str]], settings: Settings | None = None) -> None:
        """`nodes`: the names of each node's features. ValueError for no node, or more than NODES."""
        if not 0 < len(nodes) <= NODES:
            raise ValueError(f"{len(nodes)} nodes where 1 to {NODES} can be fused")
        self.nodes = tuple(sorted(nodes))
        self.settings = settings or Settings()
        each = replace(self.settings, events=self.settings.events / len(nodes))
        self.places = {node: Place(nodes[node], each) for node in self.nodes}
        self.besides = {node: Beside() for node in self.nodes}
        self.refused: dict[str, str] = {}
        """Nodes that nothing could be learned of, and why. They are missing until there is something."""

    def commission(self, rows: Mapping[str, Floats], breaks: Sequence[int] = ()) -> None:
        """Learns from these rows, [n, p] of every node. Raises Stuck and TooFew if no node can learn, and NotFinite."""
        self.refused = {}
        for node, place in self.places.items():
            try:
                place.commission(rows[node], breaks)
            except (Stuck, TooFew) as error:
                if len(self.refused) == len(self.nodes) - 1:
                    raise
                self.refused[node] = str(error)
        gaps = set(breaks)
        for node in self._known():
            place, beside = self.places[node], Beside()
            place.settings = replace(place.settings, learn=len(rows[node]))
            for at, row in enumerate(rows[node]):
                now = {other: rows[other][at] for other in self._known() if other != node}
                beside.moment(row, now, place.settings.learn, at in gaps)
            beside.learn(place)
            self.besides[node] = beside

    def judge(self, rows: Mapping[str, Floats], breaks: Sequence[int] = ()) -> Fused:
        """The next rows: [n, p] of each node, or nothing of one that is missing; a row with NaN is missing, too."""
        count = max((len(of_node) for of_node in rows.values()), default=0)
        found = Fused(np.full(count, np.nan), np.zeros(count, bool), np.full((count, len(self.nodes)), np.nan))
        gaps, known = set(breaks), [node for node in self._known() if node in rows]
        for at in range(count):
            now = {node: rows[node][at] for node in known if np.isfinite(rows[node][at]).all()}
            self._moment(now, at in gaps, found, at)
        return found

    def _known(self) -> list[str]:
        return [node for node in self.nodes if node not in self.refused]

    def _moment(self, now: Mapping[str, Floats], gap: bool, found: Fused, at: int) -> None:
        for number, node in enumerate(self.nodes):
            beside = self.besides[node]
            if node in now:
                place = self.places[node]
                error = float(place.judge(now[node][None], [0] if gap else []).error[0])
                beside.moment(now[node], {other: row for other, row in now.items() if other != node}, 0, gap)
                found.nodes[at, number] = beside.score(place, error)
            found.latched[at] |= beside.alarm.latched
        scores = [score for score in found.nodes[at].tolist() if not math.isnan(score)]
        found.score[at] = max(scores, default=math.nan)
