"""Feature set 4, log-mel spectrograms: the Python reference of `nodes/wire/SPEC.md`, "Feature sets".

Bands of one width on a scale that is linear below a corner and logarithmic above it, as the ear's is (O'Shaughnessy,
"Speech Communication", 1987: mel = 2595 lg(1 + f / 700 Hz)); triangular, over the power under a Hann window. Integers
throughout, so that C and Python agree to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.training.features.fixed import LONGEST_FFT, ONE, Integers, bit_length, butterfly, exp2, fft, log2
from gateway.training.features.fixed import cosine_of as _cosine_of
from gateway.training.features.fixed import sine_of as _sine_of

FEATURE_SET = 4
FRAMES = (64, 128, 256, 512)
BANDS = (4, 64)
LOWEST = -4 * ONE
"""What a band gives that nothing is in."""

_SIXTEENTHS, _WEIGHT, _SAMPLE_BITS, _GAIN, _POWER_SHIFT, _FLOOR_BITS, _UNIT_OCTAVES = 16, 256, 20, 512, 8, 16, 12
_EAR_HZ = 700.0
_AT_ONCE = 64  # windows, which bounds the memory


@dataclass(frozen=True, slots=True)
class Form:
    """Of a spectrogram: `frame` samples a row (64, 128, 256 or 512), one every half of that, `bands` a row (4 to 64,
    fewer than frame / 2), and `corner`, from where on bands are parts of octaves, in sixteenths of a bin of
    rate / frame (16 to 16 · frame). ValueError for any other.
    """

    frame: int
    bands: int
    corner: int

    def __post_init__(self) -> None:
        if self.frame not in FRAMES:
            raise ValueError(f"a frame has 64, 128, 256 or 512 samples, not {self.frame}")
        if not BANDS[0] <= self.bands <= min(BANDS[1], self.frame // 2 - 1):
            raise ValueError(f"{self.bands} bands of {self.frame} samples: 4 to 64, fewer than half the samples")
        if not _SIXTEENTHS <= self.corner <= _SIXTEENTHS * self.frame:
            raise ValueError(f"a corner at {self.corner} sixteenths of a bin: 16 to {_SIXTEENTHS * self.frame}")

    @classmethod
    def of(cls, rate_hz: float, frame: int, bands: int, corner_hz: float = _EAR_HZ) -> Form:
        """With the corner at a frequency, or as near as a form can have it."""
        corner = round(_SIXTEENTHS * corner_hz * frame / rate_hz)
        return cls(frame, bands, max(_SIXTEENTHS, min(corner, _SIXTEENTHS * frame)))

    def samples(self, rows: int) -> int:
        """How many samples give so many rows."""
        return (rows + 1) * self.frame // 2

    def edges(self) -> list[int]:
        """Where bands begin, peak and end, in sixteenths of a bin: band b from edge b − 1 over b to b + 1, b from 1."""
        last, end = self.bands + 1, _SIXTEENTHS * self.frame // 2
        low, high = (int(log2(np.array(x))) for x in (self.corner, self.corner + end))
        inner = [exp2((low * (last - i) + high * i) // last) - self.corner for i in range(1, last)]
        return [0, *(max(edge, _SIXTEENTHS * i) for i, edge in enumerate(inner, start=1)), end]


def spectrogram(form: Form, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
    """Rows [windows, rows, bands] of windows of one length [windows, n], in octaves/4096 of the sample unit: a tone of
    amplitude A within a band gives about 4096 · log2 A. ValueError for what holds no row.
    """
    half = form.frame // 2
    if windows.ndim != 2 or windows.dtype != np.int16 or windows.shape[1] < form.frame:
        raise ValueError(f"not windows of {form.frame} 16-bit samples or more: {windows.shape}, {windows.dtype}")
    starts = half * np.arange(windows.shape[1] // half - 1)
    places = starts[:, None] + np.arange(form.frame)
    parts = [windows[at : at + _AT_ONCE, places] for at in range(0, max(len(windows), 1), _AT_ONCE)]
    return np.concatenate([_rows(form, part.astype(np.int64)) for part in parts]).astype(np.int32)


def _rows(form: Form, frames: Integers) -> Integers:
    """Of frames [..., frame], rows [..., bands]."""
    mean = (_SIXTEENTHS * frames.sum(axis=-1, keepdims=True) + form.frame // 2) // form.frame
    x = _SIXTEENTHS * frames - mean
    gain = _SAMPLE_BITS - bit_length(np.abs(x).max(axis=-1, keepdims=True))
    angles = np.arange(form.frame) * (LONGEST_FFT // form.frame)
    hann = (np.int64(1) << 31) - _cosine_of(np.minimum(angles, LONGEST_FFT - angles))
    re, im = _spectrum((_GAIN * (x << gain) * hann) >> 32)
    return _bands(form, (re * re + im * im) >> _POWER_SHIFT, gain)


def _spectrum(x: Integers) -> tuple[Integers, Integers]:
    """Of real values [..., 2n], the transform [..., n], each value or its conjugate, over n; the first stays 0."""
    n = x.shape[-1] // 2
    re, im = fft(x[..., 0::2], x[..., 1::2])
    k = np.arange(1, n // 2 + 1)
    angles = k * (LONGEST_FFT // (2 * n))
    even = (re[..., k] + re[..., n - k], im[..., k] - im[..., n - k])
    odd = (im[..., k] + im[..., n - k], re[..., n - k] - re[..., k])
    first, second = butterfly(even, odd, _cosine_of(angles), _sine_of(angles))
    found = np.zeros_like(re), np.zeros_like(im)
    for part, low, high in zip(found, first, second, strict=True):
        part[..., n - k] = high
        part[..., k] = low
    return found


def _bands(form: Form, power: Integers, gain: Integers) -> Integers:
    """Rows of powers [..., frame / 2]."""
    energy = power @ _weights(form)
    return (log2(energy + (np.int64(1) << (_FLOOR_BITS + 2 * gain))) >> 1) - (_UNIT_OCTAVES + gain) * ONE


def _weights(form: Form) -> npt.NDArray[Any]:
    """Of each bin for each band [frame / 2, bands], in 256ths: what a bin is not for one band it is for the next."""
    edges = np.array(form.edges())
    at = _SIXTEENTHS * np.arange(form.frame // 2)
    segment = np.searchsorted(edges, at, side="right") - 1
    rising = _WEIGHT * (at - edges[segment]) // (edges[segment + 1] - edges[segment])
    weights = np.zeros((len(at), form.bands + 2), np.int64)
    weights[np.arange(len(at)), segment] = _WEIGHT - rising
    weights[np.arange(len(at)), segment + 1] = rising
    return weights[:, 1:-1]
