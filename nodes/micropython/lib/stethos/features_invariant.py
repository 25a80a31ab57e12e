"""Feature set 2: what a rotation of the sensor leaves as it is. Axes in groups of three; of each group the energies in
the principal directions, the shape of the vibration in time, and its spectrum summed over the axes.

Values are sixteenths of the sample unit, from the mean. They are worked out anew wherever they are needed: a copy of
the window would be the largest thing in a node's memory.
"""

from .fft import SIZE_MAX, fft, place_after
from .fixed import ONE, bits, log2, root

AXES = 3
"""In a group, at most."""
_BANDS = 8
# The first bin of each band, and the bin behind the last: transforms of 32 and of 64 points.
_EDGES = {32: b"\x01\x02\x03\x04\x05\x07\x09\x0c\x11", 64: b"\x01\x02\x03\x04\x06\x09\x0e\x15\x21"}


def _shift_to(n, x):
    """By how much x has to be shifted down to leave n bits of it."""
    return max(bits(x) - n, 0)


def _directions(products, energy, log_n):
    """The energies in the principal directions, the largest first: the roots of the characteristic polynomial, one
    before, one between and one behind the two places where it turns.
    """
    shift = _shift_to(30, energy)
    # Shortened towards zero, so that the sign of an axis does not matter.
    a, b, c, d, e, f = [x >> shift if x >= 0 else -(-x >> shift) for x in products]
    e1 = a + c + f
    e2 = a * c - b * b + a * f - d * d + c * f - e * e
    e3 = a * (c * f - e * e) - b * (b * f - e * d) + d * (b * e - c * d)
    reach = root(e1 * e1 - 3 * e2)
    turns = (e1, (e1 + reach) // 3, max(e1 - reach, 0) // 3, 0)
    out = []
    for i in range(AXES):
        low, high = turns[i + 1], turns[i] + 1
        while high - low > 1:
            t = (low + high) // 2
            if (((t - e1) * t + e2) * t - e3 < 0) == (i != 1):
                low = t
            else:
                high = t
        out.append((log2(low + 4) + ONE * shift - log_n) >> 1)
    return out


def _shares(bands):
    """As logarithms, and the entropy of the shares. A share counts for no less than 2^-20."""
    total = sum(bands)
    shift = _shift_to(16, total)
    log_total = log2(total + 1)
    out = []
    entropy = 0
    for band in bands:
        share = log2(band + (total >> 20) + 1) - log_total
        out.append(share)
        if total:
            entropy -= ((band >> shift) << 16) // (total >> shift) * share
    out.append(entropy >> 16)
    return out


class _Group:
    """The axes from channel `first` on."""

    def __init__(self, samples, n, channels, first):
        self.samples, self.n, self.channels, self.first = samples, n, channels, first
        self.axes = min(channels - first, AXES)
        self.means = []
        for axis in range(self.axes):
            total = sum(samples[i] for i in range(first + axis, n * channels, channels))
            mean = (16 * abs(total) + n // 2) // n  # halves are rounded away from zero: as for an axis turned round
            self.means.append(mean if total >= 0 else -mean)

    def _vectors(self):
        """The values of one sample after the other, in the same list."""
        out = [0] * AXES
        for at in range(self.first, self.n * self.channels, self.channels):
            for axis in range(self.axes):
                out[axis] = 16 * self.samples[at + axis] - self.means[axis]
            yield out

    def features(self):
        products = [0] * 6  # of two axes each: the rows of a triangle
        signs = [0] * AXES
        largest = change = 0
        before = None
        for x, y, z in self._vectors():
            xx, yy, zz = x * x, y * y, z * z
            products[0] += xx
            products[1] += x * y
            products[2] += yy
            products[3] += x * z
            products[4] += y * z
            products[5] += zz
            largest = max(largest, xx + yy + zz)
            if before:
                a, b, c = before
                change += (x - a) * (x - a) + (y - b) * (y - b) + (z - c) * (z - c)
            before = (x, y, z)
            signs = [sign or value for sign, value in zip(signs, before)]  # each the first that is not 0
        energy = products[0] + products[2] + products[5]
        shift = _shift_to(26, largest)
        squares = fourths = 1
        for x, y, z in self._vectors():
            length = x * x + y * y + z * z >> shift
            squares += length
            fourths += length * length
        log_n, log_energy = log2(self.n), log2(energy + 1)
        out = _directions(products, energy, log_n)[: self.axes]
        out.append((log2(largest + 1) + log_n - log_energy) >> 1)
        out.append(log2(fourths) + log_n - 2 * log2(squares))
        out.append((log2(change + 1) - log_energy) >> 1)
        out += self._spectrum(signs, 16 << max(20 - (bits(largest) + 1) // 2, 0))
        out.append((log_energy - log_n) >> 1)
        return out

    def _spectrum(self, signs, gain):
        size = SIZE_MAX if self.n >= SIZE_MAX else SIZE_MAX // 2
        re, im = [0] * size, [0] * size
        bands = [0] * _BANDS
        edges = _EDGES[size]
        for axis in range(self.axes):
            for at in range(0, self.n - size + 1, size):
                self._load(axis, at, re, im, gain if signs[axis] >= 0 else -gain)
                fft(re, im)
                for band in range(_BANDS):
                    total = 0
                    for k in range(edges[band], edges[band + 1]):
                        a, b, c, d = re[k], im[k], re[size - k], im[size - k]
                        total += a * a + b * b + c * c + d * d
                    bands[band] += total >> 6
        return _shares(bands)

    def _load(self, axis, at, re, im, gain):
        """Two blocks of one axis into one transform, one as real, one as imaginary part: |Z_k|^2 + |Z_(size-k)|^2 is
        twice the sum of both spectra. The window is a triangle. A last block may be alone.
        """
        size = len(re)
        half = size // 2
        alone = at + half + size > self.n
        samples, mean = self.samples, self.means[axis]
        first = self.first + axis + at * self.channels
        second = first + half * self.channels
        place = 0
        for i in range(size):
            weight = (2 * min(i, size - 1 - i) + 1) * gain
            re[place] = (16 * samples[first] - mean) * weight
            im[place] = 0 if alone else (16 * samples[second] - mean) * weight
            first += self.channels
            second += self.channels
            place = place_after(place, size)


def compute(samples, n, channels):
    out = []
    for first in range(0, channels, AXES):
        out += _Group(samples, n, channels, first).features()
    return out
