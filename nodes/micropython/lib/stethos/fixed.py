"""Whole-number mathematics: nodes/wire/SPEC.md, "Fixed point". Everything stays within what C can do in 64 bits."""

ONE = 4096
"""An octave, the unit of the logarithms here."""
_LOG_ZERO = -64 * ONE


def bits(x):
    """Of x without the zeros before it; 0 has none."""
    count = 0
    while x >> 32:
        x >>= 32
        count += 32
    while x:
        x >>= 1
        count += 1
    return count


def root(x):
    """floor(sqrt(x)), from above by Newton's method."""
    guess = 1 << (bits(x) + 1) // 2
    while guess * guess > x:
        guess = (guess + x // guess) // 2
    return guess


def log2(x):
    """log2 of x below 2^64 in 4096ths, rounded down (one too low at worst). Squaring a mantissa doubles its logarithm;
    whether it then reaches 2 is the next bit.
    """
    if x == 0:
        return _LOG_ZERO
    log = bits(x) - 1
    mantissa = x << 63 - log >> 32
    for _ in range(12):
        square = mantissa * mantissa
        high = square >> 63
        log = 2 * log + high
        mantissa = square >> 31 + high
    return log
