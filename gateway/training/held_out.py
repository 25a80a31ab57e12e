"""A dataset's normal windows in parts that share no time: what a model is fitted to, calibrated on and checked on.

Normal is what a detector may learn from (`commission_s` at the start of a run), whatever the labels say. Each run gives
its first part to fitting, the next to calibrating, the last to checking: nothing is judged by what came before it in
time only to be better known. A Bundle that was made from a run is calibrated on the latter two of it alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.feature_sets import SLOW
from gateway.detectors.manifest import Channel, DataSource, Manifest
from gateway.training import stream
from gateway.training.commission import Normal
from gateway.training.dataset import Dataset, DatasetBroken, Recording
from gateway.training.dataset.manifest import Run
from gateway.training.stream import Stream
from gateway.training.view import OVERLAP

FIT, CALIBRATE, CHECK = 0, 1, 2
"""The parts of a run's normal windows."""
_NONE = -1

FIRST_TWO = (0.6, 0.8)  # up to here: fitted to, calibrated on
_FIRST_OF_TWO = 2 / 3  # up to here calibrated on, where nothing is to be fitted
_RATE_TOLERANCE = 0.05  # sensors keep their own time


class Unfit(ValueError):  # noqa: N818 - it is the operator's choice of data
    """Data that this Bundle, or this purpose, cannot take; the message says which run, and why."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The normal rows of a run: features [n, p], the part of each [n], context [n, k] by `context_names`; `source`
    names the run's file.
    """

    run: str
    node: str
    asset: str
    features: NDArray[np.int64]
    part: NDArray[np.int8]
    context: NDArray[np.float64]
    context_names: tuple[str, ...]
    source: DataSource


@dataclass(frozen=True, slots=True)
class Choice:
    """Which runs of a dataset: of these nodes and these sessions, of all where none is named."""

    nodes: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()


ALL = Choice()


def channels(run: Run) -> tuple[Channel, ...]:
    """A run's channels as a Bundle has them: the unit is that of a sample's step."""
    units = [c.unit or "1" if c.per_unit is None else f"{c.per_unit:g}/{c.unit or '1'}" for c in run.channels]
    return tuple(Channel(name=c.name, unit=unit) for c, unit in zip(run.channels, units, strict=True))


def for_bundle(dataset: Dataset, manifest: Manifest, choice: Choice = ALL) -> list[Rows]:
    """The normal windows of a dataset that a Bundle can judge, in its own features. Raises Unfit, DatasetBroken."""
    trained_on = {source.sha256 for source in manifest.provenance.data}
    found = []
    for recording in recordings(dataset, choice):
        must_fit(recording.run, manifest)
        source = data_source(dataset, recording)
        seen = _seen(recording, manifest.feature_set, manifest.samples)
        found += list(_rows(seen, source, fitted=source.sha256 in trained_on))
    return _some(found)


@dataclass(frozen=True)
class Lessons:
    """What a model is trained from: the three parts, whose windows they are (numbers of `nodes`, by part), what was
    known then ([n, k] of `context_names`, by part; none unless all runs have the same), and a run that stands for all.
    """

    normal: Normal
    nodes: tuple[str, ...]
    of_node: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]
    run: Run
    context_names: tuple[str, ...]
    contexts: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def for_training(dataset: Dataset, feature_set: int, samples: int | None, choice: Choice = ALL) -> Lessons:
    """The three parts of a dataset. `samples`: of a window; None: as is usual for the first run
    (stream.usual_samples). Raises Unfit, also where the runs' channels differ, and DatasetBroken.
    """
    wanted = recordings(dataset, choice)
    first = wanted[0].run
    for recording in wanted:
        if recording.run.kind == "values":
            raise Unfit(f"run {recording.name}: slow values, where a model judges windows of samples{_others(wanted)}")
        if channels(recording.run) != channels(first):
            raise Unfit(f"run {recording.name}: its channels are not those of run {first.name}{_others(wanted)}")
    rows = _some(
        [r for rec in wanted for r in _rows(_seen(rec, feature_set, samples), data_source(dataset, rec), fitted=True)]
    )
    names = tuple(dict.fromkeys(r.node for r in rows))
    known = rows[0].context_names if all(r.context_names == rows[0].context_names for r in rows) else ()
    parts, owners, contexts = [], [], []
    for part in (FIT, CALIBRATE, CHECK):
        parts.append(np.concatenate([r.features[r.part == part] for r in rows]))
        owners.append(np.concatenate([np.full((r.part == part).sum(), names.index(r.node)) for r in rows]))
        contexts.append(np.concatenate([r.context[r.part == part][:, : len(known)] for r in rows]))
    normal = Normal(parts[0], parts[1], parts[2], tuple(r.source for r in rows))
    return Lessons(
        normal, names, (owners[0], owners[1], owners[2]), first, known, (contexts[0], contexts[1], contexts[2])
    )


def _others(there: Sequence[Recording]) -> str:
    """Says which nodes would do, where there are several; a slow one has the learner of the gateway."""
    nodes = tuple(dict.fromkeys(r.run.node for r in there))
    fast = tuple(dict.fromkeys(r.run.node for r in there if r.run.kind != "values"))
    if not fast:
        return ": the gateway's learner is for those (`stethos model evaluate`, docs/recommend.md)"
    return f"; --node chooses among {', '.join(fast)}" if len(nodes) > 1 else ""


def recordings(dataset: Dataset, choice: Choice) -> list[Recording]:
    """Those that are chosen. Raises Unfit for a node or a session that is not there, and where nothing is left."""
    sessions = tuple(dict.fromkeys(r.run.session for r in dataset.recordings))
    for noun, wanted, there in (("node", choice.nodes, dataset.nodes), ("session", choice.sessions, sessions)):
        if strangers := set(wanted) - set(there):
            raise Unfit(f"dataset {dataset.name} has no {noun} {sorted(strangers)[0]!r}, but {', '.join(there)}")
    found = [
        r
        for r in dataset.recordings
        if (not choice.nodes or r.run.node in choice.nodes)
        and (not choice.sessions or r.run.session in choice.sessions)
    ]
    if not found:
        raise Unfit(f"dataset {dataset.name} has no run of these nodes in these sessions")
    return found


def data_source(dataset: Dataset, recording: Recording) -> DataSource:
    """A run's file as a Bundle's provenance has it."""
    digest = recording.run.sha256 or hashlib.sha256((dataset.folder / recording.run.file).read_bytes()).hexdigest()
    return DataSource(description=f"{dataset.name}, run {recording.name}", sha256=digest)


def _seen(recording: Recording, feature_set: int, samples: int | None) -> Stream:
    slow = feature_set == SLOW and samples is not None
    try:
        return stream.of(recording, feature_set, samples, samples // OVERLAP if slow and samples else None)
    except DatasetBroken:
        raise
    except ValueError as error:  # features of another set or length
        raise Unfit(str(error)) from error


def must_fit(run: Run, manifest: Manifest) -> None:
    """Raises Unfit for a run whose windows a Bundle cannot judge: other channels, units or rate."""
    if manifest.spectrogram is not None:
        raise Unfit(f"bundle {manifest.name} looks at spectrograms: `stethos model spectrogram` measures such")
    if run.kind == "values":
        raise Unfit(f"run {run.name}: slow values, where bundle {manifest.name} judges windows of samples")
    if len(run.channels) != manifest.channels_n:
        raise Unfit(
            f"run {run.name}: {len(run.channels)} channels, where bundle {manifest.name} has {manifest.channels_n}"
        )
    if run.kind != "samples":
        return
    for wanted, there in zip(manifest.channels, channels(run), strict=True):
        if wanted.unit != there.unit:
            raise Unfit(f"run {run.name}: channel {there.name} is in {there.unit}, where the bundle has {wanted.unit}")
    rate = manifest.rate_millihz / 1000
    if abs(run.rate_hz / rate - 1) > _RATE_TOLERANCE:
        raise Unfit(f"run {run.name}: {run.rate_hz:g} Hz, where bundle {manifest.name} is for {rate:g} Hz")


def _rows(seen: Stream, source: DataSource, *, fitted: bool) -> Iterator[Rows]:
    """The rows that may be learned from and that a node would judge; none, if there are none."""
    use = np.flatnonzero(seen.sensor_fault[: seen.learn] == 0)
    if not len(use):
        return
    context = np.zeros((len(seen), 0)) if seen.context is None else seen.context
    share = (np.arange(len(use)) + 0.5) / len(use)
    part = np.searchsorted(FIRST_TWO, share) if fitted else CALIBRATE + (share > _FIRST_OF_TWO)
    if seen.feature_set == SLOW:  # its windows overlap: those that reach back into the part before are in none
        for border in np.flatnonzero(np.diff(part)) + 1:
            part[border : border + OVERLAP - 1] = _NONE
    yield Rows(
        seen.name, seen.node, seen.asset, seen.x[use].astype(np.int64), part.astype(np.int8), context[use],
        seen.context_names, source,
    )  # fmt: skip


def _some(rows: list[Rows]) -> list[Rows]:
    if not rows:
        raise Unfit(
            "no run has a whole window of a sensor neither stuck nor saturated in the part that is taken to be normal: "
            "its commission_s in dataset.json says how long that is"
        )
    return rows
