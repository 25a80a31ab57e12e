"""Thresholds from held-out normal windows: by node, asset and operating context, with what they achieve on others.

Errors are what will be computed in the field: of a node's Bundle the node's own int8 arithmetic to the bit (`direct`),
of a gateway's Bundle LiteRT's. Four thresholds follow from them, and one is in force:

    p95, p99      the percentile of single windows
    event_1of1    the wanted number of events, an event being a window above the threshold, until ten in a row are not:
                  what a node and re-scoring call anomalous today
    event_3of5    the same, where an event begins with three of the last five windows

An event's threshold is that of the learner (gateway/detectors/place/threshold.py): the windows in eight chunks, a
Gumbel law of the largest error of each, and its quantile for the wanted number. Nothing is left out of a fit here, as
the model has seen none of these windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import detector, direct, errors
from gateway.detectors.bundle import Bundle
from gateway.detectors.manifest import Basis, Bin, Calibration, Entry, Manifest, NodePart, Quality
from gateway.detectors.place.threshold import EULER, LEAST_SPREAD, Limit, third_of_five
from gateway.training.held_out import CALIBRATE, CHECK, Rows, Unfit

EVENTS_PPB = 2_000_000
"""One false alarm in 500 windows."""

LEAST_WINDOWS, LEAST_IN_CONTEXT = 24, 60
_CHUNKS = 8
_QUIET = 10
_SHOWN = 5  # a threshold beyond which fewer than so many of the windows lie is an extrapolation
_PERCENTILES = {"p95": 0.95, "p99": 0.99}
_FEW_VALUES, _BINS = 8, 4

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Case:
    """Rows of one kind: the errors of each run, in order, and the part of each."""

    node: str
    asset: str
    context: tuple[Bin, ...]
    errors: tuple[Ints, ...]
    parts: tuple[NDArray[np.int8], ...]

    def of(self, part: int) -> list[Ints]:
        """The errors of a part, by run."""
        return [e[p == part] for e, p in zip(self.errors, self.parts, strict=True) if (p == part).any()]

    def covers(self, other: _Case) -> bool:
        """Whether what holds here must hold there as well."""
        own = self.node in ("", other.node) and self.asset in ("", other.asset)
        return own and set(self.context) <= set(other.context)


@dataclass(frozen=True, slots=True)
class Scale:
    """How errors are counted: in ratios, whose logarithm is looked at; or, `per_step` not 0, in steps of which each
    adds so much to a logarithm, as a classifier's margins on a node. `most`: the highest that something can be above.
    """

    most: int = 2**53
    per_step: float = 0.0

    def log(self, errors: Ints) -> NDArray[np.float64]:
        """The logarithm."""
        return np.asarray(errors * self.per_step if self.per_step else np.log(np.maximum(errors, 1)), np.float64)

    def error(self, ratio: float) -> int:
        """The error whose logarithm is that of `ratio`, rounded up."""
        return math.ceil(math.log(ratio) / self.per_step if self.per_step else ratio)


RATIO = Scale()


def _scale(bundle: Bundle) -> Scale:
    kind = bundle.manifest.kind
    if bundle.manifest.role == "host":
        return RATIO
    per_step = direct.Network(bundle.model).output.scale if kind == "classifier" else 0.0
    return Scale(errors.highest_threshold(kind), per_step)


def errors_of(bundle: Bundle, rows: Rows) -> Ints:
    """What the node, or the gateway, computes for them. Raises BundleBroken, Refused, LibraryMissing."""
    manifest = bundle.manifest
    if manifest.role == "host":
        return np.array(detector(bundle).score(rows.features.tolist()), np.int64)
    network = direct.Network(bundle.model)
    return direct.errors(network, manifest.scaling, rows.features, manifest.kind, manifest.known)


def calibrated(
    bundle: Bundle, rows: Sequence[Rows], by: Basis = "event_1of1", events_ppb: int = EVENTS_PPB
) -> Manifest:
    """The Bundle's manifest with thresholds from these rows. Raises Unfit for too few, and what `errors_of` raises."""
    table = thresholds(rows, [errors_of(bundle, r) for r in rows], by, events_ppb, _scale(bundle))
    outputs: Literal["direct", "litert"] = "direct" if bundle.manifest.role == "node" else "litert"
    data = tuple(r.source for r in rows)
    return _in_force(bundle, Calibration(data=data, outputs=outputs, by=by, events_ppb=events_ppb, table=table))


def thresholds(
    rows: Sequence[Rows], errors_in: Sequence[Ints], by: Basis, events_ppb: int, scale: Scale = RATIO
) -> tuple[Entry, ...]:
    """Thresholds from the errors of each run's rows; first the one for any node. Raises Unfit.

    A threshold for several cases holds in each of them: it is the largest of theirs and its own.
    """
    cases = list(_cases(rows, errors_in))
    found = [_entry(case, by, events_ppb, scale) for case in cases]
    table = []
    for case, entry in zip(cases, found, strict=True):
        covered = [e.threshold for c, e in zip(cases, found, strict=True) if case.covers(c)]
        table.append(_checked(case, entry.model_copy(update={"threshold": max(covered)}), by))
    return tuple(table)


def bins(values: NDArray[np.float64], name: str) -> list[Bin]:
    """Bins of a context channel: one for each value where there are up to eight (a state), else four alike."""
    distinct = np.unique(values)
    if len(distinct) <= _FEW_VALUES:
        edges = (distinct[1:] + distinct[:-1]) / 2
    else:
        edges = np.unique(np.quantile(values, np.arange(1, _BINS) / _BINS))
    return [Bin(name=name, low=low, high=high) for low, high in pairwise([None, *edges.tolist(), None])]


def _cases(rows: Sequence[Rows], errors_in: Sequence[Ints]) -> Iterator[_Case]:
    """Everything, each asset, each node, and each node in each of its contexts, where there are windows enough."""
    yield _case(rows, errors_in, "", "", ())
    for asset in dict.fromkeys(r.asset for r in rows):
        yield _case(rows, errors_in, "", asset, ())
    for node, asset in dict.fromkeys((r.node, r.asset) for r in rows):
        yield _case(rows, errors_in, node, asset, ())
        own = [r for r in rows if (r.node, r.asset) == (node, asset)]
        names = own[0].context_names
        if not names or any(r.context_names != names for r in own):
            continue
        together = np.concatenate([r.context for r in own])
        columns = [bins(together[:, i], name) for i, name in enumerate(names)]
        for context in product(*columns) if any(len(column) > 1 for column in columns) else ():
            case = _case(rows, errors_in, node, asset, context)
            if min(sum(map(len, case.of(part))) for part in (CALIBRATE, CHECK)) >= LEAST_IN_CONTEXT:
                yield case


def _case(rows: Sequence[Rows], errors_in: Sequence[Ints], node: str, asset: str, context: tuple[Bin, ...]) -> _Case:
    found, parts = [], []
    for r, e in zip(rows, errors_in, strict=True):
        if node in ("", r.node) and asset in ("", r.asset):
            at = np.ones(len(e), np.bool_)
            for bin_, values in zip(context, r.context.T, strict=False):
                at &= values >= (-np.inf if bin_.low is None else bin_.low)
                at &= values < (np.inf if bin_.high is None else bin_.high)
            found.append(e[at])
            parts.append(r.part[at])
    return _Case(node, asset, context, tuple(found), tuple(parts))


def _entry(case: _Case, by: Basis, events_ppb: int, scale: Scale) -> Entry:
    runs = case.of(CALIBRATE)
    windows = sum(map(len, runs))
    if windows < LEAST_WINDOWS:
        who = case.node or case.asset or "all nodes"
        raise Unfit(f"{who}: {windows} windows to calibrate on, where {LEAST_WINDOWS} are the least")
    together = np.concatenate(runs)
    wanted = events_ppb / 1e9
    found = {name: int(np.quantile(together, q, method="higher")) for name, q in _PERCENTILES.items()}
    found["event_1of1"] = _event_threshold(runs, wanted, scale)
    found["event_3of5"] = _event_threshold([_thirds(run) for run in runs], wanted, scale)
    found = {name: min(value, scale.most) for name, value in found.items()}
    beyond = windows * (1 - _PERCENTILES[by] if by in _PERCENTILES else wanted)
    return Entry(
        node=case.node, asset=case.asset, context=case.context, threshold=found[by], windows=windows,
        extrapolated=beyond < _SHOWN, check_windows=0, check_above=0, check_events=0, **found,
    )  # fmt: skip


def _event_threshold(runs: Sequence[Ints], wanted: float, scale: Scale) -> int:
    """The error that begins `wanted` events a window; `runs` have at each window the error that begins one there."""
    lengths = [len(run) for run in runs]
    typical = int(np.median(np.repeat(lengths, lengths)))  # the length of a window's run
    once = round(1 / wanted)  # in longer chunks several events are wanted, of which the largest error says little
    each = max(min(sum(lengths) // _CHUNKS, typical, once), 1)
    chunks = [run[at : at + each] for run in runs for at in range(0, len(run) - each + 1, each)]
    if len(chunks) < 2:
        raise Unfit(f"{len(runs)} runs of {sum(lengths)} windows are too uneven to calibrate on")
    worst = scale.log(np.array([chunk.max() for chunk in chunks]))
    s = max(LEAST_SPREAD, float(np.std(worst, ddof=1)) * math.sqrt(6) / math.pi)
    return scale.error(Limit(float(np.mean(worst)) - EULER * s, s, each, len(chunks)).threshold(wanted))


def _checked(case: _Case, entry: Entry, by: Basis) -> Entry:
    """The entry with what its threshold does to windows that it was not made from."""
    runs = case.of(CHECK)
    above = [run > entry.threshold for run in runs]
    starts = [_thirds(run) > entry.threshold for run in runs] if by == "event_3of5" else above
    return entry.model_copy(
        update={
            "check_windows": sum(map(len, runs)),
            "check_above": int(sum(a.sum() for a in above)),
            "check_events": sum(count_events(s, a) for s, a in zip(starts, above, strict=True)),
        }
    )


def _thirds(run: Ints) -> Ints:
    return third_of_five(run.astype(np.float64)).astype(np.int64)


def count_events(begins: NDArray[np.bool_], above: NDArray[np.bool_]) -> int:
    """How many events: each begins where `begins`, and lasts until ten windows in a row are not `above`."""
    count, quiet = 0, _QUIET
    for start, high in zip(begins.tolist(), above.tolist(), strict=True):
        if start and quiet >= _QUIET:
            count, quiet = count + 1, 0
        elif quiet < _QUIET:
            quiet = 0 if high else quiet + 1
    return count


def _in_force(bundle: Bundle, calibration: Calibration) -> Manifest:
    """The manifest with the threshold for any node, which is the first of the table, and what it achieves."""
    manifest, general = bundle.manifest, calibration.table[0]
    counted = general.check_above if calibration.by in _PERCENTILES else general.check_events
    share = 1 - _PERCENTILES[calibration.by] if calibration.by in _PERCENTILES else calibration.events_ppb / 1e9
    quality = Quality(
        wanted_ppm=round(1e6 * share),
        achieved_ppm=round(1e6 * counted / max(general.check_windows, 1)),
        false_alarms=counted,
        windows=general.check_windows,
        calibration_windows=general.windows,
        extrapolated=general.extrapolated,
    )
    node, threshold = manifest.node, general.threshold
    if node is not None:
        node = NodePart(generation=node.generation, threshold=general.threshold)
        threshold = _host_value(bundle, general.threshold)
    found = {"node": node, "threshold": threshold, "quality": quality, "calibration": calibration}
    return Manifest.model_validate({**manifest.model_dump(), **{k: _plain(v) for k, v in found.items()}})


def _plain(value: object) -> object:
    return value.model_dump() if isinstance(value, NodePart | Quality | Calibration) else value


def _host_value(bundle: Bundle, error: int) -> int:
    """A node's error as the gateway's LiteRT would have it (gateway/detectors/litert.py), in millionths."""
    end = direct.Network(bundle.model).output
    if bundle.manifest.kind == "classifier":
        return round(errors.millionths(errors.margin_of(np.array([error])) * end.scale).item())
    return round(1e6 * error * end.scale**2 / bundle.manifest.features)
