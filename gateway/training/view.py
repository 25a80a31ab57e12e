"""Which runs of a dataset are looked at, and how they are made into rows: the same for all runs of a node."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.training import stream
from gateway.training.dataset import Dataset, Recording
from gateway.training.judges import LEAST_LEARNED, Seen

OVERLAP = 4
"""How far windows overlap at most, to be so many: by all but so much of themselves."""


class NotEvaluable(ValueError):  # noqa: N818 - says what the dataset is
    """A dataset of which nothing can be judged; the message says why."""


@dataclass(frozen=True, slots=True)
class View:
    """Nodes and sessions: all, where none is named; "N*" names several. `without`: sessions that are left out.

    How runs are made into rows; None: as `stream.of` does by itself, and overlapping where there would be too few to
    learn from. `commission_s`: in place of the manifest's, of each node's first run in a session; the others go on from
    it.
    """

    feature_set: int | None = None
    samples: int | None = None
    hop: int | None = None
    nodes: tuple[str, ...] = ()
    commission_s: float | None = None
    sessions: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def recordings(self, dataset: Dataset) -> tuple[Recording, ...]:
        """Those that are looked at, in their order. Raises NotEvaluable for a node or a session that is not there."""
        sessions = tuple(dict.fromkeys(r.run.session for r in dataset.recordings))
        asked = (("node", self.nodes, dataset.nodes), ("session", (*self.sessions, *self.without), sessions))
        for noun, wanted, there in asked:
            if strangers := [form for form in wanted if not fnmatch.filter(there, form)]:
                raise NotEvaluable(f"no {noun} {strangers[0]!r}: there are {', '.join(there)}")
        return tuple(r for r in dataset.recordings if self._wants(r))

    def _wants(self, recording: Recording) -> bool:
        run = recording.run
        return (
            (not self.nodes or _among(run.node, self.nodes))
            and (not self.sessions or _among(run.session, self.sessions))
            and not _among(run.session, self.without)
        )

    def learned_s(self, recordings: Sequence[Recording]) -> list[float]:
        """Of a node's runs, how much of the start of each may be learned from."""
        if self.commission_s is None:
            return [r.run.commission_s for r in recordings]
        sessions = [r.run.session for r in recordings]
        return [0.0 if s in sessions[:i] else self.commission_s for i, s in enumerate(sessions)]


def _among(name: str, forms: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, form) for form in forms)


def usual_samples(recordings: Sequence[Recording]) -> int | None:
    """The window that fits all of these runs; None where none is of samples."""
    lengths = (stream.usual_samples(r.run, r.rows()) for r in recordings if r.run.kind == "samples")
    return min(lengths, default=None)


def usual_hop(recordings: Sequence[Recording], samples: int, learned_s: Sequence[float]) -> int:
    """From window to window of a node's runs, of which so much may be learned from: windows overlap only where a node's
    learner would have too few of them in the first session else.
    """
    first = recordings[0].run.session
    told = sum(
        s * r.run.rate_hz for r, s in zip(recordings, learned_s, strict=True) if r.run.session == first
    )  # fmt: skip
    hop = samples
    while told and hop > samples // OVERLAP and (told - samples) / hop + 1 < LEAST_LEARNED:
        hop //= 2
    return hop


def joined(parts: Sequence[Seen]) -> Seen:
    """Rows of several runs, one after the other."""
    ends = np.cumsum([0, *(len(part) for part in parts)])
    breaks = tuple(int(at + gap) for part, at in zip(parts, ends[:-1], strict=True) for gap in part.breaks)
    known = [part.context for part in parts if part.context is not None]
    return Seen(np.concatenate([part.x for part in parts]), np.concatenate(known) if known else None, breaks)


def gathered(whys: Iterable[tuple[str, str]], most: int = 3) -> str:
    """Reasons of runs, each once: (run, reason)."""
    runs: dict[str, list[str]] = {}
    for run, why in whys:
        runs.setdefault(why, []).append(run)
    found = sorted(runs.items(), key=lambda pair: -len(pair[1]))
    texts = [f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {why}" for why, names in found]
    more = sum(len(names) for _, names in found[most:])
    return "; ".join([*texts[:most], *([f"and {more} more"] if more else [])])
