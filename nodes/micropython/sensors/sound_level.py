"""How loud: the level of a stretch of samples in 0.01 dB, in whole numbers."""

_FULL_SINE = 1 << 29  # mean square of a sine of full scale, at 16 bits: 0 dB (AES17)
_SMALL = 1 << 29


def octaves_q12(x):
    """floor(4096 · log2 x) of x > 0: bit by bit, squaring (nodes/wire/SPEC.md, Lg)."""
    whole = 0
    while x >> (whole + 1):
        whole += 1
    x = x << 31 >> whole
    fraction = 0
    for _ in range(12):
        x = x * x >> 31
        fraction <<= 1
        if x >> 32:
            fraction |= 1
            x >>= 1
    return whole << 12 | fraction


def level_cdb(count, total, squares):
    """0.01 dB below a sine of full scale, from the sum and the sum of squares of 16-bit samples, without their mean.

    Not below the noise of their rounding, 1/12, which is −98.10 dB.
    """
    power = max(12 * (count * squares - total * total), count * count)  # times 12 count²
    octaves = octaves_q12(power) - octaves_q12(12 * count * count) - octaves_q12(_FULL_SINE)
    return (octaves * 30_103 + 204_800) // 409_600  # 10 log10(2) is 3.0103 dB an octave


class Meter:
    """Sums of one stretch, and how many of its samples were at an end."""

    def __init__(self):
        self.count = self.total = self.squares = self.ends = 0

    def add(self, raw, size):
        """Little-endian samples of `size` bytes each, of which the last two count."""
        total = squares = ends = 0
        for i in range(size - 2, len(raw), size):
            value = raw[i] | raw[i + 1] << 8
            if value > 32767:
                value -= 65536
            total += value
            squares += value * value
            if squares > _SMALL:  # what is larger lies on the heap of a 32-bit board
                self.squares += squares
                squares = 0
            if value == 32767 or value == -32768:
                ends += 1
        self.count += len(raw) // size
        self.total += total
        self.squares += squares
        self.ends += ends

    def take(self, full_scale_cdb):
        """Its level, with what a sine of full scale is; and from here on the next stretch. None: it was saturated.

        Saturated as in nodes/wire/SPEC.md: at least 1 in 32 samples at an end.
        """
        level = level_cdb(self.count, self.total, self.squares) + full_scale_cdb
        saturated = 32 * self.ends >= self.count
        self.count = self.total = self.squares = self.ends = 0
        return None if saturated else level
