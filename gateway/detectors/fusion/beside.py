"""One node of a fusion whose nodes wake when they like: judged by itself and given what the others said last.

A moment is a row of the node and, of each other node that is there, its newest row. For each choice of others there is
what they say of its own (`evidence`), learned as soon as there are moments enough at which all of them were there; so a
node that begins anew makes only that be learned anew which it is in. Of those that are there, the choice counts that
foretells the node best, or none where it is foretold best by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, pairwise

import numpy as np

from gateway.detectors.fusion.evidence import Evidence
from gateway.detectors.place import Place, Share
from gateway.detectors.place.average import averaged
from gateway.detectors.place.memory import Alarm
from gateway.detectors.place.normal import Floats, Stuck, TooFew, resolution
from gateway.detectors.place.state import StateRefused, packed, unpacked

VERSION = 2
HELD = 2
"""Times as many moments as are learned from wait to be learned from at most: others may be there by turns."""

Others = tuple[str, ...]


@dataclass(slots=True)
class Moment:
    """`number` counts all moments, those that are not held included; `row` [p], of each other that was there [q].

    `begins`: what was before it is long ago.
    """

    number: int
    row: Floats
    others: dict[str, Floats]
    begins: bool


class Beside:
    """Of one node. `own` is everywhere the node's place, which has judged the same row already. Not thread-safe."""

    def __init__(self) -> None:
        """Begins to learn."""
        self.reach: int | None = None
        """Moments that the means reach back: as the place does once it has learned, until then unknown."""
        self.alarm = Alarm(0)
        self.given: dict[Others, Evidence] = {}
        self.count = 0
        self.moments: list[Moment] = []
        self.means: dict[str, Floats] = {}
        """Of the others that were there at the newest moment."""
        self.tried: dict[Others, int] = {}
        """Number of the newest moment that nothing could be learned from."""
        self._digests: dict[Others, bytes] = {}

    def moment(self, row: Floats, others: Mapping[str, Floats], most: int, begins: bool = False) -> None:
        """The next: of `most` that are learned from. `begins`: what was before it is long ago."""
        self.count += 1
        there = dict(sorted(others.items()))
        self._average(there, begins)
        if self.reach is None or (there and tuple(there) not in self.given):
            self.moments = [*self.moments[-(HELD * most - 1) :], Moment(self.count, row, there, begins)]

    @property
    def choice(self) -> Others:
        """The others that the node is judged with at this moment."""
        return self.learned_of(self.means)

    def learned_of(self, there: Mapping[str, Floats]) -> Others:
        """Of others that are there those that tell the most of it; none where they tell less than nothing."""
        known = [choice for choice, by in self.given.items() if by.gain > 0 and there.keys() >= set(choice)]
        return max(known, key=lambda choice: (self.given[choice].gain, choice), default=())

    def score(self, own: Place, error: float) -> float:
        """Fused error over threshold at this moment; `error` is that of the place by itself."""
        choice = self.choice
        if choice:
            score = self.given[choice].score(own, error, np.concatenate([self.means[other] for other in choice]))
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
                self.given[choice] = _learned(own, choice, seen[-own.settings.learn :])
                learned.append(choice)
            except (Stuck, TooFew) as error:
                self.tried[choice] = self.count
                refused[choice] = str(error)
        if learned:
            self._let_go()
        return learned, refused

    def forget(self, other: str) -> None:
        """That node begins anew, or is there no longer: with it what was learned of the others beside it."""
        for known in (self.given, self.tried, self._digests):
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
        return choice, self.given[choice].place.explain(row, np.concatenate([others[other] for other in choice]))

    def digest(self, choice: Others) -> bytes:
        """Names the model of a choice."""
        if choice not in self._digests:
            known = self.given[choice].place.known
            assert known
            self._digests[choice] = hashlib.sha256(packed(known.plain())).digest()
        return self._digests[choice]

    def _average(self, there: Mapping[str, Floats], begins: bool) -> None:
        """One that was away begins anew."""
        reach, means = self.reach or 1, {} if begins else self.means
        self.means = {name: averaged([row], [False], reach, means.get(name))[0] for name, row in there.items()}

    def _settle(self, own: Place) -> None:
        """The place has learned: from now on it is known how far back to average, and when it alarms."""
        self.reach, self.means = own.reach, {}
        for at in self.moments:
            self._average(at.others, at.begins)
        self._let_go()
        if own.memory:
            self.alarm = replace(own.memory.alarm)

    def _let_go(self) -> None:
        """Of moments that nothing more is learned from."""
        self.moments = [at for at in self.moments if at.others and tuple(at.others) not in self.given]


def _learned(own: Place, choice: Others, seen: Sequence[Moment]) -> Evidence:
    """From moments at which all of them were there. Raises Stuck and TooFew."""
    gaps = [at.begins or at.number - before.number > 1 for before, at in pairwise([seen[0], *seen])]
    rows = np.array(averaged([at.row for at in seen], gaps, own.reach))
    beside = [np.array(averaged([at.others[other] for at in seen], gaps, own.reach)) for other in choice]
    for other, each in zip(choice, beside, strict=True):
        try:
            resolution(each)
        except Stuck as error:
            raise Stuck(error.features, [f"{other} [{i}]" for i in range(each.shape[1])]) from None
    return Evidence.learned(own.names, rows, np.concatenate(beside, axis=1), own.settings)


def _choices(others: Others) -> list[Others]:
    """All but none."""
    return list(chain.from_iterable(combinations(others, size) for size in range(1, len(others) + 1)))


def dump(beside: Beside) -> bytes:
    """All that it knows and remembers."""
    names = sorted({name for at in beside.moments for name in at.others})
    return packed({
        "beside": VERSION,
        "reach": beside.reach, "alarm": vars(beside.alarm), "count": beside.count, "means": beside.means,
        "given": [[list(choice), by.plain()] for choice, by in sorted(beside.given.items())],
        "tried": [[list(choice), number] for choice, number in sorted(beside.tried.items())],
        "numbers": [at.number for at in beside.moments], "begins": [at.begins for at in beside.moments],
        "rows": np.array([at.row for at in beside.moments]),
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
        beside.given = {tuple(others): Evidence.restored(**by) for others, by in plain["given"]}
        beside.tried = {tuple(others): number for others, number in plain["tried"]}
        beside.moments = [
            Moment(number, row, {}, begins)
            for number, row, begins in zip(plain["numbers"], plain["rows"], plain["begins"], strict=True)
        ]
        for name, each in plain["others"].items():
            for at, row in zip(each["at"], each["rows"], strict=True):
                beside.moments[at].others[name] = row
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise StateRefused(f"not the state of a node beside others: {error}") from error
    return beside
