"""Energies in the principal directions of what a sensor measures in space, and of how it changes.

Values are sixteenths of the sample unit. They are worked out anew wherever they are needed: a copy of the window would
be the largest thing in a node's memory.
"""

from .fixed import ONE, bits, log2, root

AXES = 3
"""In a group, at most."""


def means(samples, n, channels, first):
    """Of each axis of the group that begins at channel `first`. Halves are rounded away from zero: an axis turned round
    has the same values with the other sign.
    """
    out = []
    for axis in range(first, min(first + AXES, channels)):
        total = sum(samples[i] for i in range(axis, n * channels, channels))
        mean = (16 * abs(total) + n // 2) // n
        out.append(mean if total >= 0 else -mean)
    return out


def shift_to(n, x):
    """By how much x has to be shifted down to leave n bits of it."""
    return max(bits(x) - n, 0)


def products(vectors):
    """Sums over vectors (x, y, z) of the products of two axes each: the rows of a triangle."""
    a = b = c = d = e = f = 0
    for x, y, z in vectors:
        a += x * x
        b += x * y
        c += y * y
        d += x * z
        e += y * z
        f += z * z
    return a, b, c, d, e, f


def directions(sums, n, axes, floor=0):
    """Half the logarithms of the mean energies, the largest first, from the sums of n vectors: the roots of the
    characteristic polynomial, one before, one between and one behind the two places where it turns.
    """
    shift = shift_to(30, sums[0] + sums[2] + sums[5])
    # Shortened towards zero, so that the sign of an axis does not matter.
    a, b, c, d, e, f = [x >> shift if x >= 0 else -(-x >> shift) for x in sums]
    e1 = a + c + f
    e2 = a * c - b * b + a * f - d * d + c * f - e * e
    e3 = a * (c * f - e * e) - b * (b * f - e * d) + d * (b * e - c * d)
    reach = root(e1 * e1 - 3 * e2)
    turns = (e1, (e1 + reach) // 3, max(e1 - reach, 0) // 3, 0)
    least, log_n = 4 + (floor >> shift), log2(n)
    out = []
    for i in range(axes):
        low, high = turns[i + 1], turns[i] + 1
        while high - low > 1:
            t = (low + high) // 2
            if (((t - e1) * t + e2) * t - e3 < 0) == (i != 1):
                low = t
            else:
                high = t
        out.append((log2(low + least) + ONE * shift - log_n) >> 1)
    return out
