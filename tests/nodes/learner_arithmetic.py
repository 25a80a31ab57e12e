"""Arithmetic of learner_reference.py and slow_reference.py: SPEC, "Fixed point", "Score", and a little more."""

from __future__ import annotations

ROOTS_OF_TWO = (
    0xB504F333, 0x9837F051, 0x8B95C1E3, 0x85AAC367, 0x82CD8698, 0x8164D1F3,
    0x80B1ED4F, 0x8058D7D2, 0x802C6436, 0x8016302F, 0x800B179C, 0x80058BAF,
)  # fmt: skip


def log2(x: int) -> int:
    """SPEC, "Fixed point": log2 of x >= 0 in Q12."""
    if x == 0:
        return -64 * 4096
    log = x.bit_length() - 1
    mantissa = x << 63 - log >> 32
    for _ in range(12):
        square = mantissa * mantissa
        log = 2 * log + (square >> 63)
        mantissa = square >> (31 + (square >> 63))
    return log


def exp2(y: int) -> int:
    """SPEC, "Fixed point": 2^(y / 4096)."""
    if y < 0:
        return 0
    if y >= 64 * 4096:
        return 2**64 - 1
    mantissa = 2**31
    for i, root in enumerate(ROOTS_OF_TWO):
        if y >> (11 - i) & 1:
            mantissa = mantissa * root >> 31
    return mantissa << 32 >> (63 - (y >> 12))


def quick_log2(x: int) -> int:
    """log2 of x >= 1 in Q12, by one parabola an octave."""
    k = x.bit_length() - 1
    f = (x << 31 - k >> 16) & 32767
    return 4096 * k + (4096 * f + 1408 * (f * (32768 - f) >> 15) >> 15)


def clamp(x: int, low: int, high: int) -> int:
    return min(max(x, low), high)


def towards_zero(a: int, b: int) -> int:
    return a // b if a >= 0 else -(-a // b)


def log_sum(a: int, b: int) -> int:
    """log2(2^a + 2^b), all in Q8."""
    apart = abs(a - b) * 16
    return max(a, b) + (log2(2**16 + exp2(16 * 4096 - apart)) - 16 * 4096 >> 4)


def score(error: int, threshold: int) -> int:
    """SPEC, "Score"."""

    def steps(x: int) -> int:
        return -640 if x == 0 else (x**16).bit_length() - 1

    return clamp(128 + steps(error) - steps(threshold), 0, 255)
