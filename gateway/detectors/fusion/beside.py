"""One node of a fusion whose nodes wake when they like: judged by itself and given what the others said last.

A moment is a row of the node and, of each other node that is there, its newest row. For each choice of others there is
a model of its own, learned as soon as there are moments enough at which all of them were there; so a node that begins
anew makes only the models that it is in learn anew. Where the choice that is there has not been learned, the largest
part of it that has been counts. On moments at which all are there this is `FusedNode`, with one difference: rows are
averaged as is worthwhile for this node, not for all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, combinations, pairwise

import numpy as np

from gateway.detectors.fusion.node import fused
from gateway.detectors.place import Place, Share
from gateway.detectors.place import state as place_state
from gateway.detectors.place.average import averaged
from gateway.detectors.place.given import given, restored
from gateway.detectors.place.memory import Alarm
from gateway.detectors.place.normal import Floats, Stuck, TooFew, cut, fit, resolution
from gateway.detectors.place.state import StateRefused, packed, unpacked
from gateway.detectors.place.threshold import Limit, law, left_out

VERSION = 1
HELD = 2
"""Times as many moments as are learned from wait to be learned from at most: others may be there by turns."""

Others = tuple[str, ...]


@dataclass(slots=True)
class Moment:
    """`number` counts all moments, those that are not held included; `row` [p], of each other that was there [q]."""

    number: int
    row: Floats
    others: dict[str, Floats]


class Beside:
    """Of one node. `own` is everywhere the node's place, which has judged the same row already. Not thread-safe."""

    def __init__(self) -> None:
        """Begins to learn."""
        self.reach: int | None = None
        """Moments that the means reach back: as the place does once it has learned, until then unknown."""
        self.alarm = Alarm(0)
        self.given: dict[Others, Place] = {}
        self.limits: dict[Others, Limit] = {}
        self.count = 0
        self.moments: list[Moment] = []
        self.means: dict[str, Floats] = {}
        """Of the others that were there at the newest moment."""
        self.tried: dict[Others, int] = {}
        """Number of the newest moment that nothing could be learned from."""
        self._digests: dict[Others, bytes] = {}

    def moment(self, row: Floats, others: Mapping[str, Floats], most: int) -> None:
        """The next: of `most` that are learned from."""
        self.count += 1
        there = dict(sorted(others.items()))
        self._average(there)
        if self.reach is None or (there and tuple(there) not in self.given):
            self.moments = [*self.moments[-(HELD * most - 1) :], Moment(self.count, row, there)]

    @property
    def choice(self) -> Others:
        """The others that the node is judged with at this moment."""
        return self.learned_of(self.means)

    def learned_of(self, there: Mapping[str, Floats]) -> Others:
        """Of others that are there those that it can be judged with."""
        known = [choice for choice in self.given if there.keys() >= set(choice)]
        return max(known, key=lambda choice: (len(choice), choice), default=())

    def score(self, own: Place, error: float) -> float:
        """Fused error over threshold at this moment; `error` is that of the place by itself."""
        choice = self.choice
        if choice and own.mean is not None:
            beside = np.concatenate([self.means[other] for other in choice])
            other = self.given[choice].judge(own.mean[None], contexts=beside[None]).error
            score = float(fused(np.array([error]), other)[0]) / self.limits[choice].threshold(own.settings.events)
        else:
            score = error / own.threshold
        self.alarm.next(score > 1)
        return score

    def learn(self, own: Place) -> tuple[list[Others], dict[Others, str]]:
        """Once the place has learned: learns what it has seen enough of. Which choices, and why others cannot be."""
        if self.reach is None:
            self._settle(own)
        learned: list[Others] = []
        refused: dict[Others, str] = {}
        latest = tuple(self.moments[-1].others) if self.moments and self.moments[-1].number == self.count else ()
        for choice in _choices(latest):
            since = self.tried.get(choice, 0)
            seen = [at for at in self.moments if at.number > since and at.others.keys() >= set(choice)]
            if choice in self.given or len(seen) < own.settings.learn:
                continue
            try:
                self.given[choice], self.limits[choice] = _learned(own, choice, seen[-own.settings.learn :])
                learned.append(choice)
            except (Stuck, TooFew) as error:
                self.tried[choice] = self.count
                refused[choice] = str(error)
        if learned:
            self._let_go()
        return learned, refused

    def forget(self, other: str) -> None:
        """That node begins anew, or is there no longer: with it what was learned of the others beside it."""
        for known in (self.given, self.limits, self.tried, self._digests):
            for choice in [choice for choice in known if other in choice]:
                del known[choice]
        self.means.pop(other, None)
        for at in self.moments:
            at.others = {name: row for name, row in at.others.items() if name != other}

    def explain(self, row: Floats, others: Mapping[str, Floats]) -> tuple[Others, list[Share]]:
        """What each feature of a row [p] has to do with its error given these others, and which of them counted."""
        choice = self.learned_of(others)
        if not choice:
            return (), []
        return choice, self.given[choice].explain(row, np.concatenate([others[other] for other in choice]))

    def digest(self, choice: Others) -> bytes:
        """Names the model of a choice."""
        if choice not in self._digests:
            known = self.given[choice].known
            assert known
            self._digests[choice] = hashlib.sha256(packed(known.plain())).digest()
        return self._digests[choice]

    def _average(self, there: Mapping[str, Floats]) -> None:
        """One that was away begins anew."""
        reach, means = self.reach or 1, self.means
        self.means = {name: averaged([row], [False], reach, means.get(name))[0] for name, row in there.items()}

    def _settle(self, own: Place) -> None:
        """The place has learned: from now on it is known how far back to average, and when it alarms."""
        self.reach, self.means = own.reach, {}
        for at in self.moments:
            self._average(at.others)
        self._let_go()
        if own.memory:
            self.alarm = replace(own.memory.alarm)

    def _let_go(self) -> None:
        """Of moments that nothing more is learned from."""
        self.moments = [at for at in self.moments if at.others and tuple(at.others) not in self.given]


def _learned(own: Place, choice: Others, seen: Sequence[Moment]) -> tuple[Place, Limit]:
    """As `FusedNode.commission`. Raises Stuck and TooFew."""
    gaps = [False, *(b.number - a.number > 1 for a, b in pairwise(seen))]
    rows = np.array(averaged([at.row for at in seen], gaps, own.reach))
    beside = [np.array(averaged([at.others[other] for at in seen], gaps, own.reach)) for other in choice]
    context = np.concatenate(beside, axis=1)
    for node, each in zip(("", *choice), (rows, *beside), strict=True):
        if len(stuck := np.flatnonzero(np.isnan(resolution(each)))):
            raise Stuck(stuck.tolist(), [f"{node} [{i}]" if node else own.names[i] for i in range(each.shape[1])])
    place = Place(own.names, replace(own.settings, average=1), given)
    place.commission(rows, contexts=context)
    parts = cut(len(rows), own.settings.chunks)
    chunks, contexts = [rows[part] for part in parts], [context[part] for part in parts]
    both = zip(left_out(fit, chunks), left_out(given, chunks, contexts), strict=True)
    return place, law([fused(alone, given_others) for alone, given_others in both])


def _choices(others: Others) -> list[Others]:
    """All but none."""
    return list(chain.from_iterable(combinations(others, size) for size in range(1, len(others) + 1)))


def dump(beside: Beside) -> bytes:
    """All that it knows and remembers."""
    names = sorted({name for at in beside.moments for name in at.others})
    return packed({
        "beside": VERSION,
        "reach": beside.reach, "alarm": vars(beside.alarm), "count": beside.count, "means": beside.means,
        "given": [[list(choice), place_state.dump(place)] for choice, place in sorted(beside.given.items())],
        "limits": [[list(choice), asdict(limit)] for choice, limit in sorted(beside.limits.items())],
        "tried": [[list(choice), number] for choice, number in sorted(beside.tried.items())],
        "numbers": [at.number for at in beside.moments], "rows": np.array([at.row for at in beside.moments]),
        "others": {name: _rows(beside.moments, name) for name in names},
    })  # fmt: skip


def _rows(moments: Sequence[Moment], other: str) -> dict[str, object]:
    there = [number for number, at in enumerate(moments) if other in at.others]
    return {"at": there, "rows": np.array([moments[number].others[other] for number in there])}


def load(state: bytes) -> Beside:
    """One that goes on as the one dumped would. Raises StateRefused."""
    plain = unpacked(state)
    if plain.get("beside") != VERSION:
        raise StateRefused(f"not a node beside others of version {VERSION}")
    beside = Beside()
    try:
        beside.reach, beside.count, beside.means = plain["reach"], plain["count"], plain["means"]
        beside.alarm = Alarm(**plain["alarm"])
        beside.given = {tuple(others): place_state.load(place, given, restored) for others, place in plain["given"]}
        beside.limits = {tuple(others): Limit(**limit) for others, limit in plain["limits"]}
        beside.tried = {tuple(others): number for others, number in plain["tried"]}
        beside.moments = [Moment(n, row, {}) for n, row in zip(plain["numbers"], plain["rows"], strict=True)]
        for name, each in plain["others"].items():
            for at, row in zip(each["at"], each["rows"], strict=True):
                beside.moments[at].others[name] = row
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise StateRefused(f"not the state of a node beside others: {error}") from error
    return beside
