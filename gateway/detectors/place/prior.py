"""What like machines teach a place before it has learned, and how that gives way to the place's own rows.

Empirical Bayes in three levels: rows inside chunks (W), chunks inside a place (B), places in the fleet (T). W and B are
inverse-Wishart about the fleet's, with as many degrees of freedom as the likeness of the places' own variances is
worth; the mean is normal about the fleet's with T (Gelman et al., "Bayesian Data Analysis", 2013, 3.6 and 5.4). What
differs with a context, such as a speed, is a straight line through the places, which T is about; far from the fleet's
contexts T grows with the line's own uncertainty. What passes from place to place are variances: which features go
together is a matter of how a sensor lies, and a place learns it by itself. A fleet is sums (`place_moments`): gateways
merge theirs in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gateway.detectors.place import Place
from gateway.detectors.place.form import Form
from gateway.detectors.place.line import Line, Lined
from gateway.detectors.place.memory import Memory
from gateway.detectors.place.moments import Moments, Squares
from gateway.detectors.place.normal import BETWEEN, CHUNKS, Floats, Known, Normal, TooFew
from gateway.detectors.place.state import StateRefused, packed, unpacked
from gateway.detectors.place.threshold import OF, Limit
from gateway.detectors.place.threshold import limit as limit_of

VERSION = 1
PLACES = 3
"""With fewer places nothing is known of how means differ between them: a place's mean is its own."""


@dataclass(frozen=True)
class Prior:
    """A fleet's knowledge of its places, and a Fit. The first `contexts` columns of all vectors are of the context."""

    names: tuple[str, ...]
    contexts: int
    means: Moments
    """Of the places' mean contexts and features [c + p]."""
    within: Squares
    between: Squares
    sizes: Moments
    """Of the places' ln of the diagonals of W and of B [2 (c + p)]."""
    limits: Moments
    """Of the places' thresholds: loc for chunks of one row, and s [2]."""
    rows: int = 0
    form: Form = field(default_factory=Form)
    """Of what all places' rows are."""

    @classmethod
    def of(
        cls, names: Sequence[str], chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None,
        context_names: Sequence[str] = (), limit: Limit | None = None, form: Form | None = None,
    ) -> Prior:  # fmt: skip
        """A fleet of one place that saw these chunks [n, p] in contexts [n, c]; one row alone tells of the mean.

        `limit`: what `place_threshold.limit` found there. Raises TooFew for no row.
        """
        chunks = [chunk for chunk in _joint(chunks, contexts) if len(chunk)]
        if not chunks:
            raise TooFew("no row")
        k = chunks[0].shape[1]
        means = np.stack([chunk.mean(axis=0) for chunk in chunks])
        away = np.concatenate([chunk - mean for chunk, mean in zip(chunks, means, strict=True)])
        within = Squares(away.T @ away, len(away) - len(chunks), int(len(away) > len(chunks)))
        apart = means - means.mean(axis=0)
        between = Squares(apart.T @ apart, len(chunks) - 1, int(len(chunks) > 1))
        both = np.concatenate([np.diag(within.covariance()), np.diag(between.covariance())])
        sizes = Moments.of(np.log(np.maximum(both, 1e-12))) if within.places and between.places else Moments.none(2 * k)
        limits = Moments.none(2) if limit is None else Moments.of(np.array([_single(limit), limit.s]))
        rows = len(away) if sizes.count else 0
        return cls(
            (*context_names, *names), len(context_names), Moments.of(means.mean(axis=0)), within, between,
            sizes, limits, rows, form or Form(),
        )  # fmt: skip

    def merge(self, other: Prior) -> Prior:
        """Both fleets in one. Raises ValueError where features or contexts are others."""
        if why := other.unfit(self.form, self.names[self.contexts :], self.names[: self.contexts]):
            raise ValueError(why)
        return Prior(
            self.names, self.contexts, self.means.merge(other.means), self.within.merge(other.within),
            self.between.merge(other.between), self.sizes.merge(other.sizes), self.limits.merge(other.limits),
            self.rows + other.rows, self.form.known_with(other.form),
        )  # fmt: skip

    def unfit(self, form: Form, names: Sequence[str], context_names: Sequence[str] = ()) -> str:
        """Why it is no prior of rows of that form, with features of those names, in that context; "" if it is."""
        if why := self.form.unlike(form):
            return f"a fleet of {why}"
        ours, theirs = (self.names[: self.contexts], self.names[self.contexts :]), (tuple(context_names), tuple(names))
        for what, its, wanted in zip(("the context ", ""), ours, theirs, strict=True):
            if its != wanted:
                return f"a fleet of {what}{', '.join(its) or 'none'}, not {', '.join(wanted) or 'none'}"
        return ""

    def expected(self) -> Known:
        """What to expect of a place not seen. Raises TooFew for a fleet that does not know how places differ."""
        if self.means.count < PLACES:
            raise TooFew(f"{self.means.count} places do not tell how places differ")
        line = self._line()
        within, between = (line.beside(each.covariance()) for each in (self.within, self.between))
        apart = line.apart * (1 + 1 / self.means.count)
        base = Normal(line.mean, within, between + apart / BETWEEN, self.within.degrees + 1, self.means.count)
        return self._known(line, base, line.middle)

    def __call__(self, chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None) -> Known:
        """The fleet's knowledge with a place's own chunks [n, p]; `contexts` if the fleet has them.

        A chunk may be of one row. Raises TooFew for no row.
        """
        chunks = [chunk for chunk in _joint(chunks, contexts) if len(chunk)]
        if not chunks:
            return self.expected()
        line = self._line()
        rows = sum(map(len, chunks))
        seen = np.concatenate(chunks)[:, : self.contexts].mean(axis=0)
        away = [line.away(chunk) for chunk in chunks]
        means = np.stack([chunk.mean(axis=0) for chunk in away])
        inside = sum((chunk - mean).T @ (chunk - mean) for chunk, mean in zip(away, means, strict=True))
        apart = means - means.mean(axis=0)
        p = len(line.mean)
        inside_worth, apart_worth = self._worth(p)
        apart_worth *= min(1.0, self._typical() / rows)
        within = inside_worth * line.beside(self.within.covariance()) + inside
        within /= inside_worth + rows - len(chunks)
        between = apart_worth * line.beside(self.between.covariance()) + apart.T @ apart
        between /= apart_worth + len(chunks) - 1
        own = means.mean(axis=0)
        blur = within / rows + between / len(chunks)
        if self.means.count >= PLACES:
            spread = line.apart * (1 + 1 / self.means.count + line.lean(seen - line.middle))
            share = np.linalg.solve(spread + blur, spread).T
            own, blur = share @ own, spread - share @ spread
        blur = (blur + blur.T) / 2
        known = max(apart_worth + len(chunks), 2.0)
        rows_known = inside_worth + rows - len(chunks) + known
        base = Normal(line.at(seen) + own, within, between + blur / BETWEEN, rows_known, known)
        return self._known(line, base, seen)

    def limit(self, chunks: Sequence[Floats], contexts: Sequence[Floats] | None = None) -> Limit:
        """The threshold's law from the fleet and, where chunks are long enough for an alarm, from the place's own."""
        rows, each = sum(map(len, chunks)), min(map(len, chunks), default=0)
        if self.limits.count and (each < OF or len(chunks) < PLACES):
            single, s = self.limits.mean
            return Limit(float(single), float(s), 1, CHUNKS)
        if not chunks:
            raise TooFew("no place of the fleet tells of a threshold")
        own = limit_of(self, chunks, contexts)
        if not self.limits.count:
            return own
        worth = CHUNKS * min(1.0, self._typical() / rows)
        single, s = (worth * self.limits.mean + len(chunks) * np.array([_single(own), own.s])) / (worth + len(chunks))
        return Limit(float(single + s * np.log(each)), float(s), each, len(chunks))

    def dump(self) -> bytes:
        """As bytes, for another gateway."""
        parts = {name: getattr(self, name).plain() for name in ("means", "within", "between", "sizes", "limits")}
        about = {"prior": VERSION, "names": list(self.names), "contexts": self.contexts, "rows": self.rows}
        return packed({**about, "form": self.form.plain(), **parts})

    @classmethod
    def load(cls, state: bytes) -> Prior:
        """From bytes. Raises StateRefused."""
        plain: dict[str, Any] = unpacked(state)
        if plain.pop("prior", None) != VERSION:
            raise StateRefused(f"not a prior of version {VERSION}")
        try:
            for name in ("within", "between"):
                plain[name] = Squares(**plain[name])
            for name in ("means", "sizes", "limits"):
                plain[name] = Moments(**plain[name])
            return cls(**{**plain, "names": tuple(plain["names"]), "form": Form(**plain["form"])})
        except (KeyError, TypeError) as error:
            raise StateRefused(f"not a prior: {error}") from error

    def _line(self) -> Line:
        if not self.within.degrees:
            raise TooFew("no place of the fleet saw two rows in one chunk")
        c = self.contexts
        return Line.through(self.means, c, self.within.covariance()[:c, :c])

    def _known(self, line: Line, base: Normal, middle: Floats) -> Known:
        return Lined(base, middle, line.slopes, line.apart, line.inverse) if self.contexts else base

    def _typical(self) -> int:
        """Rows that a place of the fleet learned from."""
        return max(self.rows // max(self.sizes.count, 1), 1)

    def _worth(self, p: int) -> tuple[float, float]:
        """Degrees of freedom that the fleet's W and B are worth to one place.

        At least what a mean needs, at most what a place of the fleet has itself: own rows as many weigh the same.
        """
        least, half = float(p + 2), len(self.sizes.mean) // 2
        if self.sizes.count < PLACES:
            return least, least
        found = []
        ours = slice(self.contexts, half), slice(half + self.contexts, None)
        for part, squares in zip(ours, (self.within, self.between), strict=True):
            degrees = squares.degrees / max(squares.places, 1)
            noise = 2 / degrees + 2 / degrees**2
            apart = float(np.mean(self.sizes.variances()[part])) - noise
            found.append(float(np.clip(2 / max(apart, 1e-9), least, max(degrees, least))))
        return found[0], found[1]


def watch(place: Place, prior: Prior) -> None:
    """Lets a place watch from its first row on, by the fleet alone; `commission` it once it has rows of its own. It
    follows nothing until then: where it lies is so uncertain that it would walk to whatever is there, a fault as well.

    Raises TooFew for a fleet that does not know how places differ.
    """
    known = prior.expected()
    place.acknowledge()
    place.how, place.known, place.limit = prior, known, prior.limit([])
    place.memory = Memory.of(known.at(), replace(place.settings, follow=0.0))
    place.sensitivity(place.settings.events)


def unlikely(normal: Normal, rows: Floats) -> Floats:
    """Of rows [n, p]: the mean surprise of their features [n], which is what ranks rows across places.

    The log likelihood of independent Student's t; where a threshold is from other machines, no single feature decides.
    """
    return np.asarray(normal.surprise(rows - normal.mean).mean(axis=-1))


def _joint(chunks: Sequence[Floats], contexts: Sequence[Floats] | None) -> list[Floats]:
    if contexts is None:
        return [np.asarray(chunk, dtype=float) for chunk in chunks]
    return [np.column_stack(both) for both in zip(contexts, chunks, strict=True)]


def _single(limit: Limit) -> float:
    """The limit's loc for chunks of one row: that of a Gumbel law falls by s for each ln of their length."""
    return limit.loc - limit.s * float(np.log(limit.each))
