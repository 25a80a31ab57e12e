"""The gateway's learner with a prior from like machines, as the daemon has it with `[learning] fleet`, and that prior
from the other sessions of a dataset: of what may be learned from, never of labels.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from gateway.detectors import judged
from gateway.detectors.place import Place, Settings
from gateway.detectors.place.normal import CHUNKS, Floats, cut, fit
from gateway.detectors.place.prior import Prior, watch
from gateway.detectors.place.threshold import limit
from gateway.training.dataset import Dataset
from gateway.training.evaluation import Progress, Track, streams, tracks
from gateway.training.judges import EVENTS, CannotLearn, Judge, Judged, Seen, Subject
from gateway.training.stream import Stream
from gateway.training.view import NotEvaluable, View, usual_hop, usual_samples

_PIECES = 2 * CHUNKS


class FleetJudge:
    """Watches from its first row on by the fleet, where that knows how places differ, and learns what it is shown."""

    def __init__(self, subject: Subject, fleet: Prior, settings: Settings | None = None) -> None:
        """Raises NotEvaluable for a fleet of other features. It knows no context."""
        self._subject, self._fleet = subject, fleet
        self._settings = settings or Settings(events=EVENTS)
        self.wanted = self._settings.events
        if fleet.names != names_of(subject):
            ours, theirs = len(names_of(subject)), len(fleet.names)
            raise NotEvaluable(f"node {subject.node}: {ours} features, and a fleet of {theirs}, or of others")
        self._place = self._begun()

    def commission(self, rows: Seen) -> None:
        """From these rows and the fleet; by the fleet alone where they are too few. Raises CannotLearn."""
        x = self._subject.terms(rows.x)
        if len(x) < CHUNKS:
            self._place = self._begun()
            if self._place is None:
                raise CannotLearn(
                    f"{len(x)} rows to learn from, where {CHUNKS} are the least, and a fleet of "
                    f"{self._fleet.means.count} places, which does not tell how places differ"
                )
            return
        place, self._place = Place(self._fleet.names, replace(self._settings, learn=len(x)), self._fleet), None
        try:
            place.commission(x, rows.breaks)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise CannotLearn(str(error)) from error
        self._place = place

    def judge(self, rows: Seen) -> Judged:
        """NaN while it knows nothing."""
        if self._place is None:
            return Judged(np.full(len(rows), np.nan), np.zeros(len(rows), np.bool_))
        found = self._place.judge(self._subject.terms(rows.x), rows.breaks)
        return Judged(found.score, found.latched)

    def _begun(self) -> Place | None:
        place = Place(self._fleet.names, self._settings, self._fleet)
        try:
            watch(place, self._fleet)
        except ValueError:  # TooFew
            return None
        return place


def names_of(subject: Subject) -> tuple[str, ...]:
    """As a fleet has them: of features those of `judged`, of readings the channels."""
    if subject.feature_set is None:
        return subject.channels
    return judged.names(subject.feature_set, len(subject.channels))


def tracks_given_others(
    dataset: Dataset, settings: Settings, view: View, progress: Progress | None = None
) -> Iterator[Track]:
    """Each session by a judge with a prior of all other sessions' runs of the same channels, of whichever node. They
    learned as long as the manifest says; the session itself as `view` says.

    Raises NotEvaluable where there are none, and what `tracks` raises.
    """
    chosen = replace(view, sessions=()).recordings(dataset)
    of_node = {r.run.node: [one for one in chosen if one.run.node == r.run.node] for r in chosen}
    as_told = replace(view, commission_s=None)
    lessons = [one for found in of_node.values() for one, _ in streams(found, as_told) if one.learn]
    priors = [(Subject.of(one), one.session, taught(one)) for one in lessons]
    told = tuple(dict.fromkeys((r.run.node, r.run.session) for r in view.recordings(dataset)))
    for done, (node, session) in enumerate(told):
        recordings = of_node[node]
        samples = view.samples or usual_samples(recordings)
        hop = view.hop or (usual_hop(recordings, samples, as_told.learned_s(recordings)) if samples else None)
        only = replace(view, nodes=(glob.escape(node),), sessions=(glob.escape(session),), samples=samples, hop=hop)
        others = [(of, prior) for of, other, prior in priors if other != session and prior]

        def make(subject: Subject, others: list[tuple[Subject, Prior]] = others, session: str = session) -> Judge:
            alike = [prior for of, prior in others if _alike(of, subject)]
            if not alike:
                raise NotEvaluable(f"session {session}: no other session of such a node may be learned from")
            return FleetJudge(subject, reduce(Prior.merge, alike), settings)

        if progress:
            progress(f"{node} {session}", done / len(told))
        yield from tracks(dataset, make, only)


def taught(one: Stream) -> Prior | None:
    """What a run's start, which may be learned from, teaches like machines; None where no sensor was sound."""
    subject = Subject.of(one)
    sound = np.flatnonzero(one.sensor_fault[: one.learn] == 0)
    rows = subject.terms(one.x[sound])
    if not len(rows):
        return None
    whole = len(rows) >= _PIECES
    chunks: Sequence[Floats] = [rows[piece] for piece in cut(len(rows))] if whole else [rows]
    try:
        return Prior.of(names_of(subject), chunks, limit=limit(fit, chunks) if whole else None)
    except (ValueError, np.linalg.LinAlgError):  # what stood still tells of no threshold
        return Prior.of(names_of(subject), chunks)


def _alike(one: Subject, other: Subject) -> bool:
    return (one.feature_set, one.channels) == (other.feature_set, other.channels)
