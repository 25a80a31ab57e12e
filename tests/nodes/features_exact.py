"""Feature sets and fixed-point functions computed a second time from SPEC.md: Python's unbounded integers and exact
fractions, no numpy, and other ways wherever there are others.
"""

from fractions import Fraction
from functools import cache, reduce
from itertools import pairwise
from math import isqrt

from gateway.detectors.feature_sets import SLOW


def exactly(number, samples):
    return {1: _statistics, 2: _invariant, 3: _slow, 5: _principal}[number](samples)


def fault_exactly(number, samples):
    columns = list(zip(*samples, strict=True))
    if number != SLOW and any(len(set(column)) == 1 for column in columns):
        return 4
    at_limit = [Fraction(sum(v in (-32768, 32767) for v in column), len(column)) for column in columns]
    return 5 if max(at_limit) >= Fraction(1, 32) else 0


@cache
def lg(x):
    """SPEC.md, Lg: squarings of the mantissa."""
    if x == 0:
        return -64 * 4096
    bits = x.bit_length() - 1
    mantissa, log = x * 2**31 >> bits, bits
    for _ in range(12):
        square = mantissa * mantissa
        log, mantissa = (2 * log + 1, square >> 32) if square >= 2**63 else (2 * log, square >> 31)
    return log


def lg_truly(x):
    """floor(4096 log2 x): the power 4096 has that many binary places."""
    return (x**4096).bit_length() - 1


def transform(values, size=None):
    """SPEC.md, Transform, split by even and odd until one value is left."""
    if len(values) == 1:
        return values
    size = len(values)
    even, odd = transform(values[0::2]), transform(values[1::2])
    first, second = [], []
    for k, (a, b) in enumerate(zip(even, odd, strict=True)):
        c, s = _cosine(32 * k * 2 // size), _cosine(32 * k * 2 // size - 16)
        t = ((b[0] * c + b[1] * s) >> 32, (b[1] * c - b[0] * s) >> 32)
        half = (a[0] >> 1, a[1] >> 1)
        first.append((half[0] + t[0], half[1] + t[1]))
        second.append((half[0] - t[0], half[1] - t[1]))
    return first + second


@cache
def _cosine(part):
    """2^31 cos(2 pi part / 64), rounded, by halving the angle from cos(pi) in 200 places of binary."""
    one = 1 << 200
    if part < 0:
        return _cosine(-part)
    if part > 16:
        return -_cosine(32 - part)
    # cos and sin of 1/64 turn, then powers of that rotation.
    cosine = -one
    for _ in range(5):
        cosine = isqrt((one + cosine) * one // 2)
    sine = isqrt(one * one - cosine * cosine)
    x, _ = reduce(
        lambda z, _: ((z[0] * cosine - z[1] * sine) >> 200, (z[0] * sine + z[1] * cosine) >> 200), range(part), (one, 0)
    )
    return min(2**31 - 1, (x + (1 << 168)) >> 169)


def _statistics(samples):
    found = []
    for column in zip(*samples, strict=True):
        x = [Fraction(v) for v in column]
        n = len(x)
        mean = sum(x) / n
        variance = sum((v - mean) ** 2 for v in x) / n
        rounded_mean = (16 * sum(x) + n // 2) / n
        found.append(rounded_mean.numerator // rounded_mean.denominator)
        found.append(isqrt(256 * variance.numerator // variance.denominator))
        found.append(int(16 * (max(x) - min(x))))
    return found


def _slow(samples):
    found = []
    for column in zip(*samples, strict=True):
        n = len(column)
        last = column[-(n // 4) :]
        found.append((16 * sum(last) + len(last) // 2) // len(last))
        middle = Fraction(n - 1, 2)
        rise = n * sum((i - middle) * x for i, x in enumerate(column)) / sum((i - middle) ** 2 for i in range(n))
        found.append(int(16 * rise))  # towards zero
        ranked = sorted(column)
        found.append(16 * (ranked[-1 - n // 4] - ranked[n // 4]))
    return found


def _invariant(samples):
    return [feature for columns in _sensors(samples) for feature in _group(columns)]


def _principal(samples):
    found = []
    for columns in _sensors(samples):
        changes = [[16 * (b - a) for a, b in pairwise(column)] for column in columns]
        energies, of_changes = (
            _directions(axes, int(Fraction(256, 12) * len(axes[0])))
            for axes in ([_centred(column) for column in columns], changes)
        )
        found += energies + [change - energy for change, energy in zip(of_changes, energies, strict=True)]
    return found


def _sensors(samples):
    columns = list(zip(*samples, strict=True))
    return [columns[at : at + 3] for at in range(0, len(columns), 3)]


def _group(columns):
    axes = [_centred(column) for column in columns]
    n = len(axes[0])
    squares = [sum(v * v for v in sample) for sample in zip(*axes, strict=True)]
    energy, largest = sum(squares), max(squares)
    shorter = [r >> max(0, largest.bit_length() - 26) for r in squares]
    change = sum((b - a) ** 2 for x in axes for a, b in pairwise(x))
    return [
        *_directions(axes),
        (lg(largest + 1) + lg(n) - lg(energy + 1)) // 2,
        lg(sum(y * y for y in shorter) + 1) + lg(n) - 2 * lg(sum(shorter) + 1),
        (lg(change + 1) - lg(energy + 1)) // 2,
        *_spectrum(axes, largest),
        (lg(energy + 1) - lg(n)) // 2,
    ]


def _centred(column):
    """Less the mean in sixteenths, halves away from zero."""
    n = len(column)
    total = Fraction(16 * abs(sum(column)), n) + Fraction(n // 2, n)
    mean = (total.numerator // total.denominator) * (1 if sum(column) >= 0 else -1)
    return [16 * x - mean for x in column]


def _directions(axes, floor=0):
    shift = max(0, sum(v * v for x in axes for v in x).bit_length() - 30)
    missing = [[0] * len(axes[0])] * (3 - len(axes))
    matrix = [
        [int(Fraction(sum(a * b for a, b in zip(x, y, strict=True)), 2**shift)) for y in axes + missing]
        for x in axes + missing
    ]
    e1 = sum(matrix[i][i] for i in range(3))
    e2 = sum(_determinant([[matrix[i][j] for j in rows] for i in rows]) for rows in ((0, 1), (0, 2), (1, 2)))
    e3 = _determinant(matrix)
    reach = isqrt(e1 * e1 - 3 * e2)
    turns = (max(0, e1 - reach) // 3, (e1 + reach) // 3)
    found = []
    for a, b, negative in ((turns[1], e1, True), (*turns, False), (0, turns[0], True)):
        b += 1
        while b - a > 1:
            t = (a + b) // 2
            a, b = (t, b) if (t**3 - e1 * t**2 + e2 * t - e3 < 0) == negative else (a, t)
        found.append((lg(a + 4 + floor // 2**shift) + 4096 * shift - lg(len(axes[0]))) // 2)
    return found[: len(axes)]


def _determinant(m):
    if len(m) == 1:
        return m[0][0]
    return sum((-1) ** j * m[0][j] * _determinant([row[:j] + row[j + 1 :] for row in m[1:]]) for j in range(len(m)))


def _spectrum(axes, largest):
    size = 64 if len(axes[0]) >= 64 else 32
    edges = (1, 2, 3, 4, 6, 9, 14, 21, 33) if size == 64 else (1, 2, 3, 4, 5, 7, 9, 12, 17)
    gain = 2 ** (4 + max(0, 20 - (largest.bit_length() + 1) // 2))
    bands = [0] * 8
    for x in axes:
        sign = next((1 if v > 0 else -1 for v in x if v), 1)
        starts = range(0, len(x) - size + 1, size // 2)
        blocks = [[sign * gain * (2 * min(i, size - 1 - i) + 1) * x[at + i] for i in range(size)] for at in starts]
        if len(blocks) % 2:
            blocks.append([0] * size)
        for re, im in zip(blocks[0::2], blocks[1::2], strict=True):
            z = transform(list(zip(re, im, strict=True)))
            power = [a * a + b * b for a, b in z]
            for band in range(8):
                bands[band] += sum(power[k] + power[size - k] for k in range(edges[band], edges[band + 1])) // 64
    total = sum(bands)
    shares = [lg(p + total // 2**20 + 1) - lg(total + 1) for p in bands]
    unit = 2 ** max(0, total.bit_length() - 16)
    parts = [(p // unit << 16) // (total // unit) if total else 0 for p in bands]
    return [*shares, -sum(f * s for f, s in zip(parts, shares, strict=True)) >> 16]
