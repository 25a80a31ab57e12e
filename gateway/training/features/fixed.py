"""Whole-number mathematics on arrays: the Python reference of `nodes/wire/SPEC.md`, "Fixed point".

Everything here is exact; arrays may have any shape.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ONE = 4096
"""An octave, the unit of the logarithms here."""

LOG_ZERO = -64 * ONE
FFT_SIZES = (32, 64)
LONGEST_FFT = 512
"""Of the spectrograms; its table has those of the shorter ones in it."""

Integers = npt.NDArray[np.int64]
Complex = tuple[Integers, Integers]
"""Real and imaginary part."""

_FRACTION_BITS = 12
_TOP = np.uint64(63)
_QUARTER = LONGEST_FFT // 4
_SINES = np.minimum(np.rint(2.0**31 * np.sin(2 * np.pi * np.arange(_QUARTER + 1) / LONGEST_FFT)), 2**31 - 1)
"""Of the first quarter of a circle, in 2^-31."""
_ROOTS_OF_TWO = [int(np.floor(2.0 ** (31 + 2.0**-i))) for i in range(1, _FRACTION_BITS + 1)]


def bit_length(values: npt.NDArray[np.uint64] | Integers) -> Integers:
    """Bits of each value, which is at least 0; 0 has none."""
    rest = values.astype(np.uint64)
    bits = np.zeros(rest.shape, np.int64)
    for step in (32, 16, 8, 4, 2, 1):
        large = rest >= np.uint64(1 << step)
        bits += large * step
        rest = np.where(large, rest >> np.uint64(step), rest)
    return bits + (rest > 0)


def log2(values: npt.NDArray[np.uint64] | Integers) -> Integers:
    """Base-2 logarithms in 1/4096, rounded down (one too low at worst); LOG_ZERO of 0."""
    x = values.astype(np.uint64)
    whole = bit_length(x) - 1
    mantissa = x << (_TOP - np.maximum(whole, 0).astype(np.uint64)) >> np.uint64(32)
    log = whole
    for _ in range(_FRACTION_BITS):
        square = mantissa * mantissa
        high = square >> _TOP
        log = 2 * log + high.astype(np.int64)
        mantissa = square >> (np.uint64(31) + high)
    return np.where(x == 0, LOG_ZERO, log)


def exp2(value: int) -> int:
    """2 to the power of `value` / 4096, rounded down, within 0..2^64-1."""
    if value < 0:
        return 0
    whole, fraction = divmod(value, ONE)
    if whole > int(_TOP):
        return 2**64 - 1
    mantissa = 1 << 31
    for i, root in enumerate(_ROOTS_OF_TWO, start=1):
        if fraction >> (_FRACTION_BITS - i) & 1:
            mantissa = mantissa * root >> 31
    return mantissa << whole >> 31


def root(values: Integers) -> Integers:
    """floor(sqrt(x)) of values in 0..2^62 - 1; the square root of a float is at most one off."""
    found = np.sqrt(values.astype(np.float64)).astype(np.int64)
    found = found - (found * found > values)
    return found + ((found + 1) ** 2 <= values)


def fft(re: Integers, im: Integers) -> tuple[Integers, Integers]:
    """The transform of 32 to 256 values along the last axis, divided by their number; no value exceeds 2^30."""
    size = re.shape[-1]
    order = _places(size)
    re, im = re[..., order], im[..., order]
    half = 1
    while half < size:
        angles = np.arange(half) * (LONGEST_FFT // 2 // half)
        cosine, sine = cosine_of(angles), sine_of(angles)
        shape = (*re.shape[:-1], size // (2 * half), 2, half)
        a_re, b_re = np.moveaxis(re.reshape(shape), -2, 0)
        a_im, b_im = np.moveaxis(im.reshape(shape), -2, 0)
        first, second = butterfly((a_re, a_im), (b_re, b_im), cosine, sine)
        re = np.stack([first[0], second[0]], axis=-2).reshape(re.shape)
        im = np.stack([first[1], second[1]], axis=-2).reshape(im.shape)
        half *= 2
    return re, im


def butterfly(a: Complex, b: Complex, cosine: Integers, sine: Integers) -> tuple[Complex, Complex]:
    """(a + w b) / 2 and (a − w b) / 2 for w = cosine − i sine, both in 2^-31."""
    turned_re = (b[0] * cosine + b[1] * sine) >> 32
    turned_im = (b[1] * cosine - b[0] * sine) >> 32
    half_re, half_im = a[0] >> 1, a[1] >> 1
    return (half_re + turned_re, half_im + turned_im), (half_re - turned_re, half_im - turned_im)


def _places(size: int) -> list[int]:
    """The numbers below `size`, each with its bits in reverse order."""
    bits = size.bit_length() - 1
    return [int(f"{i:0{bits}b}"[::-1], 2) for i in range(size)]


def sine_of(angles: Integers) -> Integers:
    """In 2^-31, of angles in 512ths of a circle, 0..256."""
    return _SINES.astype(np.int64)[np.where(angles <= _QUARTER, angles, 2 * _QUARTER - angles)]


def cosine_of(angles: Integers) -> Integers:
    """In 2^-31, of angles in 512ths of a circle, 0..256."""
    sines = _SINES.astype(np.int64)
    return np.where(angles <= _QUARTER, sines[np.abs(_QUARTER - angles)], -sines[np.abs(angles - _QUARTER)])
