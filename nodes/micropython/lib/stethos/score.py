"""The score code: how far an error lies from its threshold, on a logarithmic scale (nodes/wire/SPEC.md, "Score")."""

THRESHOLD = 128
"""The code of an error that equals its threshold; 16 steps are a factor of two."""
_LOG_OF_ZERO = -128 - 512


def _log2(x):
    """floor(16 log2 x): the 16th power of x has 16 times the logarithm, and its bits can be counted."""
    if x == 0:
        return _LOG_OF_ZERO
    power = x * x
    power *= power
    power *= power
    power *= power
    bits = 0
    while power > 1:
        power >>= 1
        bits += 1
    return bits


def encode(error, threshold):
    """Of 32-bit numbers; held within 0..255."""
    return max(0, min(255, THRESHOLD + _log2(error) - _log2(threshold)))
