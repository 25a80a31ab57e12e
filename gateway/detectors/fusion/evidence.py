"""What some of the other nodes have to say of one: what is normal there given them, and whether that is worth more.

Whether it is worth more is asked of what was learned: each chunk is foretold from the others, by the node alone and
given the nodes beside it. Only where their word makes the chunks more likely does it count. Then the fused error is a
geometric mean of both errors, neither taken below 1. The node's own keeps a part in it, as what all feel may be a
fault. And it keeps a part of the wanted false alarms: what it would alarm at by itself, were only so many wanted, is an
alarm whatever the others say. The rest is for the fused error, so both together are promised no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from gateway.detectors.place import Place, Settings
from gateway.detectors.place import state as place_state
from gateway.detectors.place.given import given, restored
from gateway.detectors.place.normal import Floats, cut, fit
from gateway.detectors.place.threshold import Limit, foretold, law, left_out

THEIRS = 2 / 3
"""Weight of the error given the others. On simulated assets under more load than was learned, one half still alarms as
often as the nodes by themselves, and 1 overlooks what all of them feel."""
SURE = 2.0
"""Standard errors: what wanders goes together by chance, in few chunks more often than one would think."""
ALONE = 0.1
"""Share of the wanted alarm events that the node by itself has."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """`place` judges the node given the others; `limit` is of the fused error."""

    place: Place
    limit: Limit
    gain: float
    """Nats a row by which they make left-out chunks more likely, at least: SURE errors below the mean of the chunks."""

    @classmethod
    def learned(cls, names: Sequence[str], rows: Floats, beside: Floats, settings: Settings) -> Evidence:
        """From rows of the node [n, p] and, of the same moments, of the others [n, q]. Raises Stuck and TooFew."""
        place = Place(names, replace(settings, average=1), given)
        place.commission(rows, contexts=beside)
        parts = cut(len(rows), settings.chunks)
        chunks, contexts = [rows[part] for part in parts], [beside[part] for part in parts]
        both = zip(left_out(fit, chunks), left_out(given, chunks, contexts), strict=True)
        limit = law([fused(own, theirs) for own, theirs in both])
        gains = foretold(given, chunks, contexts) - foretold(fit, chunks)
        least = float(gains.mean() - SURE * gains.std(ddof=1) / np.sqrt(len(gains)))
        return cls(place, limit, least)

    def score(self, own: Place, error: float, beside: Floats) -> float:
        """Above 1 the newest row is anomalous of a node whose own error is given, beside others at [q]."""
        assert own.mean is not None and own.limit is not None
        theirs = self.place.judge(own.mean[None], contexts=beside[None]).error
        together = float(fused(np.array([error]), theirs)[0])
        events = own.settings.events
        return max(together / self.limit.threshold((1 - ALONE) * events), error / own.limit.threshold(ALONE * events))

    def plain(self) -> dict[str, object]:
        """All of it, for a state."""
        return {"place": place_state.dump(self.place), "limit": asdict(self.limit), "gain": self.gain}

    @classmethod
    def restored(cls, place: bytes, limit: dict[str, float], gain: float) -> Evidence:
        """From `plain`. Raises StateRefused, TypeError."""
        return cls(place_state.load(place, given, restored), Limit(**limit), gain)  # type: ignore[arg-type]


def fused(own: Floats, theirs: Floats) -> Floats:
    """Of the errors of a node by itself and given others [n]."""
    return np.asarray(np.maximum(own, 1) ** (1 - THEIRS) * np.maximum(theirs, 1) ** THEIRS)
