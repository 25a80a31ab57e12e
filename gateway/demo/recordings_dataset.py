"""Any dataset (docs/datasets.md) of samples: each node is commissioned by its first run, and plays all the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from gateway.demo.recordings_part import Part
from gateway.training import held_out, stream
from gateway.training.dataset import Recording, load
from gateway.training.dataset.manifest import MANIFEST, UNLABELLED
from gateway.training.features import Samples
from gateway.training.outcome import Interval

_SHARES = (0.6, 0.8)  # of what may be learnt from: up to here fitted to, calibrated on; the rest checks
_LEAST = 60  # windows to learn from


def parts(folder: Path) -> list[Part]:
    """A part for each node whose first run is of samples and has enough to learn from. Raises DatasetBroken."""
    if not (folder / MANIFEST).is_file():
        return []
    dataset = load(folder)
    found = (_part(f"{_word(node)}-{i}", dataset.of_node(node)) for i, node in enumerate(dataset.nodes, start=1))
    return [part for part in found if part is not None]


def _word(text: str) -> str:
    """What may stand in the name of a node, an asset or a Bundle."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "node"


def _part(name: str, recordings: Sequence[Recording]) -> Part | None:
    run = recordings[0].run
    if any(r.run.kind != "samples" or r.run.channels != run.channels for r in recordings):
        return None
    window = min(stream.usual_samples(r.run, r.rows()) for r in recordings)
    learnt = int(np.searchsorted(recordings[0].read().at_s, recordings[0].read().at_s[0] + run.commission_s))
    cuts = [0, *(int(share * learnt) for share in _SHARES), learnt]
    fit, calibrate, check = (list(_stretches(recordings[0], a, b, window)) for a, b in pairwise(cuts))
    if learnt < _LEAST * window or not (fit and calibrate and check):
        return None
    return Part(
        name=name,
        asset=_word(run.asset),
        description=f"{recordings[0].folder.name}, {run.node}: first {run.commission_s:g} s of {run.name}",
        channels=held_out.channels(run),
        rate_millihz=round(1000 * run.rate_hz),
        window=window,
        level_matters=len(run.channels) == 1,
        fit=fit,
        calibrate=calibrate,
        check=check,
        played=np.concatenate([recordings[0].samples()[learnt:], *(r.samples() for r in recordings[1:])]),
        labels=_labels(recordings, learnt),
        note=_note(recordings),
    )


def _note(recordings: Sequence[Recording]) -> str:
    sessions = len({r.run.session for r in recordings})
    note = f"learnt from the first {recordings[0].run.commission_s:g} s of {recordings[0].name}"
    return f"{note}; the other {sessions - 1} sessions are as new places are" if sessions > 1 else note


def _stretches(recording: Recording, begin: int, end: int, window: int) -> Iterator[Samples]:
    """The rows from `begin` to `end`, cut where the recording paused; what is shorter than a window is left out."""
    samples = recording.samples()
    for a, b in pairwise([begin, *(b for b in recording.run.breaks if begin < b < end), end]):
        if b - a >= window:
            yield samples[a:b]


def _labels(recordings: Sequence[Recording], learnt: int) -> tuple[Interval, ...]:
    """Of what is played; what is unlabelled has none."""
    told: list[tuple[int, str]] = []
    for number, recording in enumerate(recordings):
        at_s = recording.read().at_s[learnt if number == 0 else 0 :]
        told += zip(recording.run.fault_at(at_s).tolist(), recording.run.label_at(at_s), strict=True)
    intervals, at = [], 0
    for (fault, label), rows in groupby(told):
        length = len(list(rows))
        if fault != UNLABELLED:
            intervals.append(Interval(at, at + length, label if fault else ""))
        at += length
    return tuple(intervals)
