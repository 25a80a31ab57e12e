"""What is learned of one node: what waits to be learned from, what its place knows then, and both as the journal keeps
them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.place import Place
from gateway.detectors.place import state as place_state
from gateway.detectors.place.context import Contexts, Interpolated, restored, varying
from gateway.detectors.place.form import Form
from gateway.detectors.place.normal import cut, fit
from gateway.detectors.place.prior import Prior
from gateway.detectors.place.state import StateRefused, packed, unpacked
from gateway.runtime import learning_context
from gateway.runtime.learning_context import column
from gateway.runtime.learning_fused import is_fused
from gateway.runtime.learning_how import How

VERSION = 1
WEEK_MS = 7 * 24 * 3_600_000
FIELDS = (
    "since", "ordered", "rows", "seen_ms", "apart_ms", "judged", "passed", "in_a_row", "lesson", "contexts", "used",
    "without", "without_in_a_row",
)  # fmt: skip


@dataclass(slots=True)
class AtPlace:
    """What is learned of one node. `since`: the entry from which on it holds; `context`: what it is told of its
    machine, by name.
    """

    place: Place
    form: Form
    since: int
    context: tuple[str, ...] = ()
    ordered: bool = False
    """Somebody has told it to learn: then a claim of the node's is no reason not to."""
    rows: list[NDArray[np.float64]] = field(default_factory=list)
    seen_ms: list[int] = field(default_factory=list)
    """Of the windows that it will be commissioned with; empty from then on."""
    apart_ms: int = 0
    """What usually lay between two of them."""
    judged: int = 0
    passed: int = 0
    """Windows of which nothing was learned, because the node calls them anomalous."""
    in_a_row: int = 0
    """The newest of them, since one that was learned."""
    contexts: list[NDArray[np.float64]] = field(default_factory=list)
    """Of the windows that it will be commissioned with, where it has a context."""
    used: list[int] = field(default_factory=list)
    """Numbers of what varied in the context while it learned: the rest is known to nobody."""
    without: int = 0
    """Windows whose context was missing."""
    without_in_a_row: int = 0
    lesson: bytes = b""
    """What other gateways may know of it, without a row: a fleet of this place; empty until it is commissioned."""

    @property
    def learns(self) -> bool:
        """Whether it has not seen enough yet. With a fleet it judges all the same."""
        return not self.lesson

    def given(self, context: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Of a context [c] what its place is told [u]; None: it knows none."""
        return context[self.used] if self.used else None

    @property
    def model(self) -> bytes:
        """Names what judges, in the journal."""
        known = self.place.known
        return hashlib.sha256(packed(known.plain()) if known else b"").digest()

    def commission(self, how: How) -> str:
        """Learns from the windows that wait, and says in words what came of it. Raises Stuck and TooFew, and knows none
        of them then.
        """
        rows, seen_ms, contexts = np.array(self.rows), self.seen_ms, np.array(self.contexts)
        self.rows, self.seen_ms, self.contexts = [], [], []
        self.used = [i for i in varying(contexts) if _turns(contexts[:, i])] if self.context else []
        seen = contexts[:, self.used] if self.used else None
        if self.context:
            self.place.how = self._with_context() if self.used else fit
        self.place.commission(rows, contexts=seen)
        self.apart_ms = max(round(median([b - a for a, b in pairwise(seen_ms)])), 1)
        self.place.sensitivity(min(how.false_alarms_a_week * self.apart_ms / WEEK_MS, 0.5))
        parts = cut(len(rows), self.place.settings.chunks)
        self.lesson = Prior.of(
            self.place.names, [rows[part] for part in parts], None if seen is None else [seen[part] for part in parts],
            [self.context[i] for i in self.used], self.place.limit, self.form,
        ).dump()  # fmt: skip
        wanted = f"wanted: {how.false_alarms_a_week:g} false alarms a week"
        told = f"{len(rows)} windows, {self.apart_ms / 1000:g} s apart; {wanted}"
        still = f"; never changed: {', '.join(self.place.still)}" if self.place.still else ""
        return "; ".join([told + still, *self.contexts_of()])

    def contexts_of(self) -> list[str]:
        """In words, what came of each thing that it was told of its machine while it learned."""
        known = self.place.known
        counts = {self.used[i] for i in known.used} if isinstance(known, Interpolated) else set()
        said = []
        for number, name in enumerate(self.context):
            if number in counts:
                said.append(f"given {name}")
            else:
                why = "too few windows tell what it does" if number in self.used else "it never turned"
                said.append(f"not given {name}: {why}")
        return said

    def holds(self, form: Form) -> bool:
        """Whether Windows of that form belong here; not where a fleet that is for other Windows teaches it."""
        fleet = self.place.how if self.learns and isinstance(self.place.how, Prior) else None
        return not self.form.unlike(form) and not (fleet and fleet.unfit(form, self.place.names))

    def dumped(self) -> bytes:
        """As the journal keeps it."""
        plain = {key: getattr(self, key) for key in FIELDS}
        about = {"form": self.form.plain(), "context": list(self.context)}
        return packed({"version": VERSION, "place": place_state.dump(self.place), **about, **plain})

    @classmethod
    def loaded(cls, state: bytes, fleet: Prior | None = None) -> AtPlace:
        """What the journal has. Raises StateRefused."""
        plain = unpacked(state)
        if plain.get("version") != VERSION:
            raise StateRefused(f"a place of version {plain.get('version')}, not {VERSION}")
        try:
            rest = {key: plain[key] for key in FIELDS}
            at = cls(Place(()), Form(**plain["form"]), context=tuple(plain["context"]), **rest)
            how = (at._with_context(), restored) if at.used else ()
            at.place = place_state.load(plain["place"], *how)
        except (KeyError, TypeError) as error:
            raise StateRefused(f"not what was learned at a place: {error}") from error
        if fleet is not None and not fleet.unfit(at.form, at.place.names):
            at.place.how = fleet
        return at

    def _with_context(self) -> Contexts:
        return Contexts(tuple(column(self.context[i]) for i in self.used))


def _turns(levels: NDArray[np.float64]) -> bool:
    """Whether it rose and fell while it was learned: what only rises may be a clock, which no learner is told."""
    steps = np.diff(levels)
    return bool(steps.max() > 0 > steps.min())


def is_place(key: str) -> bool:
    """Whether a state in the journal's table of places is one of a place by itself."""
    return not is_fused(key) and key != learning_context.KEY


def sets_of(states: Mapping[str, bytes]) -> dict[str, int]:
    """The feature set of each node of which anything has been learned, as the journal has it."""
    found = {}
    for node, state in states.items():
        with suppress(StateRefused):
            if is_place(node):
                found[node] = AtPlace.loaded(state).form.feature_set
    return found
