"""Feature set 2, which does not know how the sensor is mounted: the Python reference of `nodes/wire/SPEC.md`.

The choice of features is from the study in the project's notes on detection: energies of the principal directions,
crest, kurtosis, the share of change, eight bands of the spectrum summed over the axes, its entropy, and the energy.
Integers throughout, so that C, MicroPython and Python agree to the last bit.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from gateway.training.features.directions import centred, directions, groups
from gateway.training.features.fixed import FFT_SIZES, Integers, bit_length, fft, log2

_BAND_EDGES = {32: (1, 2, 3, 4, 5, 7, 9, 12, 17), 64: (1, 2, 3, 4, 6, 9, 14, 21, 33)}
_BAND_SHIFT, _FLOOR_SHIFT, _SAMPLE_BITS, _SQUARE_BITS = 6, 20, 20, 26


def invariant(windows: Integers) -> Integers:
    """`windows` has shape (windows, n, channels), n in 32..1024; the result (windows, features) is in octaves/4096."""
    return np.concatenate([_group(samples) for samples in groups(windows)], axis=1)


def _group(samples: Integers) -> Integers:
    """Features (windows, axes + 13) of up to three axes that belong together."""
    n = samples.shape[1]
    x = centred(samples)
    square = (x * x).sum(axis=2)
    energy, largest = square.sum(axis=1), square.max(axis=1)
    change = (np.diff(x, axis=1) ** 2).sum(axis=(1, 2))
    log_n, log_energy = log2(np.array(n)), log2(energy + 1)
    shape = [
        (log2(largest + 1) + log_n - log_energy) >> 1,
        _kurtosis(square, largest, log_n),
        (log2(change + 1) - log_energy) >> 1,
    ]
    total = (log_energy - log_n) >> 1
    return np.column_stack([directions(x), *shape, _spectrum(x, largest), total])


def _kurtosis(square: Integers, largest: Integers, log_n: Integers) -> Integers:
    short = square >> np.maximum(bit_length(largest) - _SQUARE_BITS, 0)[:, None]
    return log2((short * short).sum(axis=1) + 1) + log_n - 2 * log2(short.sum(axis=1) + 1)


def _spectrum(x: Integers, largest: Integers) -> Integers:
    """Eight shares of the power, as logarithms, and their entropy."""
    size = FFT_SIZES[0] if x.shape[1] < FFT_SIZES[1] else FFT_SIZES[1]
    bits = (bit_length(largest) + 1) // 2
    gain = 16 << np.maximum(_SAMPLE_BITS - bits, 0)
    first = np.argmax(x != 0, axis=1)
    turned = np.where(np.take_along_axis(x, first[:, None, :], axis=1) < 0, -1, 1)
    power = _power(x * turned * gain[:, None, None], size)
    edges = _BAND_EDGES[size]
    bands = np.stack([power[..., a:b].sum(axis=-1) >> _BAND_SHIFT for a, b in pairwise(edges)], axis=-1)
    return _shares(bands.sum(axis=(1, 2)))


def _power(x: Integers, size: int) -> Integers:
    """(windows, axes, transforms, size / 2 + 1) of (windows, n, axes); two blocks go into one transform."""
    half = size // 2
    starts = np.arange(0, x.shape[1] - size + 1, half)
    rising = 2 * np.arange(half) + 1
    blocks = np.moveaxis(x, 2, 1)[:, :, starts[:, None] + np.arange(size)] * np.concatenate([rising, rising[::-1]])
    if len(starts) % 2:
        blocks = np.concatenate([blocks, np.zeros_like(blocks[:, :, :1])], axis=2)
    re, im = fft(blocks[:, :, 0::2], blocks[:, :, 1::2])
    both = re * re + im * im
    mirrored = np.concatenate([both[..., :1], both[..., : half - 1 : -1]], axis=-1)
    return np.asarray(both[..., : half + 1] + mirrored)


def _shares(bands: Integers) -> Integers:
    """(windows, 9) of the bands' powers (windows, 8)."""
    total = bands.sum(axis=1, keepdims=True)
    logs = log2(bands + (total >> _FLOOR_SHIFT) + 1) - log2(total + 1)
    shift = np.maximum(bit_length(total) - 16, 0)
    part = ((bands >> shift) << 16) // np.maximum(total >> shift, 1)
    entropy = -(part * logs).sum(axis=1, keepdims=True) >> 16
    return np.concatenate([logs, entropy], axis=1)
