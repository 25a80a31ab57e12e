"""Spectrograms computed a second time from SPEC.md: Python's unbounded integers and exact fractions, no numpy, and
other ways wherever there are others."""

from fractions import Fraction
from functools import cache, reduce
from math import isqrt

from tests.nodes.features_exact import lg


def edges_exactly(frame, bands, corner):
    ends = [Fraction(lg(corner)), Fraction(lg(corner + 8 * frame))]
    found = [0]
    for i in range(1, bands + 1):
        between = ends[0] + (ends[1] - ends[0]) * i / (bands + 1)
        found.append(max(ex(between.numerator // between.denominator) - corner, 16 * i))
    return [*found, 8 * frame]


@cache
def ex(y):
    """SPEC.md, Ex: the factors of the bits that are set."""
    mantissa = 1 << 31
    for i in range(1, 13):
        if y % 4096 >> (12 - i) & 1:
            mantissa = mantissa * _root_of_two(i) >> 31
    return mantissa * 2 ** (y // 4096) >> 31


@cache
def _root_of_two(i):
    """floor(2^(31 + 2^-i)), by square roots in 400 places of binary."""
    x = 2 << 400
    for _ in range(i):
        x = isqrt(x << 400)
    return x << 31 >> 400


def rows_exactly(frame, bands, corner, samples):
    edges = edges_exactly(frame, bands, corner)
    return [_row(edges, samples[at : at + frame]) for at in range(0, len(samples) - frame + 1, frame // 2)]


def _row(edges, samples):
    n = len(samples)
    mean = (16 * sum(samples) + n // 2) // n
    x = [16 * v - mean for v in samples]
    gain = 20 - max(abs(v) for v in x).bit_length()
    shaped = [(512 * v * 2**gain * (2**31 - cosine(i * 512 // n))) // 2**32 for i, v in enumerate(x)]
    powers = [(re**2 + im**2) // 256 for re, im in _spectrum(shaped)]
    found = []
    for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
        energy = 0
        for k, power in enumerate(powers):
            if low <= 16 * k < middle:
                energy += int(Fraction(256 * (16 * k - low), middle - low)) * power
            elif middle <= 16 * k < high:
                energy += (256 - int(Fraction(256 * (16 * k - middle), high - middle))) * power
        found.append((lg(energy + 2 ** (16 + 2 * gain)) >> 1) - (12 + gain) * 4096)
    return found


def _spectrum(x):
    """SPEC.md, "Of real values": below half of them; nothing of the mean."""
    n = len(x) // 2
    z = transform(list(zip(x[0::2], x[1::2], strict=True)))
    found = [(0, 0)] * n
    for k in range(n // 2, 0, -1):
        (a, b), (c, d) = z[k], z[n - k]
        first, second = _joined((a + c, b - d), (b + d, c - a), k * 256 // n)
        found[n - k] = second
        found[k] = first
    return found


def transform(values):
    """SPEC.md, Transform, split by even and odd until one value is left."""
    size = len(values)
    if size == 1:
        return values
    pairs = zip(transform(values[0::2]), transform(values[1::2]), strict=True)
    joined = [_joined(a, b, k * 512 // size) for k, (a, b) in enumerate(pairs)]
    return [first for first, _ in joined] + [second for _, second in joined]


def _joined(a, b, angle):
    c, s = cosine(angle), cosine(angle - 128)
    t = ((b[0] * c + b[1] * s) >> 32, (b[1] * c - b[0] * s) >> 32)
    half = (a[0] >> 1, a[1] >> 1)
    return (half[0] + t[0], half[1] + t[1]), (half[0] - t[0], half[1] - t[1])


@cache
def cosine(part):
    """2^31 cos(2 pi part / 512), rounded, by halving the angle from cos(pi) in 200 places of binary."""
    one = 1 << 200
    part = abs(part) % 512
    part = min(part, 512 - part)
    if part > 128:
        return -cosine(256 - part)
    turn = -one
    for _ in range(8):
        turn = isqrt((one + turn) * one // 2)
    sine = isqrt(one * one - turn * turn)
    x, _ = reduce(
        lambda z, _: ((z[0] * turn - z[1] * sine) >> 200, (z[0] * sine + z[1] * turn) >> 200), range(part), (one, 0)
    )
    return min(2**31 - 1, (x + (1 << 168)) >> 169)
