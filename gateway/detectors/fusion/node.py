"""One node of a fusion: a place for the node by itself, and one for each choice of others that can be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, combinations

import numpy as np

from gateway.detectors.place import Place, Settings
from gateway.detectors.place.given import given
from gateway.detectors.place.memory import Alarm
from gateway.detectors.place.normal import Floats, cut, fit
from gateway.detectors.place.threshold import Limit, law, left_out

Others = tuple[str, ...]


class FusedNode:
    """Of a node with these features, beside these others."""

    def __init__(self, features: Sequence[str], others: Sequence[str], settings: Settings) -> None:
        """`others`: the names of the other nodes, in an order that stays."""
        self.others = tuple(others)
        self.settings = settings
        self.own = Place(features, settings)
        self.given = {choice: Place(features, settings, given) for choice in _choices(self.others) if choice}
        self.limits: dict[Others, Limit] = {}
        self.alarm = Alarm(settings.quiet)

    def commission(self, rows: Floats, others: Mapping[str, Floats]) -> None:
        """Learns the node's rows [n, p], which the others' [n, q] go with. Raises what `Place.commission` raises."""
        chunks = [rows[part] for part in cut(len(rows), self.settings.chunks)]
        self.own.commission(rows)
        own = left_out(fit, chunks)
        self.limits = {(): law(own)}
        for choice, place in self.given.items():
            context = _beside(others, choice)
            place.commission(rows, contexts=context)
            seen = [context[part] for part in cut(len(rows), self.settings.chunks)]
            both = zip(own, left_out(given, chunks, seen), strict=True)
            self.limits[choice] = law([fused(alone, beside) for alone, beside in both])
        self.alarm = Alarm(self.settings.quiet)

    def judge(self, row: Floats, others: Mapping[str, Floats]) -> float:
        """The next row [p] beside those of the others that are there: fused error over threshold."""
        choice = tuple(other for other in self.others if other in others)
        error = self.own.judge(row[None]).error
        if choice:
            error = fused(error, self.given[choice].judge(row[None], contexts=_beside(others, choice)[None]).error)
        score = float(error[0]) / self.limits[choice].threshold(self.settings.events)
        self.alarm.next(score > 1)
        return score


def fused(own: Floats, beside: Floats) -> Floats:
    """Of the errors of a node by itself and given others [n]."""
    return np.asarray(np.sqrt(np.maximum(own, 1) * np.maximum(beside, 1)))


def _beside(others: Mapping[str, Floats], choice: Others) -> Floats:
    return np.concatenate([others[other] for other in choice], axis=-1)


def _choices(others: Others) -> list[Others]:
    return list(chain.from_iterable(combinations(others, size) for size in range(len(others) + 1)))
