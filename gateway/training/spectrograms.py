"""Spectrograms of a dataset's runs, for networks that look at them (feature set 4, `features_mel`).

A class is an asset. What a network may learn from is the commissioning of a run; labels are for evaluation alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.training.dataset import Dataset, Recording, as_samples
from gateway.training.dataset.manifest import UNLABELLED
from gateway.training.dense import Unsuitable
from gateway.training.features.mel import Form, spectrogram


@dataclass(frozen=True, slots=True)
class Look:
    """How to look: `rows` of `bands` bands, each of a `frame` of samples; the name of the channel, the first if "";
    the frequency from which on bands are parts of octaves.
    """

    frame: int = 512
    bands: int = 32
    rows: int = 32
    channel: str = ""
    corner_hz: float = 700.0


@dataclass(frozen=True, slots=True)
class Spectrograms:
    """Windows that do not overlap: `x` int32 [n, rows, bands]; `label` [n], a number of `names`, the assets in the
    order in which they occur; `learn` [n]: it was commissioned on; `fault` [n]: 1, 0, or -1 for unlabelled and mixed.
    """

    form: Form
    rows: int
    rate_hz: float
    names: tuple[str, ...]
    x: NDArray[np.int32]
    label: NDArray[np.int64]
    learn: NDArray[np.bool_]
    fault: NDArray[np.int8]


def of(data: Dataset, look: Look) -> Spectrograms:
    """Of all its runs of samples. Raises DatasetBroken; Unsuitable: no such runs, several rates, no such channel, no
    window, a form that there is none of.
    """
    recordings = [recording for recording in data.recordings if recording.run.kind == "samples"]
    rates = sorted({recording.run.rate_hz for recording in recordings})
    if len(rates) != 1:
        raise Unsuitable(f"{data.name}: runs of samples of one rate are needed, not of {len(rates)}")
    try:
        form = Form.of(rates[0], look.frame, look.bands, look.corner_hz)
    except ValueError as error:
        raise Unsuitable(f"{data.name}: {error}") from error
    names = tuple(dict.fromkeys(recording.run.asset for recording in recordings))
    parts = [_of_run(recording, form, look, names) for recording in recordings]
    x, label, learn, fault = (np.concatenate(column) for column in zip(*parts, strict=True))
    if not len(x):
        raise Unsuitable(f"{data.name}: no run has the {form.samples(look.rows)} samples of a window")
    return Spectrograms(form, look.rows, rates[0], names, x, label, learn, fault)


def _of_run(recording: Recording, form: Form, look: Look, names: tuple[str, ...]) -> tuple[NDArray[Any], ...]:
    run, rows = recording.run, recording.read()
    channels = [channel.name for channel in run.channels]
    if look.channel and look.channel not in channels:
        raise Unsuitable(f"{run.name}: no channel {look.channel!r} among {', '.join(channels)}")
    samples = as_samples(run, rows.values)[:, channels.index(look.channel) if look.channel else 0]
    length = form.samples(look.rows)
    starts = np.array(list(_starts((0, *run.breaks, len(rows)), length)), np.intp)
    last = starts + length - 1
    fault = run.fault_at(rows.at_s)
    kinds = [np.unique(fault[start : start + length]) for start in starts]
    return (
        spectrogram(form, samples[starts[:, None] + np.arange(length)]),
        np.full(len(starts), names.index(run.asset)),
        rows.at_s[last] < rows.at_s[0] + run.commission_s,
        np.array([kind[0] if len(kind) == 1 else UNLABELLED for kind in kinds], np.int8),
    )


def _starts(edges: tuple[int, ...], length: int) -> Iterator[int]:
    """Of windows that reach across none of the edges."""
    for begin, end in pairwise(edges):
        yield from range(begin, end - length + 1, length)
