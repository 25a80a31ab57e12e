"""Evaluation of an asset's nodes together (gateway/detectors/fusion.py): runs of one session, moment by moment.

A moment is a row of the asset's first node; of the others it has the newest row that was complete then, unless that is
too old: then the node is missing, as it is where its sensor is at fault. A moment is faulty if it is so at any node.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.fusion import NODES, Fusion
from gateway.detectors.place import Settings
from gateway.training import stream
from gateway.training.dataset import Dataset
from gateway.training.dataset.manifest import UNLABELLED
from gateway.training.evaluation import Track
from gateway.training.judges import EVENTS, Subject
from gateway.training.stream import Stream
from gateway.training.view import NotEvaluable, View, usual_samples

_OLD_ROWS = 1.5  # a row is too old for a moment when so many of its own kind could have come since

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Rows of several nodes at the same moments: x [n, p] of each, with NaN where it is missing."""

    x: dict[str, Floats]
    fault: NDArray[np.int8]
    label: tuple[str, ...]


def tracks(dataset: Dataset, settings: Settings | None = None, view: View | None = None) -> Iterator[Track]:
    """What the fused detector says of each session of each asset with several nodes. Raises NotEvaluable where no asset
    has, or one has too many, and DatasetBroken.
    """
    view, settings = view or View(), settings or Settings(events=EVENTS)
    chosen = view.recordings(dataset)
    assets = {
        asset: [r for r in chosen if r.run.asset == asset] for asset in dict.fromkeys(r.run.asset for r in chosen)
    }
    several = {a: found for a, found in assets.items() if len({r.run.node for r in found}) > 1}
    if not several:
        raise NotEvaluable("no asset has several nodes")
    for asset, recordings in several.items():
        if len({r.run.node for r in recordings}) > NODES:
            raise NotEvaluable(f"asset {asset}: at most {NODES} nodes can be fused")
        fusion: Fusion | None = None
        for session in dict.fromkeys(r.run.session for r in recordings):
            there = [r for r in recordings if r.run.session == session]
            lengths = {r.run.node: view.samples or usual_samples([r]) for r in there}
            streams = [stream.of(r, view.feature_set, lengths[r.run.node], view.hop, view.commission_s) for r in there]
            track, fusion = _track(_by_node(streams), fusion, settings)
            yield track


def together(streams: Sequence[Stream]) -> Moments:
    """Streams of different nodes at the moments of the first."""
    first = streams[0]
    x, faults = {}, []
    for one in streams:
        rows = np.searchsorted(one.at_s, first.at_s, side="right") - 1
        missing = rows < 0
        rows = np.maximum(rows, 0)
        missing |= first.at_s - one.at_s[rows] > _OLD_ROWS * one.row_s
        missing |= one.sensor_fault[rows] != 0
        x[one.node] = np.where(missing[:, None], np.nan, Subject.of(one).terms(one.x)[rows])
        faults.append(np.where(missing, UNLABELLED, one.fault[rows]))
    known = np.stack(faults)
    fault = np.where((known == 1).any(axis=0), 1, np.where((known == 0).any(axis=0), 0, UNLABELLED)).astype(np.int8)
    return Moments(x, fault, first.label)


def _by_node(streams: Sequence[Stream]) -> list[Stream]:
    """One of each node, the one with the most rows first. Raises NotEvaluable."""
    nodes = [s.node for s in streams]
    if len(set(nodes)) < len(nodes):
        raise NotEvaluable(f"session {streams[0].session}: several runs of one node, which cannot be put side by side")
    return sorted((s for s in streams if len(s)), key=lambda s: (-len(s), s.node))


def _track(streams: Sequence[Stream], before: Fusion | None, settings: Settings) -> tuple[Track, Fusion | None]:
    """Commissions where the first node's run says so, on the moments at which no node is missing."""
    if not streams:
        raise NotEvaluable("a session without a whole window")
    first, moments = streams[0], together(streams)
    learn, note, fusion = first.learn, "", before
    if learn:
        whole = np.all([np.isfinite(x[:learn]).all(axis=1) for x in moments.x.values()], axis=0)
        try:
            names = {one.node: _names(one) for one in streams}
            fusion = Fusion(names, settings)
            fusion.commission({node: x[:learn][whole] for node, x in moments.x.items()})
            note = "; ".join(f"{first.session}: {node}: {why}" for node, why in fusion.refused.items())
        except (ValueError, np.linalg.LinAlgError) as error:
            note, fusion = f"{first.session}: {error or 'nothing to learn from'}", None
    score, alarm = np.full(len(first) - learn, np.nan), np.zeros(len(first) - learn, np.bool_)
    if fusion is not None:
        found = fusion.judge({node: x[learn:] for node, x in moments.x.items()}, _breaks(first, learn))
        score, alarm = found.score, found.latched
    track = Track(
        run=first.session,
        node=" ".join(sorted(moments.x)),
        asset=first.asset,
        session=first.session,
        learned=learn,
        row_s=first.row_s,
        wanted=settings.events,
        at_s=first.at_s[learn:],
        fault=moments.fault[learn:],
        label=moments.label[learn:],
        score=score,
        alarm=alarm,
        note=note,
    )
    return track, fusion


def _names(one: Stream) -> list[str]:
    """Of the columns of its terms."""
    return [f"{one.node} {name}" for name in Subject.of(one).term_names]


def _breaks(one: Stream, first: int) -> list[int]:
    """Of the rows from `first` on; where most rows follow a pause, none is one (evaluation.py)."""
    pauses = one.breaks.tolist() if 2 * len(one.breaks) < len(one) else []
    return [at - first for at in (0, *pauses) if at >= first]
