"""The gateway's own learner, one place for each node that has `model = "learner"`: it learns what is normal there from
the node's first Windows, then judges each of them.

What is learned outlives a restart (the journal's `places`), and is an entry of the journal when it is complete. It
begins anew when the node says that it was moved, and when somebody tells it to learn (`stethos node tell NODE learn`,
`stethos alarm ack ALARM --learn`). An acknowledgement alone does not, unless `[learning] acknowledged` says so: it says
that somebody has seen the alarm, not that the machine is well.

Of what its machine is doing then, its context, a learner is told where the configuration says by whom
(learning_context.py). It learns with it, and does not judge a Window without: what is missing is counted
(`window_without_context`), and said when it goes on.

Of a Window that the node itself calls anomalous nothing is learned: a node that judges for itself may send few others,
and a fault would be learned as normal. It is counted (`window_not_learned`), and said when no other comes. Where
somebody has told it to learn what is there, everything is learned from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import numpy as np
import structlog
from numpy.typing import NDArray

from gateway.config import CONTEXT, TIME_OF_DAY
from gateway.core.entry import NO_OPINION, Body, Learned, Scored
from gateway.core.rescore import Pending
from gateway.detectors import feature_sets
from gateway.detectors.judged import judged, names
from gateway.detectors.place import Place, Settings
from gateway.detectors.place.form import Form
from gateway.detectors.place.normal import Stuck, TooFew
from gateway.detectors.place.prior import Prior, watch
from gateway.detectors.place.state import StateRefused
from gateway.runtime import learning_context
from gateway.runtime.inbound import Places
from gateway.runtime.learning_context import Readings
from gateway.runtime.learning_fused import Fusions, Judgement, is_fused
from gateway.runtime.learning_how import Lessons
from gateway.runtime.learning_place import AtPlace, is_place
from gateway.wire.messages import Features

UNIT = 1000  # of a Score's value: thousandths of the threshold
NOTHING_ELSE = 24
"""Windows in a row of which nothing is learned, or that nobody judges, after which that is said."""
KEEP_EVERY = 64  # windows judged, after which what was followed is kept; what is learned is kept with each window

log = structlog.get_logger()


class Learners:
    """All places. `learn_from(node)`: the entry since which what was learned before holds no longer."""

    def __init__(
        self, states: Mapping[str, bytes], learn_from: Callable[[str], int], lessons: Lessons,
        ordered: Callable[[str], bool] = lambda node: False, form: Callable[[str], Form] = lambda node: Form(),
    ) -> None:  # fmt: skip
        """`states`: as the journal has them. `ordered(node)`: somebody has told it to learn since then. `form(node)`:
        what its Birth says of its windows.
        """
        self._learn_from, self._ordered, self._form = learn_from, ordered, form
        self.not_learned = self.without_context = 0
        self._fusions = Fusions({key: state for key, state in states.items() if is_fused(key)}, learn_from)
        self._readings = _readings(states)
        self._asked: Lessons | None = None
        self._tune(lessons)
        self._places: dict[str, AtPlace] = {}
        for node, state in states.items():
            if not is_place(node):
                continue
            try:
                self._places[node] = AtPlace.loaded(state, self._fleet(node))
            except StateRefused as error:
                log.warning("what was learned cannot be read; it is learned anew", node=node, reason=str(error))

    def score(self, batch: Mapping[int, Pending]) -> list[Body | Places]:
        """What is to be handed in for these Windows, in order: their Scores, what was learned, and what is to be kept.
        Not on the event loop.
        """
        asked, self._asked = self._asked, None
        if asked:
            self._tune(asked)
        said: list[Body | Places] = []
        keep: dict[str, bytes] = {}
        for entry, pending in batch.items():
            if pending.node in self._heard:
                self._readings.heard(pending.node, pending.event_ms, Features(pending.feature_set, pending.values))
            why = "" if pending.model == CONTEXT else self._unfit(pending)
            if pending.model == CONTEXT or why:
                said.append(Scored(entry, 0, 0 if why else NO_OPINION, b"", why))
                continue
            at, begun = self._at(entry, pending)
            found = [*self._look(entry, pending, at), *begun]
            said += found
            at.judged += 1
            if at.learns or at.judged % KEEP_EVERY == 0 or len(found) > 1:
                keep |= {pending.node: at.dumped(), **self._fusions.state(pending.node)}
        return [*said, Places(keep | self._readings.state())] if keep else said

    def tune(self, lessons: Lessons) -> None:
        """For what is learned from the next Window on: `score` may be at work in another thread."""
        self._asked = lessons

    def _tune(self, lessons: Lessons) -> None:
        """A fleet that cannot be read is none."""
        self._fusions.tune(lessons.fused)
        self._lessons, self._fleets = lessons, {}
        told = {node: how.context for node, how in lessons.own.items() if how.context}
        self._heard = told.keys() | {name.split("/")[0] for names in told.values() for name in names}
        self._readings.only(self._heard)
        for fleet in {how.fleet for how in (lessons.usual, *lessons.own.values())} - {b""}:
            try:
                self._fleets[fleet] = Prior.load(fleet)
            except StateRefused as error:
                log.error("what like machines have taught cannot be used", reason=str(error))

    def states(self) -> dict[str, bytes]:
        """All that is known, to be kept."""
        places = {node: at.dumped() for node, at in self._places.items()}
        return {**places, **self._fusions.states(), **self._readings.state()}

    def _unfit(self, pending: Pending) -> str:
        """Why nothing can be learned from such a Window; "" if it can."""
        if not feature_sets.channels(pending.feature_set, len(pending.values)):
            return f"{len(pending.values)} features of no set"
        if TIME_OF_DAY in self._lessons.of(pending.node).context and pending.feature_set != feature_sets.SLOW:
            return f"the time of day is no context of features {feature_sets.NAMES[pending.feature_set]}"
        return ""

    def _at(self, entry: int, pending: Pending) -> tuple[AtPlace, Sequence[Learned]]:
        """Where a Window belongs; anew, and what there is to say of that, if what was there holds no longer."""
        node, since = pending.node, self._learn_from(pending.node)
        channels = feature_sets.channels(pending.feature_set, len(pending.values))
        form = Form(pending.feature_set, channels).known_with(self._form(node))
        at, how = self._places.get(node), self._lessons.of(node)
        if at and at.since >= since and at.context == how.context and at.holds(form):
            at.form = at.form.known_with(form)
            return at, ()
        place, fleet = Place(names(form.feature_set, channels), Settings(learn=how.windows)), self._fleet(node)
        ordered = self._ordered(node) and (at is None or at.since < since)
        at = self._places[node] = AtPlace(place, form, max(since, entry), how.context, ordered)
        if fleet is None:
            return at, ()
        if why := fleet.unfit(form, place.names):
            return at, [_told(node, at, "refused", f"what like machines have taught: {why}")]
        place.how = fleet
        with suppress(TooFew):  # too few to know how places differ
            watch(place, fleet)  # from its first window on
        return at, ()

    def _fleet(self, node: str) -> Prior | None:
        return self._fleets.get(self._lessons.of(node).fleet)

    def _look(self, entry: int, pending: Pending, at: AtPlace) -> Sequence[Body]:
        row = judged(at.form.feature_set, at.form.channels, [pending.values])
        if not np.isfinite(row).all():
            return (Scored(entry, 0, NO_OPINION, b""),)
        context, missing = np.zeros(0), list[str]()
        if at.context:
            context, missing = self._readings.about(pending.node, pending.event_ms, at.context)
        if missing:
            return (Scored(entry, 0, NO_OPINION, b""), *self._without(pending.node, at, missing))
        at.without_in_a_row = 0
        view = self._fusions.moment(pending.node, at, row[0], pending.event_ms)
        score = Scored(entry, 0, NO_OPINION, b"")
        if at.place.known is not None:
            given = at.given(context)
            found = at.place.judge(row, contexts=None if given is None else given[None])
            by = view.judge(at.place, float(found.error[0])) if view and view.judges else None
            score = scored(entry, by or Judgement(float(found.score[0]), bool(found.latched[0])), at.model)
        said: list[Body] = [score]
        if at.learns:
            said += self._learn(pending, at, row[0], context)
        return said if at.learns or view is None else [*said, *view.learn(at.place)]

    def _without(self, node: str, at: AtPlace, missing: Sequence[str]) -> Sequence[Learned]:
        """A Window whose context is not known; what there is to say of it."""
        self.without_context += 1
        at.without, at.without_in_a_row = at.without + 1, at.without_in_a_row + 1
        told = (
            f"{at.without_in_a_row} windows in a row without {', '.join(missing)}, which nobody judges or learns from"
        )
        return [_told(node, at, "waits", told)] if at.without_in_a_row == NOTHING_ELSE else []

    def _learn(
        self, pending: Pending, at: AtPlace, row: NDArray[np.float64], context: NDArray[np.float64]
    ) -> Sequence[Learned]:
        """From one Window; what there is to say of it."""
        if pending.claimed and not at.ordered:
            self.not_learned += 1
            at.passed, at.in_a_row = at.passed + 1, at.in_a_row + 1
            told = f"{at.in_a_row} windows in a row that the node itself calls anomalous, of which nothing is learned"
            return [_told(pending.node, at, "waits", told)] if at.in_a_row == NOTHING_ELSE else []
        at.in_a_row = 0
        at.rows.append(row)
        at.seen_ms.append(pending.event_ms)
        if at.context:
            at.contexts.append(context)
        how = self._lessons.of(pending.node)
        if len(at.rows) < how.windows:
            return []
        try:
            return [_told(pending.node, at, "commissioned", at.commission(how))]
        except (Stuck, TooFew, np.linalg.LinAlgError) as error:
            return [_told(pending.node, at, "refused", str(error))]


def scored(entry: int, judgement: Judgement, model: bytes) -> Scored:
    """An alarm that stands outlasts a window that is not so bad, and one bad window alone is no alarm."""
    value = round(UNIT * min(judgement.score, 1e6))
    value = max(value, UNIT + 1) if judgement.latched else min(value, UNIT)
    return Scored(entry, value, UNIT, hashlib.sha256(model + judgement.model).digest() if judgement.model else model)


def _told(node: str, at: AtPlace, what: str, told: str) -> Learned:
    log.info("learner", node=node, what=what, told=told)
    return Learned(node, what, told, at.dumped())


def heard_of(states: Mapping[str, bytes]) -> set[str]:
    """Nodes of which a Window has come, as the journal has it."""
    return {*filter(is_place, states), *_readings(states).nodes}


def _readings(states: Mapping[str, bytes]) -> Readings:
    try:
        return Readings(states.get(learning_context.KEY, b""))
    except StateRefused as error:
        log.warning("what nodes have said of late cannot be read", reason=str(error))
        return Readings()
