"""Feature set 2: what a rotation of the sensor leaves as it is. Axes in groups of three; of each group the energies in
the principal directions, the shape of the vibration in time, and its spectrum summed over the axes.
"""

from .features_directions import AXES, directions, means, products, shift_to
from .fft import SIZE_MAX, fft, place_after
from .fixed import bits, log2

_BANDS = 8
# The first bin of each band, and the bin behind the last: transforms of 32 and of 64 points.
_EDGES = {32: b"\x01\x02\x03\x04\x05\x07\x09\x0c\x11", 64: b"\x01\x02\x03\x04\x06\x09\x0e\x15\x21"}


def _shares(bands):
    """As logarithms, and the entropy of the shares. A share counts for no less than 2^-20."""
    total = sum(bands)
    shift = shift_to(16, total)
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
        self.means = means(samples, n, channels, first)
        self.axes = len(self.means)

    def _vectors(self):
        """The values of one sample after the other, in the same list."""
        out = [0] * AXES
        for at in range(self.first, self.n * self.channels, self.channels):
            for axis in range(self.axes):
                out[axis] = 16 * self.samples[at + axis] - self.means[axis]
            yield out

    def features(self):
        sums = products(self._vectors())
        signs = [0] * AXES
        largest = change = 0
        before = None
        for x, y, z in self._vectors():
            largest = max(largest, x * x + y * y + z * z)
            if before:
                a, b, c = before
                change += (x - a) * (x - a) + (y - b) * (y - b) + (z - c) * (z - c)
            before = (x, y, z)
            signs = [sign or value for sign, value in zip(signs, before)]  # each the first that is not 0
        energy = sums[0] + sums[2] + sums[5]
        shift = shift_to(26, largest)
        squares = fourths = 1
        for x, y, z in self._vectors():
            length = x * x + y * y + z * z >> shift
            squares += length
            fourths += length * length
        log_n, log_energy = log2(self.n), log2(energy + 1)
        out = directions(sums, self.n, self.axes)
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
