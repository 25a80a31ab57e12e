"""The nodes of an asset together: each by itself, and given what the others say.

A node by itself finds what is unusual there. Given the others it finds what does not fit, however small, while what
all feel, weather or load, fits. Its fused error is the geometric mean of both errors, neither taken below 1: what
either has to say counts half, on a logarithmic scale. The asset alarms when one of its nodes does, and the wanted
false alarms are shared out to them in equal parts, so that all together are promised no more (Bonferroni).

What holds by construction: no row is anomalous that no node finds unusual either way; a node whose own error is above
the square of the fused threshold is anomalous whatever the others say; and where a node is missing, the others are
given those that are there, by the joint Gaussian without its rows and columns, down to one that is judged by itself.
"Never worse than the best single node" cannot be had by construction for every fault: one that all nodes feel alike
looks like load, and counts half. It is measured on recordings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.fusion.node import FusedNode
from gateway.detectors.place import Bools, Settings
from gateway.detectors.place.average import averaged, worthwhile
from gateway.detectors.place.normal import Floats

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
    """Of one asset. Not thread-safe. Rows of its nodes are of the same moments."""

    def __init__(self, nodes: Mapping[str, Sequence[str]], settings: Settings | None = None) -> None:
        """`nodes`: the names of each node's features. ValueError for no node, or more than NODES."""
        if not 0 < len(nodes) <= NODES:
            raise ValueError(f"{len(nodes)} nodes where 1 to {NODES} can be fused")
        self.nodes = tuple(sorted(nodes))
        self.features = {node: tuple(nodes[node]) for node in self.nodes}
        self.settings = settings or Settings()
        each = replace(self.settings, events=self.settings.events / len(nodes), average=1)
        self.judges = {
            node: FusedNode(self.features[node], [other for other in self.nodes if other != node], each)
            for node in self.nodes
        }
        self.reach = 1
        self.means: dict[str, Floats] = {}
        self.there: tuple[str, ...] = ()

    def commission(self, rows: Mapping[str, Floats], breaks: Sequence[int] = ()) -> None:
        """Learns from these rows, [n, p] of every node. Raises what `Place.commission` raises."""
        gaps = [at in set(breaks) for at in range(len(rows[self.nodes[0]]))]
        fixed, chunks = self.settings.average, self.settings.chunks
        self.reach = min(worthwhile(list(rows[node]), gaps, chunks) for node in self.nodes) if fixed is None else fixed
        whole = {node: np.array(averaged(list(rows[node]), gaps, self.reach)) for node in self.nodes}
        self.means = {node: of_node[-1] for node, of_node in whole.items()}
        for node, judge in self.judges.items():
            judge.commission(whole[node], {other: whole[other] for other in judge.others})
        self.there = self.nodes

    def judge(self, rows: Mapping[str, Floats], breaks: Sequence[int] = ()) -> Fused:
        """The next rows: [n, p] of each node, or nothing of one that is missing; a row with NaN is missing, too."""
        count = max((len(of_node) for of_node in rows.values()), default=0)
        found = Fused(np.full(count, np.nan), np.zeros(count, bool), np.full((count, len(self.nodes)), np.nan))
        gaps = set(breaks)
        for at in range(count):
            now = {node: rows[node][at] for node in self.nodes if node in rows and np.isfinite(rows[node][at]).all()}
            self._moment(now, at in gaps, found, at)
        return found

    def _moment(self, now: Mapping[str, Floats], gap: bool, found: Fused, at: int) -> None:
        for node, row in now.items():
            [self.means[node]] = averaged([row], [gap or node not in self.there], self.reach, self.means.get(node))
        fresh = {node: self.means[node] for node in now}
        self.there = tuple(now)
        for number, node in enumerate(self.nodes):
            judge = self.judges[node]
            if node in fresh:
                others = {other: fresh[other] for other in judge.others if other in fresh}
                found.nodes[at, number] = judge.judge(fresh[node], others)
            found.latched[at] |= judge.alarm.latched
        scores = [score for score in found.nodes[at].tolist() if not math.isnan(score)]
        found.score[at] = max(scores, default=math.nan)
