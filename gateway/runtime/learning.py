"""The gateway's own learner, one place for each node that has `model = "learner"`: it learns what is normal there from
the node's first Windows, then judges each of them.

What is learned outlives a restart (the journal's `places`), and is an entry of the journal when it is complete. It
begins anew when the node says that it was moved, and when somebody tells it to learn (`stethos node tell NODE learn`).
An acknowledgement alone does not: it says that somebody has seen the alarm, not that the machine is well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

import numpy as np
import structlog
from numpy.typing import NDArray

from gateway.core.entry import NO_OPINION, Body, Learned, Scored
from gateway.core.rescore import Pending
from gateway.detectors import feature_sets
from gateway.detectors.judged import judged, names
from gateway.detectors.place import Place, Settings
from gateway.detectors.place import state as place_state
from gateway.detectors.place.normal import Stuck, TooFew, cut
from gateway.detectors.place.prior import Prior, watch
from gateway.detectors.place.state import StateRefused, packed, unpacked
from gateway.runtime.inbound import Places
from gateway.runtime.learning_fused import Fusions, Judgement, is_fused

VERSION = 1
WEEK_MS = 7 * 24 * 3_600_000
UNIT = 1000  # of a Score's value: thousandths of the threshold
FIELDS = "feature_set", "features", "since", "rows", "seen_ms", "apart_ms", "judged", "lesson"
KEEP_EVERY = 64  # windows judged, after which what was followed is kept; what is learned is kept with each window

log = structlog.get_logger()


@dataclass(slots=True)
class AtPlace:
    """What is learned of one node. `since`: the entry from which on it holds."""

    place: Place
    feature_set: int
    features: int
    since: int
    rows: list[NDArray[np.float64]] = field(default_factory=list)
    seen_ms: list[int] = field(default_factory=list)
    """Of the windows that it will be commissioned with; empty from then on."""
    apart_ms: int = 0
    """What usually lay between two of them."""
    judged: int = 0
    lesson: bytes = b""
    """What other gateways may know of it, without a row: a fleet of this place; empty until it is commissioned."""

    @property
    def learns(self) -> bool:
        """Whether it has not seen enough yet. With a fleet it judges all the same."""
        return not self.lesson

    @property
    def model(self) -> bytes:
        """Names what judges, in the journal."""
        known = self.place.known
        return hashlib.sha256(packed(known.plain()) if known else b"").digest()


class Learners:
    """All places. `learn_from(node)`: the entry since which what was learned before holds no longer."""

    def __init__(
        self, states: Mapping[str, bytes], learn_from: Callable[[str], int], windows: int, false_alarms_a_week: float,
        fleet: bytes = b"", fused: Mapping[str, Sequence[str]] | None = None,
    ) -> None:  # fmt: skip
        """`states`: as the journal has them. `false_alarms_a_week`: wanted of a node whose machine is well. `fleet`:
        what is known of like machines (`stethos learner merge`). `fused`: assets with nodes that are judged together.
        """
        self._learn_from = learn_from
        self._fusions = Fusions({key: state for key, state in states.items() if is_fused(key)}, learn_from)
        self.tune(windows, false_alarms_a_week, fleet, fused)
        self._places: dict[str, AtPlace] = {}
        for node, state in states.items():
            if is_fused(node):
                continue
            try:
                self._places[node] = loaded(state, self._fleet)
            except StateRefused as error:
                log.warning("what was learned cannot be read; it is learned anew", node=node, reason=str(error))

    def score(self, batch: Mapping[int, Pending]) -> list[Body | Places]:
        """What is to be handed in for these Windows, in order: their Scores, what was learned, and what is to be kept.
        Not on the event loop.
        """
        said: list[Body | Places] = []
        keep: dict[str, bytes] = {}
        for entry, pending in batch.items():
            at = self._at(entry, pending)
            if at is None:
                said.append(Scored(entry, 0, 0, b"", f"{len(pending.values)} features of no set"))
                continue
            found = self._look(entry, pending, at)
            said += found
            at.judged += 1
            if at.learns or at.judged % KEEP_EVERY == 0 or len(found) > 1:
                keep |= {pending.node: _dumped(at), **self._fusions.state(pending.node)}
        return [*said, Places(keep)] if keep else said

    def tune(
        self, windows: int, false_alarms_a_week: float, fleet: bytes = b"",
        fused: Mapping[str, Sequence[str]] | None = None,
    ) -> None:  # fmt: skip
        """For what is learned from now on. A fleet that cannot be read is none."""
        self._fusions.tune(fused or {})
        self._windows, self._wanted, self._fleet = windows, false_alarms_a_week, None
        try:
            self._fleet = Prior.load(fleet) if fleet else None
        except StateRefused as error:
            log.error("what like machines have taught cannot be used", reason=str(error))

    def states(self) -> dict[str, bytes]:
        """All that is known, to be kept."""
        return {node: _dumped(at) for node, at in self._places.items()} | self._fusions.states()

    def _at(self, entry: int, pending: Pending) -> AtPlace | None:
        """Where a Window belongs; anew if what was there holds no longer."""
        since = self._learn_from(pending.node)
        at = self._places.get(pending.node)
        form = pending.feature_set, len(pending.values)
        if at and (at.feature_set, at.features) == form and at.since >= since:
            return at
        channels = channels_of(*form)
        if not channels:
            return None
        fresh = AtPlace(self._begun(names(pending.feature_set, channels)), *form, max(since, entry))
        self._places[pending.node] = fresh
        return fresh

    def _begun(self, features: tuple[str, ...]) -> Place:
        """With a fleet of like machines it watches from its first window on."""
        settings, fleet = Settings(learn=self._windows), self._fleet
        if fleet is None or fleet.names != features:
            return Place(features, settings)
        place = Place(features, settings, fleet)
        with suppress(TooFew):  # too few to know how places differ
            watch(place, fleet)
        return place

    def _look(self, entry: int, pending: Pending, at: AtPlace) -> Sequence[Body]:
        row = judged(pending.feature_set, channels_of(at.feature_set, at.features), [pending.values])
        if not np.isfinite(row).all():
            return (Scored(entry, 0, NO_OPINION, b""),)
        view = self._fusions.moment(pending.node, at, row[0], pending.event_ms)
        score = Scored(entry, 0, NO_OPINION, b"")
        if at.place.known is not None:
            found = at.place.judge(row)
            by = view.judge(at.place, float(found.error[0])) if view and view.judges else None
            score = scored(entry, by or Judgement(float(found.score[0]), bool(found.latched[0])), at.model)
        said: list[Body] = [score]
        if at.learns:
            at.rows.append(row[0])
            at.seen_ms.append(pending.event_ms)
            said += [self._commissioned(pending.node, at)] if len(at.rows) >= self._windows else []
        return said if at.learns or view is None else [*said, *view.learn(at.place)]

    def _commissioned(self, node: str, at: AtPlace) -> Learned:
        """What it promises is so many events a window; people count them by the week."""
        rows, seen_ms = np.array(at.rows), at.seen_ms
        at.rows, at.seen_ms = [], []
        try:
            at.place.commission(rows)
        except (Stuck, TooFew) as error:
            return _told(node, at, "refused", str(error))
        at.apart_ms = max(round(median([b - a for a, b in pairwise(seen_ms)])), 1)
        at.place.sensitivity(min(self._wanted * at.apart_ms / WEEK_MS, 0.5))
        chunks = [rows[part] for part in cut(len(rows), at.place.settings.chunks)]
        at.lesson = Prior.of(at.place.names, chunks, limit=at.place.limit).dump()
        told = f"{len(rows)} windows, {at.apart_ms / 1000:g} s apart; wanted: {self._wanted:g} false alarms a week"
        return _told(node, at, "commissioned", told)


def scored(entry: int, judgement: Judgement, model: bytes) -> Scored:
    """An alarm that stands outlasts a window that is not so bad, and one bad window alone is no alarm."""
    value = round(UNIT * min(judgement.score, 1e6))
    value = max(value, UNIT + 1) if judgement.latched else min(value, UNIT)
    return Scored(entry, value, UNIT, hashlib.sha256(model + judgement.model).digest() if judgement.model else model)


def _told(node: str, at: AtPlace, what: str, told: str) -> Learned:
    log.info("learner", node=node, what=what, told=told)
    return Learned(node, what, told, _dumped(at))


def channels_of(feature_set: int, features: int) -> int:
    """Of a sensor whose windows have so many features; 0 if there is none such."""
    if feature_set not in feature_sets.NAMES:
        return 0
    return next((c for c in range(1, 10) if feature_sets.size(feature_set, c) == features), 0)


def _dumped(at: AtPlace) -> bytes:
    plain = {key: getattr(at, key) for key in FIELDS}
    return packed({"version": VERSION, "place": place_state.dump(at.place), **plain})


def loaded(state: bytes, fleet: Prior | None = None) -> AtPlace:
    """What the journal has of a place. Raises StateRefused."""
    plain = unpacked(state)
    if plain.get("version") != VERSION:
        raise StateRefused(f"a place of version {plain.get('version')}, not {VERSION}")
    try:
        place = place_state.load(plain["place"])
        if fleet is not None and fleet.names == place.names:
            place.how = fleet
        return AtPlace(place, **{key: plain[key] for key in FIELDS})
    except (KeyError, TypeError) as error:
        raise StateRefused(f"not what was learned at a place: {error}") from error
