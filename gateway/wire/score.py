"""Score codes: the logarithm of error over threshold in sixteenths of a factor of two (nodes/wire/SPEC.md, "Score")."""

from __future__ import annotations

AT_THRESHOLD = 128
STEPS_PER_OCTAVE = 16
LOG_OF_ZERO = -128 - 512

_BITS = 31  # position of the leading bit in the table


def _ceil_root16(n: int) -> int:
    """The least x with x**16 >= n."""
    low, high = 0, 1 << (n.bit_length() // 16 + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if middle**16 >= n else (middle + 1, high)
    return low


_STEPS = tuple(_ceil_root16(1 << (16 * _BITS + j)) for j in range(STEPS_PER_OCTAVE))  # ceil(2^(31 + j/16))


def log(x: int) -> int:
    """L(x) of SPEC.md: floor(16 log2 x) of an integer from 0, which has a value of its own."""
    if x == 0:
        return LOG_OF_ZERO
    octave = x.bit_length() - 1
    leading = x << (_BITS - octave) if octave <= _BITS else x >> (octave - _BITS)
    return STEPS_PER_OCTAVE * octave + sum(leading >= step for step in _STEPS[1:])


def encode(error: int, threshold: int) -> int:
    """The score code, 0 to 255, of a window's error under a threshold."""
    return min(255, max(0, AT_THRESHOLD + log(error) - log(threshold)))


def anomalous(error: int, threshold: int) -> bool:
    """Whether a window is anomalous, which its score code cannot always tell."""
    return error > threshold


def _percent(code: int) -> int:
    octave, step = divmod(code - AT_THRESHOLD, STEPS_PER_OCTAVE)
    scaled, shift = 100 * _STEPS[step], _BITS - octave
    whole, rest = scaled >> shift, scaled & ((1 << shift) - 1)
    half = 1 << (shift - 1)
    return whole + (rest > half or (rest == half and whole % 2 == 1))


_PERCENT = (0, *(_percent(code) for code in range(1, 256)))


def percent(code: int) -> int:
    """A score code, 0 to 255, in per cent of the threshold, rounded to the nearest, to the even at a tie."""
    return _PERCENT[code]
