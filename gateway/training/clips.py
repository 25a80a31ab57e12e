"""Collections of short sound clips: clips of one machine in order, as runs of a few minutes with a break after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.training.dataset import Label
from gateway.training.importing import ImportRefused, Piece, Wanted, named
from gateway.training.importing.wav import pick, read, sound_run

AT_ONCE = 60
"""Clips of a run, which bounds the memory."""
_LEARN_S = 240.0


@dataclass(frozen=True)
class Clip:
    """One clip: a file, or a file for each channel, and what is heard."""

    files: tuple[Path, ...]
    label: str
    fault: bool


def runs(clips: Sequence[Clip], name: str, wanted: Wanted) -> Iterator[Piece]:
    """Normal clips first, from half of which is learnt (240 s at most), then the others. Raises ImportRefused."""
    kept = _limited(sorted(clips, key=lambda clip: clip.fault), wanted.clips)
    normal = sum(not clip.fault for clip in kept)
    for number, first in enumerate(range(0, len(kept), AT_ONCE)):
        part = kept[first : first + AT_ONCE]
        sounds = [_sound(clip, wanted.channels) for clip in part]
        shapes = {(samples.shape[1], rate) for samples, _, rate in sounds}
        if len(shapes) != 1:
            raise ImportRefused(part[0].files[0].parent, f"clips of several kinds (channels, Hz): {sorted(shapes)}")
        rate_hz = sounds[0][2]
        samples = np.concatenate([samples for samples, _, _ in sounds])
        ends = np.cumsum([len(one) for one, _, _ in sounds])
        learn_s = 0.0 if number else _learnt_s(part, ends / rate_hz, normal)
        run = sound_run(
            part[0].files[0],
            wanted,
            samples,
            sounds[0][1],
            rate_hz=rate_hz,
            breaks=tuple(int(end) for end in ends[:-1]),
            labels=_labels(part, ends / rate_hz),
            commission_s=learn_s if number or wanted.commission_s is None else wanted.commission_s,
        )
        yield Piece(named(run, f"{name}-{number:03d}"), samples)


def _learnt_s(first: Sequence[Clip], ends_s: NDArray[np.float64], normal: int) -> float:
    """How much of the first run is learnt from, where there are so many normal clips in all."""
    here = sum(not clip.fault for clip in first)
    return min(_LEARN_S, float(ends_s[min(here, normal // 2) - 1])) if normal > 1 else 0.0


def _limited(clips: Sequence[Clip], most: int | None) -> list[Clip]:
    """The first `most` of each label."""
    seen: Counter[str] = Counter()
    kept = []
    for clip in clips:
        seen[clip.label] += 1
        if most is None or seen[clip.label] <= most:
            kept.append(clip)
    return kept


def _sound(clip: Clip, channels: tuple[str, ...]) -> tuple[NDArray[Any], tuple[str, ...], float]:
    """Samples [n, channels], their names, and the rate."""
    sounds = [read(file) for file in clip.files]
    if len({(len(samples), rate) for samples, rate in sounds}) != 1:
        raise ImportRefused(clip.files[0], "its channels are not of one length and rate")
    picked, names = pick(clip.files[0], np.concatenate([samples for samples, _ in sounds], axis=1), channels)
    return picked, names, sounds[0][1]


def _labels(clips: Sequence[Clip], ends_s: NDArray[np.float64]) -> tuple[Label, ...]:
    """One label a clip."""
    starts_s = [0.0, *ends_s[:-1].tolist()]
    return tuple(
        Label(start_s=start, end_s=float(end), label=clip.label, fault=clip.fault)
        for clip, start, end in zip(clips, starts_s, ends_s, strict=True)
    )
